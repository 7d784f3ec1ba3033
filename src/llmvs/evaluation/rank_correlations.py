"""Protocols of rank correlation: one tau and one rho per video.

    votes (SumMe)        paper          the key-shot summary of the scores (0/1, original frame
                                        rate) against the mean of the users' summaries
                         per_annotator  the step scores against each user's 0/1 summary at the
                                        picks; mean over users
    ratings (TVSum)      paper          the step scores against each annotator's ratings at the
                                        picks; mean over annotators
                         per_annotator  the same thing
    replays (Mr. HiSum)  paper          the step scores against gtscore: nobody's own ratings are
                                        known; their authors' rule is
                                        `llmvs.evaluation.hisum_authors`

An annotator who rated all steps alike has no ranking and is left out; scores that are constant have
none either, and are undefined (NaN), never 0.
"""

from abc import abstractmethod
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llmvs.datasets.annotations import Annotations
from llmvs.evaluation.correlation import Correlation, Ranking, correlate, mean
from llmvs.evaluation.keyshots import summarize
from llmvs.evaluation.protocol import Comparison, Protocol, Values


class People(NamedTuple):
    """Each person's list as the protocol sees it, and the others' mean."""

    pairwise: list[Ranking]
    """U rankings to compare with each other."""
    alone: list[Ranking]
    """U rankings, each to compare with the same place of `others`."""
    others: list[Ranking]
    """U rankings: the mean of everybody but this person."""


class RankCorrelation(Protocol):
    """Kendall's tau-b and Spearman's rho between scores and people."""

    measures = headers = Correlation._fields
    rank_correlation = True

    @abstractmethod
    def people(self, annotations: Annotations) -> People:
        """The annotators of one video as this protocol sees them."""

    def human(self, annotations: Annotations) -> dict[str, list[Values]]:
        """One annotator against another, and against the mean of all others; who has no ranking is
        left out.
        """
        people = self.people(annotations)
        if len(people.alone) < 2:
            return {}
        compared = {
            "human_pairwise": combinations(people.pairwise, 2),
            "human_others": zip(people.alone, people.others, strict=True),
        }
        return {
            row: [correlate(a, b)._asdict() for a, b in pairs if a.untied and b.untied]
            for row, pairs in compared.items()
        }


class SummaryAgainstMean(RankCorrelation):
    """The key-shot summary of the scores against the mean of the users' summaries."""

    names = ("paper",)
    title = "key-shot summary of the scores against the mean user summary"
    kinds = ("votes",)
    needs = ("user_summary", "shots")

    def compare_with(self, annotations: Annotations) -> Comparison:
        """Rank the mean summary."""
        picks, n_frames, shots = annotations.picks, annotations.n_frames, annotations.shots
        assert annotations.user_summary is not None
        assert shots is not None
        reference = Ranking.of(annotations.user_summary.mean(axis=0))
        return lambda scores: correlate(
            Ranking.of(summarize(scores, picks, n_frames, shots)), reference
        )._asdict()

    def people(self, annotations: Annotations) -> People:
        """Their summaries frame by frame; between two people their raw labels, where known."""
        assert annotations.user_summary is not None
        return _people(annotations.user_summary, annotations.user_labels)


class StepsAgainstPeople(RankCorrelation):
    """The step scores against what every annotator said at the picks; mean over annotators."""

    def __init__(self, names: tuple[str, ...], title: str, kind: str, field: str) -> None:
        """`field` of the annotations holds what every annotator said, [U, n_frames]."""
        self.names, self.title, self.kinds = names, title, (kind,)
        self.needs = (field,)

    def compare_with(self, annotations: Annotations) -> Comparison:
        """Rank every annotator's steps."""
        rankings = [Ranking.of(row) for row in self._at_picks(annotations)]
        references = [ranking for ranking in rankings if ranking.untied]

        def compare(scores: npt.NDArray) -> Values:
            ranking = Ranking.of(scores)
            return mean(correlate(ranking, reference) for reference in references)._asdict()

        return compare

    def people(self, annotations: Annotations) -> People:
        """What they said at the picks."""
        return _people(self._at_picks(annotations))

    def _at_picks(self, annotations: Annotations) -> npt.NDArray:
        rows: npt.NDArray = getattr(annotations, self.needs[0])[:, annotations.picks]
        return rows


def _people(rows: npt.NDArray, labels: npt.NDArray | None = None) -> People:
    """The Human comparisons of [U, N] annotations; `labels` [U, N] take their place between two
    people.
    """
    rows = rows.astype(np.float64)
    total = rows.sum(axis=0)
    alone = [Ranking.of(row) for row in rows]
    others = [Ranking.of((total - row) / max(len(rows) - 1, 1)) for row in rows]
    return People(alone if labels is None else [Ranking.of(row) for row in labels], alone, others)
