"""What so many videos can tell apart: the smallest difference of two rows that a paired test finds
in 80 of 100 such sets of videos.

From the spread of the videos' differences, by the noncentral t distribution (Cohen, Statistical
Power Analysis for the Behavioral Sciences, 2nd ed. 1988, chapter 2). The sign-flip test of
`llmvs.evaluation.bootstrap` finds what the t test finds, to a few per cent.
"""

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

POWER, LEVEL = 0.8, 0.05
MOST = 10**7
"""Videos above which nobody is told a number."""


def resolvable(sd: float, n: float) -> float:
    """Find the smallest true difference that is found with 80 % power at level .05.

    Args:
        sd: of the videos' differences.
        n: videos, 2 or more; where they weigh differently, `effective`.

    >>> round(resolvable(0.05, 25), 4)
    0.0292
    """
    if sd == 0:
        return 0.0
    found = optimize.brentq(lambda effect: _power(effect, n) - POWER, 1e-6, 30 / n**0.5)
    return float(found) * sd


def videos_needed(sd: float, difference: float) -> int | None:
    """Find how many videos give 80 % power to a true difference; None above ten millions.

    Args:
        sd: of the videos' differences.
        difference: above 0.

    >>> videos_needed(0.05, 0.01)
    199
    """
    low, high = 2, 4
    while not _reaches(sd, difference, high):
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _reaches(sd, difference, middle) else (middle, high)
    return low if _reaches(sd, difference, low) else high


def effective(weights: npt.ArrayLike) -> float:
    """Count videos of unequal weight: so many equal ones would give a mean as sure."""
    share = np.asarray(weights, dtype=np.float64)
    return float(share.sum() ** 2 / (share**2).sum())


def _reaches(sd: float, difference: float, n: int) -> bool:
    return sd == 0 or _power(difference / sd, n) >= POWER


def _power(effect: float, n: float) -> float:
    """How often a t test of `n` differences finds a mean of `effect` standard deviations, above 0;
    that it is found below 0 hardly adds to it.
    """
    return float(stats.nct.sf(stats.t.ppf(1 - LEVEL / 2, n - 1), n - 1, effect * n**0.5))
