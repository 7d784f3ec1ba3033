"""What a protocol is: a named way to compare the step scores of a video with what people said of
it. `llmvs.evaluation.protocols` lists them all.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError

Values = dict[str, float]
"""Measure -> its value (`{"tau": 0.21, "rho": 0.25}`), in the order of the protocol's measures; NaN
where it is undefined.
"""
Comparison = Callable[[npt.NDArray], Values]
"""Step scores [T] of one video -> the values of a protocol's measures."""


class Protocol(ABC):
    """A named way to compare step scores with people.

    A subclass gives the attributes and `compare_with`; where people can be compared with each other
    the same way, also `human`.
    """

    names: tuple[str, ...]
    """What it is called in settings, tables and documents. Under several names it is still
    computed once."""
    title: str
    """What is compared, in one line."""
    kinds: tuple[str, ...]
    """The kinds of annotations that it is for: `votes`, `ratings`, `replays`
    (`Dataset.annotation`)."""
    needs: tuple[str, ...] = ()
    """The fields of `Annotations` without which it cannot be computed."""
    measures: tuple[str, ...]
    """What it measures, as documents name it."""
    headers: tuple[str, ...]
    """The same, as tables name it."""
    percent = False
    """Whether tables show it in per cent."""
    rank_correlation = False
    """Whether it compares orders. Such protocols are computed after every epoch, which may be
    chosen by them (`selection_by`); because ties matter to them, scores of few levels are also
    evaluated with their ties broken."""

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names[0]

    def evaluate(self, scores: npt.ArrayLike, annotations: Annotations) -> Values:
        """Compare the step scores of one video with what people said of it.

        Args:
            scores: [T], one per step.
            annotations: of the same video.

        Raises:
            UserError: not one finite number per step.
        """
        return self.prepare(annotations)(np.asarray(scores))

    def prepare(self, annotations: Annotations) -> Comparison:
        """Do once what depends on the annotations alone, for several scores of the same video.

        Returns:
            A function with the values of `evaluate`.
        """
        compare = self.compare_with(annotations)

        def compared(scores: npt.NDArray) -> Values:
            values = compare(_checked(scores, annotations))
            # Documents and tensors hold values without names: their order must be the measures'.
            return {measure: float(values[measure]) for measure in self.measures}

        return compared

    @abstractmethod
    def compare_with(self, annotations: Annotations) -> Comparison:
        """What `prepare` gives, for scores that are float64 [T] and finite."""

    def human(self, annotations: Annotations) -> dict[str, list[Values]]:
        """How people compare with each other: row (`human_pairwise`, `human_others`) -> the values
        of every comparison; no rows where there is nobody to compare with.
        """
        return {}

    def lacks(self, annotations: Annotations) -> str | None:
        """The first of the needed fields that a video's annotations do not have."""
        return next((need for need in self.needs if getattr(annotations, need) is None), None)


def _checked(values: npt.ArrayLike, video: Annotations) -> npt.NDArray[np.float64]:
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
