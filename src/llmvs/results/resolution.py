"""The note under a table that says what its videos can tell apart."""

from collections.abc import Sequence

import numpy as np

from llmvs.evaluation.power import effective, resolvable, videos_needed
from llmvs.evaluation.protocols import by_name
from llmvs.results.experiment import VideosBySeeds

ASKED = 0.01
"""The difference for which videos are counted."""
ROUNDING = 1e-9
"""Rows whose differences spread less are one row, shifted."""


def resolution_note(
    protocol: str, rows: Sequence[VideosBySeeds], base: VideosBySeeds, against: str
) -> list[str]:
    """Say what difference to a row a table's videos resolve, and how many .01 would need.

    Args:
        protocol: its name.
        rows: those that are compared with it.
        base: the row, with the same videos.
        against: its label.

    Returns:
        one note; none where nothing is compared, something is undefined, or fewer than two videos
        count.
    """
    own = base.values[:, :, 0].mean(axis=1)
    differences = [row.values[:, :, 0].mean(axis=1) - own for row in rows]
    spreads = [float(one.std(ddof=1)) for one in differences if len(one) > 1]
    apart = [spread for spread in spreads if spread > ROUNDING]
    n = effective(base.weights)
    if not apart or n < 2 or not np.isfinite(spreads).all():
        return []
    found = by_name(protocol)
    sd = float(np.median(apart))
    needed = videos_needed(sd, ASKED)
    unit, scale, digits = (" %", 100, 1) if found.percent else ("", 1, 3)
    count = f"about {_rounded(needed)}" if needed else "more than ten million"
    note = (
        f"{protocol}: {len(base.weights)} videos resolve a difference to {against} of"
        f" {scale * resolvable(sd, n):.{digits}f}{unit} in {found.headers[0].removesuffix(' %')}"
        f" (80 % power, 5 % level; the median row's differences have a standard deviation of"
        f" {scale * sd:.{digits}f}{unit} over videos); {scale * ASKED:g}{unit} would"
        f" need {count}."
    )
    return [note]


def _rounded(number: int) -> str:
    """Two digits that count."""
    size = max(0, len(str(number)) - 2)
    return f"{round(number, -size):,}"
