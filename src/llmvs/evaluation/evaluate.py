"""Evaluate step scores under every protocol: mean over the videos of a fold, then over folds."""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmvs.datasets.base import Dataset
from llmvs.evaluation.protocol import Comparison, Protocol, Values
from llmvs.evaluation.protocols import protocols, rank_correlations

Scores = Mapping[str, npt.NDArray]
"""Video -> step scores [T]."""
Folds = Sequence[Sequence[str]]
"""The test videos of every fold."""


@dataclass(frozen=True)
class Evaluation:
    """What one protocol says of a set of scores."""

    mean: Values
    """Over the videos of each fold, then over folds; NaN as soon as one video is undefined."""
    per_video: dict[str, Values]

    @classmethod
    def of(cls, protocol: Protocol, per_video: dict[str, Values], folds: Folds) -> "Evaluation":
        """Take the mean of every video's values."""
        arrays = {key: np.array(list(values.values())) for key, values in per_video.items()}
        means = mean_over_folds(arrays, folds) if arrays else [np.nan] * len(protocol.measures)
        return cls(dict(zip(protocol.measures, map(float, means), strict=True)), per_video)

    @property
    def undefined(self) -> list[str]:
        """The videos whose scores have no ranking: constant scores, or a summary of nothing."""
        return [
            key
            for key, values in self.per_video.items()
            if not np.isfinite(list(values.values())).all()
        ]


def evaluate(dataset: Dataset, scores: Scores, folds: Folds) -> dict[str, Evaluation]:
    """Evaluate the test videos of the given folds under every protocol of the dataset.

    Raises:
        UserError: scores of the wrong length, NaN, or of no such video.
    """
    return _evaluated(dataset, protocols(dataset), folds, lambda key, compare: compare(scores[key]))


def is_coarse(scores: Scores) -> bool:
    """Whether some video's scores have fewer different values than half of its steps."""
    return any(2 * len(np.unique(values)) < len(values) for values in scores.values())


def evaluate_untied(
    dataset: Dataset, scores: Scores, folds: Folds, draws: int = 10, seed: int = 0
) -> dict[str, Evaluation]:
    """What the rank correlations say when steps of the same score are put in an order by chance:
    the mean over draws.

    tau-b leaves pairs that are tied out of its denominator. Where annotators tie many steps
    (ratings from 1 to 5), scores of a few levels are therefore ahead of fine ones that are wrong
    about nothing more. With the ties broken, both are compared over the same pairs.

    Args:
        dataset: the videos.
        scores: of every test video.
        folds: the test videos of every fold.
        draws: orders that are tried.
        seed: of the draws; a video's depend on its key and the seed only.

    Raises:
        UserError: as `evaluate`.
    """

    def mean_of_draws(key: str, compare: Comparison) -> Values:
        rng = np.random.default_rng([seed, zlib.crc32(key.encode())])
        drawn = [compare(_untied(scores[key], rng)) for _ in range(draws)]
        means = np.mean([list(values.values()) for values in drawn], axis=0)
        return dict(zip(drawn[0], means.tolist(), strict=True))

    return _evaluated(dataset, rank_correlations(dataset), folds, mean_of_draws)


def mean_over_folds(per_video: Mapping[str, npt.NDArray], folds: Folds) -> npt.NDArray:
    """Mean of every video's array over the videos of each fold, then over folds."""
    means: npt.NDArray = np.mean(
        [np.mean([per_video[key] for key in test], axis=0) for test in folds], axis=0
    )
    return means


def covered(tests: Iterable[Sequence[str]], keys: Iterable[str]) -> list[int]:
    """The folds all of whose test videos are among `keys`."""
    have = set(keys)
    return [index for index, test in enumerate(tests) if have.issuperset(test)]


def _evaluated(
    dataset: Dataset,
    named: Mapping[str, Protocol],
    folds: Folds,
    values: Callable[[str, Comparison], Values],
) -> dict[str, Evaluation]:
    """Protocol -> what `values` makes of every test video's key and its prepared comparison; what
    has two names is computed once.
    """
    keys = sorted({key for test in folds for key in test})
    found = {
        protocol: {key: values(key, protocol.prepare(dataset.annotations_of(key))) for key in keys}
        for protocol in set(named.values())
    }
    return {name: Evaluation.of(one, found[one], folds) for name, one in named.items()}


def _untied(scores: npt.NDArray, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Scores [T] whose equal ones differ by less than a hundredth of what different ones differ by;
    constant ones stay undefined.
    """
    values = np.asarray(scores, np.float64)
    gaps = np.diff(np.unique(values))
    return values + gaps.min() / 100 * rng.random(len(values)) if len(gaps) else values
