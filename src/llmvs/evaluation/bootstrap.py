"""How sure a mean over videos is, and a difference of two: bootstrap and permutation over videos.
Pure numpy.

A table is [videos, seeds]: a video is what another benchmark would have drawn differently, so
videos are resampled; seeds are averaged first. Where folds overlap a video counts as often as folds
test it: `weights` say how much. Two tables are compared video by video, which takes out that some
videos are hard for everybody.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DRAWS = 10_000
LEVEL = 0.95
EXACT = 14
"""Up to so many videos all sign patterns are counted instead of drawn: 2^14 of them."""


@dataclass(frozen=True)
class Interval:
    """A mean, and where it lies with 95 % confidence (percentile bootstrap); all NaN where a
    video's figure is undefined.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference(Interval):
    """The mean of a - b over videos, its interval, and how often chance alone gives one as far from
    0.
    """

    p: float
    """Two-sided, from flipping the signs of the videos' differences at random."""


def interval(
    per_video: npt.ArrayLike,
    draws: int = DRAWS,
    seed: int = 0,
    weights: npt.ArrayLike | None = None,
) -> Interval:
    """The mean over videos and seeds with its 95 % interval.

    Tables of equally many videos are resampled alike, so that intervals in one report belong
    together.

    Args:
        per_video: [videos, seeds] or [videos].
        draws: resamples of the videos.
        seed: of the resampling.
        weights: [videos], what each video counts in the mean; None: all alike.

    Raises:
        ValueError: no videos, or weights of another length.
    """
    values, share = _table(per_video, weights)
    if not np.isfinite(values).all():
        return Interval(*[float("nan")] * 3)
    means = _resampled(values, share, draws, seed)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values @ share), float(low), float(high))


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    draws: int = DRAWS,
    seed: int = 0,
    weights: npt.ArrayLike | None = None,
) -> Difference:
    """Mean of a - b over the same videos, with a paired bootstrap interval and the p-value of a
    sign-flip permutation test.

    Args:
        a: [videos, seeds] or [videos]; the number of seeds may differ from that of `b`.
        b: the same videos in the same order.
        draws: resamples, and sign patterns where there are too many to count (`EXACT`).
        seed: of both.
        weights: [videos], as in `interval`.

    Raises:
        ValueError: not the same number of videos.
    """
    first, share = _table(a, weights)
    second, _ = _table(b, weights)
    if len(first) != len(second):
        raise ValueError(
            f"{len(first)} videos against {len(second)}: a paired comparison needs the same videos"
        )
    values = first - second
    found = interval(values, draws, seed, weights)
    return Difference(found.mean, found.low, found.high, _sign_flips(values * share, draws, seed))


def _table(
    per_video: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """[videos] means over seeds, and [videos] shares that sum to 1."""
    values = np.asarray(per_video, dtype=np.float64)
    values = values.mean(axis=1) if values.ndim == 2 else values
    share = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.ndim != 1 or not len(values) or share.shape != values.shape:
        raise ValueError(
            f"figures of shape {np.shape(per_video)}, weights of shape {share.shape}: expected"
            " [videos, seeds] and [videos]"
        )
    return values, share / share.sum()


def _resampled(values: npt.NDArray, share: npt.NDArray, draws: int, seed: int) -> npt.NDArray:
    """[draws] means of as many videos, drawn with replacement."""
    which = np.random.default_rng(seed).integers(0, len(values), (draws, len(values)))
    return (values * share)[which].sum(axis=1) / share[which].sum(axis=1)


def _sign_flips(parts: npt.NDArray, draws: int, seed: int) -> float:
    """How often the sum of `parts` [videos] with other signs is as far from 0 as it is; the pattern
    that was observed counts.
    """
    if not np.isfinite(parts).all():
        return float("nan")
    exact = len(parts) <= EXACT
    bits = (
        np.arange(2 ** len(parts))[:, None] >> np.arange(len(parts)) & 1
        if exact
        else np.random.default_rng(seed).integers(0, 2, (draws, len(parts)))
    )
    sums = np.abs((1 - 2 * bits) @ parts)
    extreme = int((sums >= abs(parts.sum()) * (1 - 1e-12)).sum())
    return extreme / len(sums) if exact else (extreme + 1) / (len(sums) + 1)
