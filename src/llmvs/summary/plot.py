"""A summary as one picture: its scores over time, the chosen shots, and their key frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from llmvs.errors import require_package
from llmvs.video.pictures import pictures
from llmvs.video.shape import pixel_aspect, square

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCORES, CHOSEN = "#0b7a75", "#0b7a75"
MOST_PICTURES = 8
"""Key frames that stand in a row; of the shots with the best scores where there are more."""
PICTURE = 160
"""Their width in pixels."""


class DrawnShot(Protocol):
    """What is drawn of a shot."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def score(self) -> float: ...
    @property
    def keyframe(self) -> int: ...


class Drawn(Protocol):
    """What is drawn of a summary."""

    @property
    def path(self) -> Path: ...
    @property
    def duration(self) -> float: ...
    @property
    def steps(self) -> npt.NDArray[Any]: ...
    @property
    def scores(self) -> npt.NDArray[Any]: ...
    @property
    def times(self) -> npt.NDArray[Any]: ...
    @property
    def chosen(self) -> Sequence[DrawnShot]: ...


def draw_scores(summary: "Drawn", axes: "Axes") -> None:
    """Draw the scores over time, the chosen shots shaded, into a matplotlib plot."""
    for shot in summary.chosen:
        axes.axvspan(shot.start, shot.end, color=CHOSEN, alpha=0.2, lw=0)
    axes.plot(summary.steps, summary.scores, color=SCORES, lw=1.6)
    axes.set(xlim=(0, summary.duration), ylim=(0, 1), xlabel="seconds", ylabel="score")
    axes.spines[["top", "right"]].set_visible(False)


def plot(summary: "Drawn") -> "Figure":
    """Draw a summary: key frames of the chosen shots above, the scores below.

    Returns:
        a matplotlib figure; notebooks show it, `figure.savefig(file)` writes it.

    Raises:
        UserError: matplotlib is not installed.
        VideoError: the video can no longer be read.
    """
    require_package("matplotlib", "plot", "Summary.plot")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    best = sorted(summary.chosen, key=lambda shot: -shot.score)[:MOST_PICTURES]
    shown = sorted(best, key=lambda shot: shot.start)
    grid = figure.add_gridspec(2, max(1, len(shown)), height_ratios=(1, 1.5))
    aspect = pixel_aspect(summary.path)
    frames = sorted({shot.keyframe for shot in shown})
    images = dict(pictures(summary.path, frames, summary.times))
    for column, shot in enumerate(shown):
        image = square(images[shot.keyframe], aspect)
        height = max(1, round(PICTURE * image.shape[0] / image.shape[1]))
        small = cv2.resize(image, (PICTURE, height), interpolation=cv2.INTER_AREA)
        place = figure.add_subplot(grid[0, column])
        place.imshow(np.ascontiguousarray(small))
        place.set_axis_off()
        place.set_title(f"{shot.start:.0f} to {shot.end:.0f} s", fontsize=8)
    draw_scores(summary, figure.add_subplot(grid[1, :]))
    return figure
