"""Mr. HiSum as its authors' released code evaluates it: the scores' key-shot summary against the
published one.

Written after what `model/utils/generate_summary.py`, `evaluation_metrics.py` and `solver.py` of
https://github.com/MRHiSum/MR.HiSum do (nothing is copied). It differs from this project's own rules
for the same videos, `paper` and `f1`, in this:

    correlation   `authors`     the 0/1 summary of the scores against the 0/1 gt_summary
                  `paper`       the scores themselves against gtscore
    worth of a    `authors`,    mean over its seconds and the first second of the next shot: their
    shot          `authors_f1`  change points end where the next shot begins, and are sliced as
                                if they ended before it
                  `f1`          mean over its seconds

Means are taken in 32 bits, as theirs are. Of two lists of 0 and 1 tau-b and rho are the same number
(phi), so both columns agree. A summary of nothing has no ranking: undefined (NaN) here and there.
Where a file has no gt_summary (theirs then stops), the summary of gtscore made the same way stands
for it.
"""

from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from llmvs.datasets.annotations import Annotations
from llmvs.evaluation.correlation import Correlation, Ranking, correlate
from llmvs.evaluation.key_shot_f1 import f1
from llmvs.evaluation.keyshots import best_shots, hold
from llmvs.evaluation.protocol import Comparison, Protocol, Values

Summary = npt.NDArray[np.uint8]


class _AuthorsProtocol(Protocol):
    """A comparison of two summaries, one of them made as the authors' code makes it."""

    kinds = ("replays",)
    needs = ("shots",)

    def compare_with(self, annotations: Annotations) -> Comparison:
        """Take the published summary, or make it of gtscore."""
        compare = self.compare_summary(reference(annotations))
        return lambda scores: compare(summarize_leaking(scores, annotations))

    @abstractmethod
    def compare_summary(self, gt_summary: Summary) -> Comparison:
        """From a summary [n_frames] to values, for gt_summary [1, n_frames]."""


class AuthorsCorrelation(_AuthorsProtocol):
    """tau-b and rho of the two summaries."""

    names = ("authors",)
    title = (
        "as Mr. HiSum's authors' code: the 0/1 key-shot summary of the scores (a shot's mean takes"
        " the next second along) against gt_summary; `paper` is ours"
    )
    measures = headers = Correlation._fields
    rank_correlation = True

    def compare_summary(self, gt_summary: Summary) -> Comparison:
        """Rank the published summary."""
        wanted = Ranking.of(gt_summary.mean(axis=0))
        return lambda summary: correlate(Ranking.of(summary), wanted)._asdict()


class AuthorsF1(_AuthorsProtocol):
    """F1 of the two summaries."""

    names = ("authors_f1",)
    title = (
        "as Mr. HiSum's authors' code: F1 of the key-shot summary (a shot's mean takes the next"
        " second along) against gt_summary; `f1` is ours"
    )
    measures = ("f1",)
    headers = ("F1 %",)
    percent = True

    def compare_summary(self, gt_summary: Summary) -> Comparison:
        """Nothing depends on the published summary alone."""

        def compare(summary: npt.NDArray) -> Values:
            return {"f1": f1(summary, gt_summary).mean}

        return compare


def reference(video: Annotations) -> Summary:
    """gt_summary [1, n_frames] of a video with shots."""
    if video.user_summary is not None:
        return video.user_summary
    return summarize_leaking(video.gtscore, video)[None]


def summarize_leaking(scores: npt.ArrayLike, video: Annotations) -> Summary:
    """The key-shot summary [n_frames] of step scores [T], the worth of every shot but the last
    taking one frame of the next shot along.
    """
    shots = video.shots
    assert shots is not None, f"{video.key} has no shots"
    frames = hold(scores, video.picks, video.n_frames).astype(np.float32)
    return best_shots([frames[first : last + 2].mean() for first, last in shots], shots)
