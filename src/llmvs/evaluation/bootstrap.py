"""How sure a mean over videos is, and a difference of two: bootstrap and sign flips over videos.
Pure numpy.

A table is [videos, seeds]: a video is what another benchmark would have drawn differently, so
videos are resampled; seeds are averaged first. Where folds overlap a video counts as often as folds
test it: `weights` say how much. Two tables are compared video by video, which takes out that some
videos are hard for everybody.

A difference's interval and its p-value are one procedure read from two sides. Under "the true
difference is d" every video's difference less d may as well have the other sign; p is how often
other signs put the mean as far off, and the interval holds every d whose p is above .05. So it
holds 0 exactly where p is above .05. It is found without search: with some signs the mean is as far
off as observed for all d between the mean of the videos that keep their sign and the mean of those
that change it (Hartigan, Using subsample values as typical values, JASA 64, 1969), so that the
interval's ends are order statistics of such means.
"""

import functools
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
    """The mean of a - b over videos, its interval (without ends, where so few videos cannot refuse
    anything: five or fewer), and how often chance alone gives a mean as far from 0.
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
    """Mean of a - b over the same videos, with the p-value of a sign-flip permutation test and the
    95 % interval of all differences that the same test does not refuse.

    Args:
        a: [videos, seeds] or [videos]; the number of seeds may differ from that of `b`.
        b: the same videos in the same order.
        draws: sign patterns, where there are too many to count them all (`EXACT`).
        seed: of the patterns.
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
    if not np.isfinite(values).all():
        return Difference(*[float("nan")] * 4)
    low, high, p = _sign_flips(values, share, draws, seed)
    return Difference(float(values @ share), low, high, p)


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
    times = _drawn(len(values), draws, seed)
    return (times @ (values * share)) / (times @ share)


@functools.lru_cache(maxsize=8)
def _drawn(n: int, draws: int, seed: int) -> npt.NDArray[np.float64]:
    """[draws, n] how often each of n videos is drawn: the same for every row of a report."""
    which = np.random.default_rng(seed).integers(0, n, (draws, n))
    flat = (which + n * np.arange(draws)[:, None]).ravel()
    return np.bincount(flat, minlength=draws * n).reshape(draws, n).astype(np.float64)


def _sign_flips(
    values: npt.NDArray, share: npt.NDArray, draws: int, seed: int
) -> tuple[float, float, float]:
    """The interval's ends and p; the pattern that was observed counts among the drawn ones."""
    n, mean = len(values), float(values @ share)
    if n <= EXACT:
        kept = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
    else:
        drawn = np.random.default_rng(seed).integers(0, 2, (draws, n)).astype(bool)
        kept = np.vstack([drawn, np.ones((1, n), dtype=bool)])
    with np.errstate(invalid="ignore"):  # all keep their sign, or none
        means = np.stack([(part * share) @ values / (part @ share) for part in (kept, ~kept)])
    none_left = np.isnan(means).any(axis=0)
    low = np.where(none_left, -np.inf, means.min(axis=0))
    high = np.where(none_left, np.inf, means.max(axis=0))
    close = 1e-12 * float(np.abs(values).max())
    p = float(((low <= close) & (high >= -close)).mean())
    most = int((1 - LEVEL) * len(low) + 1e-9)  # so many may lie wholly on one side of an end
    lows, highs = np.sort(low), np.sort(high)[::-1]
    return min(float(lows[most]), mean), max(float(highs[most]), mean), p
