"""From step scores to a summary of key shots: the choice of shots, without any people."""

import numpy as np
import numpy.typing as npt

BUDGET = 0.15
"""Longest summary, as a share of the video's frames (SumMe and TVSum alike)."""


def knapsack(values: npt.ArrayLike, weights: npt.ArrayLike, capacity: int) -> npt.NDArray[np.int64]:
    """The most valuable set of items whose weights sum to at most `capacity` (exact, 0/1, dynamic
    programming).

    Args:
        values: [S] numbers; an item is only taken when it adds value.
        weights: [S] positive integers.
        capacity: largest sum of weights.

    Returns:
        Indices of the chosen items, increasing. Of equally valuable sets the one that avoids later
        items.

    >>> knapsack([6, 10, 12], [1, 2, 3], 5).tolist()
    [1, 2]
    """
    worth = np.asarray(values, dtype=np.float64)
    sizes = np.asarray(weights, dtype=np.int64)
    best = np.zeros(capacity + 1)
    taken = np.zeros((len(sizes), capacity + 1), dtype=bool)
    for item, (value, size) in enumerate(zip(worth, sizes, strict=True)):
        if size > capacity:
            continue
        with_item = best[: capacity + 1 - size] + value
        taken[item, size:] = with_item > best[size:]
        best[size:] = np.maximum(with_item, best[size:])
    chosen = []
    for item in range(len(sizes) - 1, -1, -1):
        if taken[item, capacity]:
            chosen.append(item)
            capacity -= sizes[item]
    return np.array(chosen[::-1], dtype=np.int64)


def hold(scores: npt.ArrayLike, picks: npt.ArrayLike, n_frames: int) -> npt.NDArray[np.float64]:
    """Step scores [T] at the original frame rate [n_frames]: each score holds from its pick until
    the next one.
    """
    edges = np.append(np.asarray(picks), n_frames)
    frames = np.zeros(n_frames)
    frames[edges[0] :] = np.repeat(np.asarray(scores, dtype=np.float64), np.diff(edges))
    return frames


def summary_of_frames(
    frame_scores: npt.ArrayLike, shots: npt.NDArray, budget: float = BUDGET
) -> npt.NDArray[np.uint8]:
    """The key-shot summary of frame scores: shots are worth their mean score, and floor(budget x
    frames) frames fit.

    Args:
        frame_scores: [n_frames].
        shots: [S, 2] first and last frame of every shot, inclusive.
        budget: longest summary as a share of the video.

    Returns:
        [n_frames] 0/1.
    """
    scores = np.asarray(frame_scores, dtype=np.float64)
    lengths = shots[:, 1] - shots[:, 0] + 1
    return best_shots(np.add.reduceat(scores, shots[:, 0]) / lengths, shots, budget)


def best_shots(
    worth: npt.ArrayLike, shots: npt.NDArray, budget: float = BUDGET
) -> npt.NDArray[np.uint8]:
    """Show the shots that are worth most together and fit into the budget.

    Args:
        worth: [S] of every shot.
        shots: [S, 2] first and last frame of every shot, inclusive, covering the video.
        budget: longest summary as a share of the video.

    Returns:
        [n_frames] 0/1.
    """
    n_frames = int(shots[-1, 1]) + 1
    lengths = shots[:, 1] - shots[:, 0] + 1
    summary = np.zeros(n_frames, dtype=np.uint8)
    for first, last in shots[knapsack(worth, lengths, int(budget * n_frames))]:
        summary[first : last + 1] = 1
    return summary


def summarize(
    scores: npt.ArrayLike,
    picks: npt.ArrayLike,
    n_frames: int,
    shots: npt.NDArray,
    budget: float = BUDGET,
) -> npt.NDArray[np.uint8]:
    """The key-shot summary that step scores make of a video; nobody's annotations are needed.

    Args:
        scores: [T], one per step.
        picks: [T] frame index of every step.
        n_frames: of the video.
        shots: [S, 2] first and last frame of every shot, inclusive, covering the video.
        budget: longest summary as a share of the video.

    Returns:
        [n_frames] 0/1.
    """
    return summary_of_frames(hold(scores, picks, n_frames), shots, budget)
