"""Highlight detection on Mr. HiSum: mean average precision of the clips people replayed most, at 50
% and at 15 %.

As in the authors' published evaluation: a video is cut into clips of 5 seconds (the last may be
shorter), a clip's score is the mean of its steps' scores, and the relevant clips are the floor(C /
2), or floor(0.15 C), of C clips whose mean gtscore is highest. Average precision is sklearn's: the
sum over thresholds of (gain in recall) x precision, clips of equal score entering together. Their
softmax over the clips' scores changes no order and is left out; of relevant clips that tie, the
earlier ones are taken (theirs: unspecified).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llmvs.datasets.annotations import Annotations
from llmvs.evaluation.protocol import Comparison, Protocol

CLIP = 5
"""Steps (seconds) of a clip."""


class Highlights(NamedTuple):
    """Average precision of one video; NaN where it is too short for a relevant clip."""

    at_50: float
    at_15: float


class HighlightDetection(Protocol):
    """The clips of highest score against those that were replayed most."""

    names = ("map",)
    title = (
        "mean average precision of the clips of 5 seconds that were replayed most: the top 50 %,"
        " the top 15 %"
    )
    kinds = ("replays",)
    measures = Highlights._fields
    headers = ("mAP50 %", "mAP15 %")
    percent = True

    def compare_with(self, annotations: Annotations) -> Comparison:
        """Take the replays of every second; nothing else depends on them alone."""
        return lambda scores: highlights(scores, annotations.gtscore)._asdict()


def highlights(scores: npt.ArrayLike, gtscore: npt.ArrayLike) -> Highlights:
    """Average precision at 50 % and at 15 % of step scores [T] against gtscore [T], one step a
    second.

    >>> highlights([.9] * 5 + [.1] * 5, [1] * 5 + [0] * 5).at_50
    1.0
    """
    found, wanted = clip_means(scores), clip_means(gtscore)
    best = np.argsort(-wanted, kind="stable")
    precisions = []
    for count in (len(wanted) // 2, int(len(wanted) * 0.15)):
        relevant = np.zeros(len(wanted), dtype=bool)
        relevant[best[:count]] = True
        precisions.append(average_precision(relevant, found))
    return Highlights(*precisions)


def clip_means(scores: npt.ArrayLike, length: int = CLIP) -> npt.NDArray[np.float64]:
    """Mean score [C] of every `length` steps of [T], and of what is left at the end."""
    values = np.asarray(scores, dtype=np.float64)
    starts = np.arange(0, len(values), length)
    return np.add.reduceat(values, starts) / np.diff(np.append(starts, len(values)))


def average_precision(relevant: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Sum over thresholds of (gain in recall) x precision, without interpolation; NaN where nothing
    is relevant.

    Args:
        relevant: [N] 0/1.
        scores: [N]; equal scores share a threshold.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    hits, sorted_scores = np.asarray(relevant, dtype=bool)[order], np.asarray(scores)[order]
    if not hits.any():
        return float("nan")
    ends = np.append(
        np.flatnonzero(np.diff(sorted_scores)), len(hits) - 1
    )  # the last of every group of equal scores
    found = np.cumsum(hits)[ends]
    return float((np.diff(found, prepend=0) * found / (ends + 1)).sum() / hits.sum())
