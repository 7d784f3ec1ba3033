"""From shots to pieces that can be watched: cut at pinned ranges, not too short, not too long."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from llmvs.summary.times import Range
from llmvs.video.footage import Footage

By = Literal["shots", "steps", "top"]
SHARE = 3
"""A piece is at most one of so many parts of the summary's length (but no shorter than allowed)."""


@dataclass(frozen=True)
class Pieces:
    """What can be chosen of a video, one behind the other, covering it."""

    starts: npt.NDArray[np.int64]
    """[S] first frame of every piece."""
    kept: npt.NDArray[np.bool_]
    """[S] whether it is in the summary in any case."""
    dropped: npt.NDArray[np.bool_]
    """[S] whether it is not in it in any case."""


def make_pieces(
    footage: Footage,
    shots: npt.NDArray[np.int64],
    by: By,
    keep: tuple[Range, ...],
    drop: tuple[Range, ...],
    shortest: float,
    length: float,
) -> Pieces:
    """Make the pieces of a video.

    Args:
        footage: the video.
        shots: [S, 2] first and last frame of every shot, inclusive.
        by: `steps`: pieces are runs of steps as short as allowed; else they come from the shots.
        keep: ranges in seconds, pieces of their own.
        drop: ranges in seconds, pieces of their own.
        shortest: seconds: a shorter piece joins its neighbour.
        length: seconds of the summary.
    """
    edges = footage.edges
    kept, dropped = (_inside(edges, ranges) for ranges in (keep, drop))
    if by == "steps":
        starts, shortest = _runs(footage, shortest, length)
    else:
        starts = shots[:, 0]
    pins = np.flatnonzero(np.diff(kept.astype(int) + 2 * dropped)) + 1
    starts = _joined(footage, np.union1d(starts, pins), set(pins.tolist()), shortest)
    longest = math.inf if by == "steps" else max(shortest, length / SHARE)
    starts = _divided(edges, starts, kept, longest, length)
    return Pieces(starts, kept[starts], dropped[starts])


def _inside(edges: npt.NDArray[np.float64], ranges: tuple[Range, ...]) -> npt.NDArray[np.bool_]:
    """[n_frames] whether each frame begins in one of the ranges; a range has one frame at least."""
    inside = np.zeros(len(edges) - 1, dtype=bool)
    for begin, end in ranges:
        first, behind = np.searchsorted(edges[:-1], [begin - 1e-6, end - 1e-6])
        first = min(int(first), len(inside) - 1)
        inside[first : max(int(behind), first + 1)] = True
    return inside


def _runs(footage: Footage, shortest: float, length: float) -> tuple[npt.NDArray[np.int64], float]:
    """First frames of runs of as many steps as last `shortest` seconds, or one step fewer where
    those were longer than the summary; and how long a run is at least.
    """
    each = footage.duration / len(footage.picks)
    steps = math.ceil(shortest / each - 1e-6)
    if steps * each > length + 1e-6:
        steps -= 1
    steps = max(1, steps)
    starts = footage.picks[::steps].copy()
    starts[0] = 0
    return starts, min(shortest, steps * each)


def _joined(
    footage: Footage, starts: npt.NDArray[np.int64], pins: set[int], shortest: float
) -> npt.NDArray[np.int64]:
    """Join pieces that are too short, the shortest first, with the neighbour behind the softer cut;
    never over the border of a pinned range.
    """
    edges, found = footage.edges, starts.tolist()
    done = False
    while not done:
        lasts = np.diff(np.append(edges[found], footage.duration))
        done = True
        for piece in np.argsort(lasts, kind="stable"):
            if lasts[piece] >= shortest - 1e-6:
                break
            borders = [place for place in (piece, piece + 1) if 0 < place < len(found)]
            borders = [place for place in borders if found[place] not in pins]
            if borders:
                del found[min(borders, key=lambda place: footage.change[found[place]])]
                done = False
                break
    return np.array(found, dtype=np.int64)


def _divided(
    edges: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int64],
    kept: npt.NDArray[np.bool_],
    longest: float,
    length: float,
) -> npt.NDArray[np.int64]:
    """Divide pieces that are too long to be chosen beside others into equal parts."""
    found: list[int] = []
    ends = np.append(starts[1:], len(edges) - 1)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        lasts = float(edges[end] - edges[start])
        parts = 1 if kept[start] else max(1, math.floor(lasts / longest + 1e-6))
        if lasts / parts > length and not kept[start]:
            parts = math.ceil(lasts / length - 1e-6)
        borders = np.searchsorted(edges, edges[start] + lasts * np.arange(parts) / parts - 1e-6)
        found += [start, *(int(border) for border in borders[1:] if start < border < end)]
    return np.unique(np.array(found, dtype=np.int64))
