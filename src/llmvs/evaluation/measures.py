"""Pairs of figures that are computed beside the rank correlations: `f1` of key shots, `map` of
highlights. Shown in per cent.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.evaluation.highlights import highlights
from llmvs.evaluation.keyshots import f1, summarize, user_summaries

Pair = tuple[float, float]


@dataclass(frozen=True)
class Measure:
    """One named pair of figures."""

    title: str
    """What is compared, in one line."""
    columns: tuple[str, str]
    """Names of the two figures in documents."""
    headers: tuple[str, str]
    """Their names in tables."""
    applies: Callable[[Dataset, Annotations], bool]
    """Whether a video has all that it takes."""
    prepare: Callable[[Annotations], Callable[[npt.NDArray], Pair]]
    """Prepare one video: what it gives takes step scores [T] to the pair."""
    people: Callable[[Annotations], list[Pair]]
    """Every annotator of a video against the others; empty where there are not two."""


def _prepare_f1(video: Annotations) -> Callable[[npt.NDArray], Pair]:
    users = user_summaries(video)
    return lambda scores: f1(summarize(scores, video), users)


def _f1_people(video: Annotations) -> list[Pair]:
    users = user_summaries(video)
    return (
        [f1(users[i], np.delete(users, i, axis=0)) for i in range(len(users))]
        if len(users) > 1
        else []
    )


MEASURES = {
    "f1": Measure(
        "F1 of the key-shot summary (15 % of the video) against each annotator's: mean, maximum",
        ("mean", "maximum"),
        ("mean %", "max %"),
        lambda dataset, video: video.shots is not None,
        _prepare_f1,
        _f1_people,
    ),
    "map": Measure(
        "mean average precision of the clips of 5 seconds that were replayed most: the top 50 %,"
        " the top 15 %",
        ("at_50", "at_15"),
        ("mAP50 %", "mAP15 %"),
        lambda dataset, video: dataset.annotation == "replays",
        lambda video: lambda scores: highlights(scores, video.gtscore),
        lambda video: [],
    ),
}
"""By name, in the order of the tables."""
CORRELATIONS = ("tau", "rho")


def columns(name: str) -> tuple[str, str]:
    """The two figures of a protocol or measure by their names in documents."""
    return MEASURES[name].columns if name in MEASURES else CORRELATIONS


def measures_of(dataset: Dataset, video: Annotations) -> dict[str, Measure]:
    """The measures that a video allows, by name."""
    return {name: measure for name, measure in MEASURES.items() if measure.applies(dataset, video)}
