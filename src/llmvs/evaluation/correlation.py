"""Kendall's tau-b and Spearman's rho, exact and fast enough to be computed for every video after
every epoch.

The figures equal `scipy.stats.kendalltau` and `scipy.stats.spearmanr` (the field's reference). The
speed comes from what annotations are: ratings 1-5, 0/1 votes, means over 15 people. One side of
every comparison has few distinct values, so the concordant pairs can be counted from a small
contingency table instead of by sorting, and everything that depends on the annotations alone is
kept in a `Ranking`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_LARGEST_TABLE = 2_000_000
"""Cells of a contingency table up to which counting beats scipy's sorting."""


class Correlation(NamedTuple):
    """Rank correlations of one pair of score lists; NaN where undefined, that is where one side is
    constant.
    """

    tau: float
    rho: float


@dataclass(frozen=True)
class Ranking:
    """A list of N values as its ranks: all that tau and rho need of it."""

    levels: npt.NDArray[np.int64]
    """[N]: 0 for the smallest value, 1 for the next, ...; equal values share a level."""
    n_levels: int
    standard: npt.NDArray[np.float64]
    """[N]: mid-ranks, centred and scaled to length 1; zeros when all values are equal."""
    untied: int
    """How many of the N(N-1)/2 pairs have different values; 0 when all values are equal."""

    @classmethod
    def of(cls, values: npt.ArrayLike) -> "Ranking":
        """Rank a list of N finite numbers.

        Raises:
            ValueError: not one-dimensional, or holding NaN or infinite values.
        """
        array = np.asarray(values)
        if array.ndim != 1:
            raise ValueError(f"expected a list of numbers, got shape {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(
                f"NaN or infinite value at position {int(np.flatnonzero(~np.isfinite(array))[0])}"
            )
        unique, levels, counts = np.unique(array, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[levels]  # ties share their mean rank
        centred = ranks - (len(array) + 1) / 2
        length = float(np.linalg.norm(centred))
        pairs = len(array) * (len(array) - 1) // 2
        tied = int((counts.astype(np.int64) * (counts - 1) // 2).sum())
        return cls(
            levels.astype(np.int64),
            len(unique),
            centred / length if length else centred,
            pairs - tied,
        )


def correlate(x: Ranking, y: Ranking) -> Correlation:
    """tau-b and rho of two rankings of the same N things; both NaN when either is constant.

    Raises:
        ValueError: different lengths.
    """
    if len(x.levels) != len(y.levels):
        raise ValueError(f"{len(x.levels)} values against {len(y.levels)}")
    if not (x.untied and y.untied):
        return Correlation(float("nan"), float("nan"))
    rho = float(np.clip(x.standard @ y.standard, -1, 1))
    if x.n_levels * y.n_levels > _LARGEST_TABLE:
        from scipy.stats import kendalltau  # half a second, which most commands never need

        return Correlation(float(kendalltau(x.levels, y.levels).statistic), rho)
    return Correlation(_concordance(x, y) / (float(x.untied) ** 0.5 * float(y.untied) ** 0.5), rho)


def correlation(x: npt.ArrayLike, y: npt.ArrayLike) -> Correlation:
    """tau-b and rho of two lists of N numbers; both NaN when either is constant.

    >>> correlation([1, 2, 3, 4], [1, 3, 2, 4])
    Correlation(tau=0.667, rho=0.8)
    """
    return correlate(Ranking.of(x), Ranking.of(y))


def mean(correlations: Iterable[Correlation]) -> Correlation:
    """Mean tau and rho; NaN as soon as one of them is undefined, and NaN of nothing."""
    rows = list(correlations)
    if not rows:
        return Correlation(float("nan"), float("nan"))
    tau, rho = np.mean(np.array(rows, dtype=np.float64), axis=0)
    return Correlation(float(tau), float(rho))


def _concordance(x: Ranking, y: Ranking) -> int:
    """Pairs ordered alike minus pairs ordered oppositely, counted from the table of how often two
    levels meet.
    """
    few, many = (x, y) if x.n_levels <= y.n_levels else (y, x)
    table = np.bincount(
        many.levels * few.n_levels + few.levels, minlength=many.n_levels * few.n_levels
    )
    table = table.reshape(many.n_levels, few.n_levels)
    below = (
        np.cumsum(table, axis=0) - table
    )  # [i, b]: things of level b on one side, below level i on the other
    lower = np.cumsum(below, axis=1) - below  # [i, j]: ... and below level j as well
    higher = below.sum(axis=1, keepdims=True) - lower - below
    return int((table * (lower - higher)).sum())
