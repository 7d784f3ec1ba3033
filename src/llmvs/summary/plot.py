"""A summary as one picture: its scores over time, the chosen shots, and their key frames."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy.typing as npt

from llmvs.video.decoders import Frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR = "#0b7a75"
MOST_CARDS = 8
"""Key frames that stand in a row."""
CARD = 160
"""Their width in pixels."""


class Curve(NamedTuple):
    """Scores over time."""

    steps: npt.NDArray[Any]
    """[T] seconds at which each step is shown."""
    scores: npt.NDArray[Any]
    """[T] from 0 to 1."""
    duration: float
    """Seconds."""
    chosen: Sequence[tuple[float, float]]
    """Start and end in seconds of every chosen shot."""


def draw_scores(curve: Curve, axes: "Axes") -> None:
    """Draw the scores, the chosen shots shaded, into a matplotlib plot."""
    for start, end in curve.chosen:
        axes.axvspan(start, end, color=COLOUR, alpha=0.2, lw=0)
    axes.plot(curve.steps, curve.scores, color=COLOUR, lw=1.6)
    axes.set(xlim=(0, curve.duration), ylim=(0, 1), xlabel="seconds", ylabel="score")
    axes.spines[["top", "right"]].set_visible(False)


def draw(curve: Curve, cards: Sequence[tuple[str, Frame]]) -> "Figure":
    """Draw pictures in a row, and the scores below them.

    Args:
        curve: the scores.
        cards: (label, picture [height, width, 3]), in order of time.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    grid = figure.add_gridspec(2, max(1, len(cards)), height_ratios=(1, 1.5))
    for column, (label, image) in enumerate(cards):
        height = max(1, round(CARD * image.shape[0] / image.shape[1]))
        place = figure.add_subplot(grid[0, column])
        place.imshow(cv2.resize(image, (CARD, height), interpolation=cv2.INTER_AREA))
        place.set_axis_off()
        place.set_title(label, fontsize=8)
    draw_scores(curve, figure.add_subplot(grid[1, :]))
    return figure
