"""Knapsack, F1 and KTS as their papers describe them, plainly written: yardsticks for
`correlations.py`.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def knapsack(values: Sequence[float], weights: Sequence[int], capacity: int) -> list[int]:
    """Dynamic programming over a table of lists."""
    table = [[0.0] * (capacity + 1) for _ in range(len(values) + 1)]
    for i, (value, weight) in enumerate(zip(values, weights, strict=True), start=1):
        for room in range(capacity + 1):
            table[i][room] = table[i - 1][room]
            if weight <= room:
                table[i][room] = max(table[i][room], value + table[i - 1][room - weight])
    chosen, room = [], capacity
    for i in range(len(values), 0, -1):
        if table[i][room] != table[i - 1][room]:
            chosen.append(i - 1)
            room -= weights[i - 1]
    return chosen[::-1]


def f1(summary: npt.NDArray, users: npt.NDArray) -> list[float]:
    """F1 of a summary [n_frames] against each of [U, n_frames]."""
    found = []
    for user in users:
        common = float((summary * user).sum())
        precision, recall = common / max(summary.sum(), 1), common / max(user.sum(), 1)
        found.append(2 * precision * recall / (precision + recall) if common else 0.0)
    return found


def change_points(features: npt.NDArray, penalty: float, most: int) -> list[int]:
    """Kernel temporal segmentation: the cheapest places for every number of changes up to `most`,
    and of these the number with the least penalized cost.
    """
    n_steps = len(features)
    kernel = features @ features.T
    squares = np.concatenate([[0], np.cumsum(np.diag(kernel))])
    sums = np.zeros((n_steps + 1, n_steps + 1))
    sums[1:, 1:] = kernel.cumsum(0).cumsum(1)

    def scatter(start: int, end: int) -> float:
        block = sums[end, end] - sums[start, end] - sums[end, start] + sums[start, start]
        return squares[end] - squares[start] - block / (end - start)

    costs = np.full((most + 1, n_steps + 1), np.inf)
    origins = np.zeros((most + 1, n_steps + 1), dtype=int)
    for end in range(1, n_steps + 1):
        costs[0, end] = scatter(0, end)
        pieces = np.array([scatter(start, end) for start in range(1, end)])
        for changes in range(1, min(most, end - 1) + 1):
            tried = costs[changes - 1, 1:end] + pieces
            origins[changes, end] = 1 + int(tried.argmin())
            costs[changes, end] = tried.min()
    charges = [0.0] + [penalty / 2 * k * (np.log(n_steps / k) + 1) for k in range(1, most + 1)]
    changes, end, found = int((costs[:, -1] + charges).argmin()), n_steps, []
    while changes:
        end = int(origins[changes, end])
        found.append(end)
        changes -= 1
    return found[::-1]
