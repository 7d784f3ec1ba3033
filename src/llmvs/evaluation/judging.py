"""Judge anybody's step scores: every protocol, mean over the videos of a fold, then over folds."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from llmvs.datasets import h5
from llmvs.datasets.base import Dataset
from llmvs.datasets.fields import numbers
from llmvs.errors import UserError
from llmvs.evaluation.baselines import Figure, over_folds
from llmvs.evaluation.measures import MEASURES
from llmvs.evaluation.protocols import protocols
from llmvs.files import read_json

Scores = Mapping[str, npt.NDArray]
"""Video key -> step scores [T]."""
Pairs = dict[str, tuple[float, float]]
"""Video key -> tau and rho, or the two figures of a measure."""


@dataclass(frozen=True)
class Judged:
    """What one protocol says of a set of scores."""

    figure: Figure
    """Mean over videos, then folds; NaN when it is undefined for any video."""
    per_video: Pairs

    @property
    def undefined(self) -> list[str]:
        """The videos whose scores have no ranking: constant scores, or a summary of nothing."""
        return [key for key, pair in self.per_video.items() if not np.isfinite(pair).all()]


def judge(dataset: Dataset, scores: Scores, tests: Sequence[Sequence[str]]) -> dict[str, Judged]:
    """Judge the test videos of the given folds under every protocol of the dataset, and by the
    measures that all of them allow.

    Raises:
        UserError: scores of the wrong length, NaN, or of no such video.
    """
    keys = sorted({key for test in tests for key in test})
    tables = _correlations(dataset, scores, keys)
    videos = [dataset.annotations_of(key) for key in keys]
    for name, measure in MEASURES.items():
        if all(measure.applies(dataset, video) for video in videos):
            tables[name] = {video.key: measure.judge(video)(scores[video.key]) for video in videos}
    return {name: _verdict(table, tests) for name, table in tables.items()}


def _correlations(dataset: Dataset, scores: Scores, keys: Sequence[str]) -> dict[str, Pairs]:
    """Protocol -> video -> tau and rho."""
    found = {
        name: {key: protocol.judge(dataset.annotations_of(key))(scores[key]) for key in keys}
        for name, protocol in protocols(dataset).items()
    }
    return {
        name: {key: (pair.tau, pair.rho) for key, pair in pairs.items()}
        for name, pairs in found.items()
    }


def _verdict(table: Pairs, tests: Sequence[Sequence[str]]) -> Judged:
    return Judged(
        over_folds(
            "scores", {key: {"scores": np.array(pair)} for key, pair in table.items()}, tests
        ),
        table,
    )


def is_coarse(scores: Scores) -> bool:
    """Whether some video's scores have fewer different values than half of its steps."""
    return any(2 * len(np.unique(values)) < len(values) for values in scores.values())


def judge_untied(
    dataset: Dataset, scores: Scores, tests: Sequence[Sequence[str]], draws: int = 10, seed: int = 0
) -> dict[str, Judged]:
    """What the protocols say when steps of the same score are put in an order by chance: the mean
    over draws.

    tau-b leaves pairs that are tied out of its denominator. Where annotators tie many steps
    (ratings from 1 to 5), scores of a few levels are therefore ahead of fine ones that are wrong
    about nothing more. With the ties broken, both are judged over the same pairs.

    Args:
        dataset: the videos.
        scores: of every test video.
        tests: the test keys of every fold.
        draws: orders that are tried.
        seed: of the draws; a video's depend on its key and the seed only.

    Raises:
        UserError: as `judge`.
    """
    keys = sorted({key for test in tests for key in test})
    generators = {key: np.random.default_rng([seed, zlib.crc32(key.encode())]) for key in keys}
    drawn = [
        _correlations(dataset, {key: _untied(scores[key], generators[key]) for key in keys}, keys)
        for _ in range(draws)
    ]
    means = {
        name: {key: np.mean([found[name][key] for found in drawn], axis=0).tolist() for key in keys}
        for name in drawn[0]
    }
    return {
        name: _verdict({key: (tau, rho) for key, (tau, rho) in table.items()}, tests)
        for name, table in means.items()
    }


def _untied(scores: npt.NDArray, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Scores [T] whose equal ones differ by less than a hundredth of what different ones differ by;
    constant ones stay undefined.
    """
    values = np.asarray(scores, np.float64)
    gaps = np.diff(np.unique(values))
    return values + gaps.min() / 100 * rng.random(len(values)) if len(gaps) else values


def read_scores(path: Path, dataset: Dataset) -> dict[str, npt.NDArray[np.float64]]:
    """Step scores from JSON `{video: [...]}` or an h5 file of one array (or group with `scores`)
    per video.

    Videos go by key (`video_1`) or by name (`Air_Force_One`).

    Raises:
        UserError: unreadable file, unknown video or one that stands twice, not a list of numbers,
            wrong length, NaN.
    """
    found = (
        _read_h5(path)
        if path.suffix in (".h5", ".hdf5")
        else read_json(path, "scores: {video: [one number per step]}")
    )
    if not isinstance(found, dict) or not found:
        raise UserError(
            f"{path}: expected scores of at least one video: {{video: [one number per step]}}"
        )
    by_name = {video.name: key for key, video in dataset.videos.items()}
    scores: dict[str, npt.NDArray[np.float64]] = {}
    given: dict[str, str] = {}
    for name, values in found.items():
        key = name if name in dataset.annotations else by_name.get(name, name)
        video = dataset.annotations_of(key)
        if given.setdefault(key, name) != name:
            raise UserError(
                f"{path}: {given[key]} and {name} are the same video: score it under one name"
            )
        scores[key] = numbers(_array(path, name, values), f"{path}: {name}", (video.n_steps,))
    return scores


def _array(path: Path, name: str, values: Any) -> npt.NDArray:
    if not isinstance(values, list):
        return np.asarray(values)
    for step, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UserError(f"{path}: {name}: {str(value)[:40]!r} at step {step} is not a number")
    return np.array(values, np.float64)


def covered(tests: Iterable[Sequence[str]], keys: Iterable[str]) -> list[int]:
    """The folds all of whose test videos are among `keys`."""
    have = set(keys)
    return [index for index, test in enumerate(tests) if have.issuperset(test)]


def _read_h5(path: Path) -> dict[str, Any]:
    place, found = str(path), dict[str, Any]()
    with h5.open_h5(path) as file:
        for name in h5.names(file, place):
            if isinstance(file.get(name), h5py.Group):
                at = f"{place}: {h5.said(name)}"
                found[name] = h5.value_of(h5.group_of(file, name, place), "scores", at)
            else:
                found[name] = h5.value_of(file, name, place)
    return found
