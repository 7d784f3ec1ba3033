"""What chance and people reach under a protocol: the rows without which no tau means anything.

    random           scores drawn uniformly, mean and standard deviation over draws
    human_pairwise   one annotator against another, mean over pairs (the published Human rows)
    human_others     one annotator against the mean of all others
    ceiling          the annotators' own mean (gtscore) in place of scores

All are means over the videos of a fold, then over folds. An annotator without any ranking (all
steps alike) is left out of the Human rows, as the protocols leave them out. Where a video has only
one annotator there are no Human rows.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.evaluation.correlation import correlate
from llmvs.evaluation.measures import Measure, measures_of
from llmvs.evaluation.protocols import Protocol, protocols

DRAWS = 50


@dataclass(frozen=True)
class Figure:
    """One row's pair of numbers: tau and rho of a protocol, or the two of a measure
    (`llmvs.evaluation.measures`).
    """

    first: float
    second: float
    first_sd: float | None = None
    """Standard deviation over random draws; None for rows without chance in them."""
    second_sd: float | None = None


PerVideo = dict[str, npt.NDArray]
"""Row -> [2], or [draws, 2] for `random`."""


def baselines(
    dataset: Dataset, tests: Sequence[Sequence[str]], draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, Figure]]:
    """The rows of every protocol and measure over the test videos of the given folds.

    Args:
        dataset: the videos.
        tests: the test keys of every fold.
        draws: how many times random scores are drawn for every video.
        seed: of the draws; a video's draws depend on its key and the seed only.

    Returns:
        protocol -> row -> figure.
    """
    keys = sorted({key for test in tests for key in test})
    return averaged({key: video_baselines(dataset, key, draws, seed) for key in keys}, tests)


def video_baselines(
    dataset: Dataset, key: str, draws: int = DRAWS, seed: int = 0
) -> dict[str, PerVideo]:
    """Protocol or measure -> the rows of one video; `f1` only where its shots are known."""
    video, named = dataset.annotations_of(key), protocols(dataset)
    computed = {protocol: _rows(video, protocol, draws, seed) for protocol in set(named.values())}
    tables = {name: computed[protocol] for name, protocol in named.items()}
    return tables | {
        name: _measured(video, measure, draws, seed)
        for name, measure in measures_of(dataset, video).items()
    }


def averaged(
    rows: Mapping[str, Mapping[str, PerVideo]], tests: Sequence[Sequence[str]]
) -> dict[str, dict[str, Figure]]:
    """Protocol -> row -> mean over the videos of each fold, then over folds; of the protocols that
    all videos allow.

    Args:
        rows: video -> what `video_baselines` gives.
        tests: the test keys of every fold.
    """
    one = next(iter(rows.values()))
    shared = [name for name in one if all(name in found for found in rows.values())]
    tables = {name: {key: found[name] for key, found in rows.items()} for name in shared}
    return {
        name: {
            row: over_folds(row, table, tests)
            for row in one[name]
            if all(row in found for found in table.values())
        }
        for name, table in tables.items()
    }


def over_folds(
    row: str, per_video: Mapping[str, PerVideo], tests: Iterable[Sequence[str]]
) -> Figure:
    """Mean of one row over the videos of each fold, then over folds; with its deviation where the
    row has draws.
    """
    means = np.mean(
        [np.mean([per_video[key][row] for key in test], axis=0) for test in tests], axis=0
    )
    if means.ndim == 1:
        return Figure(*map(float, means))
    return Figure(*map(float, means.mean(axis=0)), *map(float, means.std(axis=0)))


def random_scores(video: Annotations, draws: int, seed: int) -> npt.NDArray[np.float32]:
    """Uniform scores [draws, T]."""
    rng = np.random.default_rng([seed, zlib.crc32(video.key.encode())])
    return rng.random((draws, video.n_steps), dtype=np.float32)


def _rows(video: Annotations, protocol: Protocol, draws: int, seed: int) -> PerVideo:
    evaluate = protocol.prepare(video)
    people = protocol.people(video)
    rows = {"random": np.array([evaluate(scores) for scores in random_scores(video, draws, seed)])}
    if len(people.alone) > 1:
        pairs = [
            correlate(a, b) for a, b in combinations(people.pairwise, 2) if a.untied and b.untied
        ]
        others = [
            correlate(a, b)
            for a, b in zip(people.alone, people.others, strict=True)
            if a.untied and b.untied
        ]
        rows |= {"human_pairwise": _mean(pairs), "human_others": _mean(others)}
    return {**rows, "ceiling": np.array(evaluate(video.gtscore))}


def _measured(video: Annotations, measure: Measure, draws: int, seed: int) -> PerVideo:
    evaluate, people = measure.prepare(video), measure.people(video)
    rows = {"random": np.array([evaluate(scores) for scores in random_scores(video, draws, seed)])}
    if people:
        rows["human_others"] = _mean(people)
    return {**rows, "ceiling": np.array(evaluate(video.gtscore))}


def _mean(values: Sequence[tuple[float, float]]) -> npt.NDArray:
    return np.mean(np.array(values), axis=0) if values else np.full(2, np.nan)
