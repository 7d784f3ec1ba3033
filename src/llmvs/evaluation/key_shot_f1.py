"""The field's older protocol: F1 of the scores' key-shot summary against people's summaries."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llmvs.datasets.annotations import Annotations
from llmvs.evaluation.keyshots import summarize, summary_of_frames
from llmvs.evaluation.protocol import Comparison, Protocol, Values


class F1(NamedTuple):
    """F1 of one summary against every annotator's: papers report the maximum on SumMe and the mean
    on TVSum.
    """

    mean: float
    maximum: float


class KeyShotF1(Protocol):
    """The summary of at most 15 % of the video against each annotator's."""

    names = ("f1",)
    title = "F1 of the key-shot summary (15 % of the video) against each annotator's: mean, maximum"
    kinds = ("votes", "ratings", "replays")
    needs = ("shots",)
    measures = F1._fields
    headers = ("mean %", "max %")
    percent = True

    def compare_with(self, annotations: Annotations) -> Comparison:
        """Make the annotators' summaries."""
        picks, n_frames, shots = annotations.picks, annotations.n_frames, annotations.shots
        assert shots is not None
        users = user_summaries(annotations)
        return lambda scores: f1(summarize(scores, picks, n_frames, shots), users)._asdict()

    def human(self, annotations: Annotations) -> dict[str, list[Values]]:
        """Every annotator's summary against all others'."""
        users = user_summaries(annotations)
        if len(users) < 2:
            return {}
        others = [np.delete(users, i, axis=0) for i in range(len(users))]
        return {
            "human_others": [
                f1(one, rest)._asdict() for one, rest in zip(users, others, strict=True)
            ]
        }


def f1(summary: npt.NDArray, users: npt.NDArray) -> F1:
    """Frame-wise F1 of a summary [n_frames] against each user's summary [U, n_frames]; 0 where
    nothing is shared.
    """
    common = users @ summary.astype(np.int64)
    scores = (
        2 * common / np.maximum(users.sum(axis=1, dtype=np.int64) + summary.sum(dtype=np.int64), 1)
    )
    return F1(float(scores.mean()), float(scores.max()))


def user_summaries(video: Annotations) -> npt.NDArray[np.uint8]:
    """Every annotator's summary [U, n_frames] 0/1 of a video whose shots are known: as voted, or
    their ratings' key shots.
    """
    if video.user_summary is not None:
        return video.user_summary
    assert video.user_scores is not None, f"{video.key} has neither votes nor ratings"
    assert video.shots is not None, f"{video.key} has no shots"
    return np.stack([summary_of_frames(scores, video.shots) for scores in video.user_scores])
