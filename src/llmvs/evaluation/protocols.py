"""Named ways to turn step scores and people's annotations into one tau and one rho per video.

    votes (SumMe)     paper          the key-shot summary of the scores (0/1, original frame rate)
                      against the mean
                                     of the users' summaries
                      per_annotator  the step scores against each user's 0/1 summary at the picks;
                                     mean over users
    ratings (TVSum)   paper          the step scores against each annotator's ratings at the picks;
                      mean over annotators per_annotator  the same thing
    replays           paper          the step scores against gtscore: nobody's own ratings are known
    (Mr. HiSum)

Where two names mean the same thing they are the same object, and are computed once. A protocol
prepares a *judge* per
video, once: whatever depends on the annotations alone is ranked then. Means over videos and folds
are taken elsewhere. An annotator who rated all steps alike has no ranking and is left out; scores
that are constant have none either, and are reported as undefined (NaN), never as 0.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
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
    needs: tuple[str, ...]
    """The fields of `Video` without which it cannot be computed."""
    judge: Callable[[Annotations], Judge]
    """Prepare the judge of one video."""
    people: Callable[[Annotations], People]
    """The annotators of one video under the same view."""


def mean(correlations: Iterable[Correlation]) -> Correlation:
    """Mean tau and rho; NaN as soon as one of them is undefined, and NaN of nothing."""
    rows = list(correlations)
    if not rows:
        return Correlation(float("nan"), float("nan"))
    tau, rho = np.mean(np.array(rows, dtype=np.float64), axis=0)
    return Correlation(float(tau), float(rho))


def protocols(dataset: Dataset) -> dict[str, Protocol]:
    """The protocols that a dataset's annotations allow, by name; the first one chooses the epoch.

    Raises:
        UserError: the annotations allow none.
    """
    unavailable = left_out(dataset)
    allowed = {
        name: protocol
        for name, protocol in PROTOCOLS[dataset.annotation].items()
        if name not in unavailable
    }
    if not allowed:
        raise UserError(
            f"{dataset.name}: no protocol can be computed: {'; '.join(unavailable.values())}"
        )
    return allowed


def left_out(dataset: Dataset) -> dict[str, str]:
    """The protocols that a dataset's annotations do not allow, each with its reason."""
    reasons = {}
    for name, protocol in PROTOCOLS[dataset.annotation].items():
        for need in protocol.needs:
            without = next(
                (video for video in dataset.annotations.values() if getattr(video, need) is None),
                None,
            )
            if without:
                reasons[name] = (
                    f"protocol {name} needs {need}, which {without.key} ({without.name}) lacks"
                )
    return reasons


def _scores(values: npt.NDArray, video: Annotations) -> npt.NDArray:
    scores = np.asarray(values, dtype=np.float64)  # fewer bits would tie what is not
    if scores.shape != (video.n_steps,):
        raise UserError(
            f"{video.key} ({video.name}): scores of shape {scores.shape}, expected [{video.n_steps}"
            " steps]"
        )
    if not np.isfinite(scores).all():
        raise UserError(
            f"{video.key} ({video.name}): NaN or infinite score at step"
            f" {int(np.flatnonzero(~np.isfinite(scores))[0])}"
        )
    return scores


def _binary_judge(video: Annotations) -> Judge:
    assert video.user_summary is not None
    reference = Ranking.of(video.user_summary.mean(axis=0))
    return lambda scores: correlate(Ranking.of(summarize(_scores(scores, video), video)), reference)


def _stepwise_judge(field: str, video: Annotations) -> Judge:
    rankings = (Ranking.of(row) for row in getattr(video, field)[:, video.picks])
    references = [ranking for ranking in rankings if ranking.untied]

    def judge(scores: npt.NDArray) -> Correlation:
        ranking = Ranking.of(_scores(scores, video))
        return mean(correlate(ranking, reference) for reference in references)

    return judge


def _people_on_frames(video: Annotations) -> People:
    assert video.user_summary is not None
    return _people(video.user_summary, video.user_labels)


def _people_at_picks(field: str, video: Annotations) -> People:
    return _people(getattr(video, field)[:, video.picks])


def _people(rows: npt.NDArray, labels: npt.NDArray | None = None) -> People:
    """The Human comparisons of [U, N] annotations; `labels` [U, N] take their place between two
    people.
    """
    rows = rows.astype(np.float64)
    total = rows.sum(axis=0)
    alone = [Ranking.of(row) for row in rows]
    others = [Ranking.of((total - row) / max(len(rows) - 1, 1)) for row in rows]
    return People(alone if labels is None else [Ranking.of(row) for row in labels], alone, others)


_RATINGS = Protocol(
    "paper",
    "step scores against each annotator's ratings; per_annotator is the same",
    ("user_scores",),
    partial(_stepwise_judge, "user_scores"),
    partial(_people_at_picks, "user_scores"),
)

PROTOCOLS: dict[str, dict[str, Protocol]] = {
    "votes": {
        "paper": Protocol(
            "paper",
            "key-shot summary of the scores against the mean user summary",
            ("user_summary", "shots"),
            _binary_judge,
            _people_on_frames,
        ),
        "per_annotator": Protocol(
            "per_annotator",
            "step scores against each user's 0/1 summary",
            ("user_summary",),
            partial(_stepwise_judge, "user_summary"),
            partial(_people_at_picks, "user_summary"),
        ),
    },
    "ratings": {"paper": _RATINGS, "per_annotator": _RATINGS},
    "replays": {
        "paper": Protocol(
            "paper",
            "step scores against gtscore, how often viewers replayed every second",
            ("user_scores",),
            partial(_stepwise_judge, "user_scores"),
            partial(_people_at_picks, "user_scores"),
        )
    },
}
