"""What a page shows of a head's attention: for every step those it leans on most, and a small
picture of all.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SHOWN = 5
"""Steps that are named of every step."""
CELLS = 72
"""Rows and columns of the picture, at most."""
LONGEST = 8_000
"""Steps of a video up to which it is followed: a matrix of as many rows and columns has 256 MB."""


@dataclass(frozen=True)
class Leaning:
    """What the scores of a video lean on."""

    most: list[list[tuple[int, float]]]
    """[T] (step, share from 0 to 1) of the `SHOWN` steps, others than itself, that a step leans on
    most; those above its fair share alone.
    """
    cells: list[list[float]]
    """[C, C] mean share, over those of C parts of the video in a row, that comes from each of its C
    parts in a column; as a multiple of what all would get if nothing were preferred.
    """


def leaning(weights: npt.NDArray[np.float32]) -> Leaning:
    """Sum up who leans on whom.

    Args:
        weights: [T, T] shares; rows sum to 1 (`LLMVS.attention`).
    """
    n = len(weights)
    most: list[list[tuple[int, float]]] = []
    for t, row in enumerate(weights):
        others = row.copy()
        others[t] = 0
        best = np.argsort(-others, kind="stable")[:SHOWN]
        most.append([(int(s), round(float(row[s]), 4)) for s in best if others[s] > 1 / n])
    edges = np.linspace(0, n, min(CELLS, n) + 1).astype(int)
    rows = np.add.reduceat(weights, edges[:-1], axis=0) / np.diff(edges)[:, None]
    cells = np.add.reduceat(rows, edges[:-1], axis=1) / np.diff(edges) * n
    return Leaning(most, np.round(cells.astype(float), 2).tolist())
