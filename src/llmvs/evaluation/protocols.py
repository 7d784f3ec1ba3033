"""Named ways to turn step scores and people's annotations into one tau and one rho per video.

    votes (SumMe)     paper          the key-shot summary of the scores (0/1, original frame rate) against the mean
                                     of the users' summaries
                      per_annotator  the step scores against each user's 0/1 summary at the picks; mean over users
    ratings (TVSum)   paper          the step scores against each annotator's ratings at the picks; mean over annotators
                      per_annotator  the same thing

A protocol prepares a *judge* per video, once: whatever depends on the annotations alone is ranked then. Means over
videos and folds are taken elsewhere. An annotator who rated all steps alike has no ranking and is left out; scores
that are constant have none either, and are reported as undefined (NaN), never as 0.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llmvs.datasets.base import Dataset, Video
from llmvs.errors import UserError
from llmvs.evaluation.correlation import Correlation, Ranking, correlate
from llmvs.evaluation.keyshots import summarize

Judge = Callable[[npt.NDArray], Correlation]
"""Step scores [T] of one video -> tau and rho under one protocol."""
Rankings = list[Ranking]


class People(NamedTuple):
    """What a protocol compares: each person's list, and the others' mean; for the Human rows."""

    pairwise: Rankings
    """U rankings to compare with each other."""
    alone: Rankings
    """U rankings, each to compare with the same place of `others`."""
    others: Rankings
    """U rankings: the mean of everybody but this person."""


@dataclass(frozen=True)
class Protocol:
    """One named protocol."""

    name: str
    title: str
    """What is compared, in one line."""
    judge: Callable[[Video], Judge]
    """Prepare the judge of one video."""
    people: Callable[[Video], People]
    """The annotators of one video under the same view."""


def mean(correlations: Iterable[Correlation]) -> Correlation:
    """Mean tau and rho; NaN as soon as one of them is undefined, and NaN of nothing."""
    rows = list(correlations)
    if not rows:
        return Correlation(float("nan"), float("nan"))
    tau, rho = np.mean(np.array(rows, dtype=np.float64), axis=0)
    return Correlation(float(tau), float(rho))


def protocols(dataset: Dataset) -> dict[str, Protocol]:
    """The protocols of a dataset by name; `paper` is first."""
    return PROTOCOLS[dataset.annotation]


def _votes(video: Video) -> npt.NDArray:
    if video.user_summary is None:
        raise UserError(f"{video.key} ({video.name}): has no user_summary, which this protocol needs")
    return video.user_summary


def _ratings(video: Video) -> npt.NDArray:
    if video.user_scores is None:
        raise UserError(f"{video.key} ({video.name}): has no user_scores, which this protocol needs")
    return video.user_scores


def _scores(values: npt.NDArray, video: Video) -> npt.NDArray:
    scores = np.asarray(values, dtype=np.float32)  # 16-bit scores would tie
    if scores.shape != (video.n_steps,):
        raise UserError(f"{video.key} ({video.name}): scores of shape {scores.shape}, expected [{video.n_steps} steps]")
    if not np.isfinite(scores).all():
        raise UserError(f"{video.key} ({video.name}): NaN or infinite score at step {int(np.flatnonzero(~np.isfinite(scores))[0])}")
    return scores


def _binary_judge(video: Video) -> Judge:
    if video.shots is None:
        raise UserError(f"{video.key} ({video.name}): has no change_points, which the key-shot summary needs: "
                        "use the h5 file that has them (eccv16_dataset_summe_google_pool5.h5)")
    reference = Ranking.of(_votes(video).mean(axis=0))
    return lambda scores: correlate(Ranking.of(summarize(_scores(scores, video), video)), reference)


def _stepwise_judge(video: Video, people: npt.NDArray) -> Judge:
    references = [ranking for row in people[:, video.picks] if (ranking := Ranking.of(row)).untied]

    def judge(scores: npt.NDArray) -> Correlation:
        ranking = Ranking.of(_scores(scores, video))
        return mean(correlate(ranking, reference) for reference in references)

    return judge


def _people(rows: npt.NDArray, labels: npt.NDArray | None = None) -> People:
    """The Human comparisons of [U, N] annotations; `labels` [U, N] take their place between two people."""
    rows = rows.astype(np.float64)
    total = rows.sum(axis=0)
    others = [Ranking.of((total - row) / (len(rows) - 1)) for row in rows] if len(rows) > 1 else []
    alone = [Ranking.of(row) for row in rows]
    return People(alone if labels is None else [Ranking.of(row) for row in labels], alone, others)


PROTOCOLS: dict[str, dict[str, Protocol]] = {
    "votes": {
        "paper": Protocol("paper", "key-shot summary against the mean user summary, all frames", _binary_judge,
                          lambda video: _people(_votes(video), video.user_labels)),
        "per_annotator": Protocol("per_annotator", "step scores against each user's 0/1 summary",
                                  lambda video: _stepwise_judge(video, _votes(video)),
                                  lambda video: _people(_votes(video)[:, video.picks])),
    },
    "ratings": {
        name: Protocol(name, "step scores against each annotator's ratings",
                       lambda video: _stepwise_judge(video, _ratings(video)),
                       lambda video: _people(_ratings(video)[:, video.picks]))
        for name in ("paper", "per_annotator")
    },
}
