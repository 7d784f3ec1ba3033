"""A picture of one video: the scores beside what people said, the shots that they choose, and
pictures of the video.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from llmvs.results.plots import save

SCORE, PEOPLE, CHOSEN = "#1f5f99", "#b3471d", "#1f5f99"
PICTURES = 9
"""How many pictures stand above the curves."""
WIDTH = 7.0
"""Inches: two columns of a paper."""


@dataclass(frozen=True)
class Scored:
    """A video with its scores."""

    title: str
    times: npt.NDArray[np.float64]
    """[T] seconds of the steps."""
    duration: float
    """Seconds."""
    scores: npt.NDArray[np.float64]
    """[T]."""
    mean: npt.NDArray[np.float64]
    """[T]: the annotators' mean."""
    people: npt.NDArray[np.float64]
    """[U, T]: what each annotator said, from 0 to 1; U may be 0."""
    shots: Sequence[tuple[float, float, bool]]
    """Start and end in seconds, and whether the shot was chosen."""
    pictures: Sequence[tuple[float, npt.NDArray[np.uint8]]] = ()
    """Seconds and image [H, W, RGB]; none where the video is not at hand."""


def wanted_times(duration: float, shots: Sequence[tuple[float, float, bool]]) -> list[float]:
    """The moments of the pictures: of equal pieces the middle, or the middle of what a chosen shot
    has of it.

    >>> wanted_times(18, [(0, 3, False), (3, 4, True), (4, 18, False)])[:3]
    [1.0, 3.5, 5.0]
    """
    piece = duration / PICTURES
    moments = []
    for i in range(PICTURES):
        parts = [
            (max(start, i * piece), min(end, (i + 1) * piece))
            for start, end, chosen in shots
            if chosen
        ]
        start, end = max(parts, key=lambda part: part[1] - part[0], default=(0.0, 0.0))
        whole = end - start < piece / 8  # what is shorter is not worth the picture
        moments.append((i + 0.5) * piece if whole else (start + end) / 2)
    return moments


def draw_scores(video: Scored, *paths: Path) -> None:
    """Write the picture of a video: pictures, scores and people's mean over the chosen shots, and a
    line of grey for each annotator.

    Raises:
        UserError: a file cannot be written.
    """
    heights = [
        *([_strip_height(video)] if video.pictures else []),
        1.25,
        *([min(1.0, 0.25 + 0.03 * len(video.people))] if len(video.people) else []),
    ]

    def fill(figure: Figure) -> None:
        axes = list(figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
        if video.pictures:
            _pictures(axes.pop(0), video)
        _curves(axes[0], video)
        if len(video.people):
            _annotators(axes[1], video)
            axes[0].tick_params(labelbottom=False)
        axes[-1].set_xlabel("seconds")
        figure.suptitle("\n".join(wrap(video.title, 108)), x=0.01, ha="left", fontsize=8)
        figure.legend(
            handles=[
                Line2D([], [], color=SCORE, linewidth=1.4, label="scores"),
                Line2D([], [], color=PEOPLE, linewidth=1.1, label="annotators' mean"),
                Patch(
                    color=CHOSEN, alpha=0.16, linewidth=0, label="chosen shots (15 % of the video)"
                ),
            ],
            loc="outside lower left",
            ncols=3,
            frameon=False,
            fontsize=7,
        )

    save(fill, (WIDTH, 0.75 + 0.12 * len(wrap(video.title, 108)) + sum(heights)), *paths)


def _strip_height(video: Scored) -> float:
    height, width = video.pictures[0][1].shape[:2]
    return min(1.2, WIDTH * 0.92 / PICTURES * height / width)


def _is_chosen(video: Scored, second: float) -> bool:
    return any(start <= second < end for start, end, chosen in video.shots if chosen)


def _pictures(axes: Axes, video: Scored) -> None:
    """A strip of pictures, each above its moment; those of chosen shots have a frame."""
    piece = video.duration / len(video.pictures)
    for i, (second, image) in enumerate(video.pictures):
        left, right = (i + 0.03) * piece, (i + 0.97) * piece
        axes.imshow(image, extent=(left, right, 0, 1), aspect="auto", interpolation="antialiased")
        if _is_chosen(video, second):
            box: Any = {"fill": False, "edgecolor": CHOSEN, "linewidth": 2}
            axes.add_patch(Rectangle((left, 0), right - left, 1, **box))
    axes.set_xlim(0, video.duration)
    axes.set_ylim(-0.03, 1.03)
    axes.axis("off")


def _curves(axes: Axes, video: Scored) -> None:
    """Scores and the annotators' mean, each from its lowest to its highest value: protocols of
    ranks see no more.
    """
    for start, end, chosen in video.shots:
        axes.axvline(start, color="#d9d9d9", linewidth=0.5, zorder=0)
        if chosen:
            axes.axvspan(start, end, color=CHOSEN, alpha=0.16, linewidth=0, zorder=0)
    axes.plot(video.times, _spread(video.mean), color=PEOPLE, linewidth=1.1)
    axes.plot(video.times, _spread(video.scores), color=SCORE, linewidth=1.4)
    axes.set_xlim(0, video.duration)
    axes.set_ylim(-0.05, 1.05)
    axes.set_yticks([0, 1], ["lowest", "highest"])
    axes.spines[["top", "right"]].set_visible(False)


def _annotators(axes: Axes, video: Scored) -> None:
    """A line for each annotator: the darker, the more important."""
    edges = np.append(video.times, video.duration)
    rows = np.arange(len(video.people) + 1)
    axes.pcolormesh(edges, rows, video.people, cmap="Greys", vmin=0, vmax=1, rasterized=True)
    axes.set_xlim(0, video.duration)
    axes.set_ylim(len(video.people), 0)
    axes.set_yticks([len(video.people) / 2], [f"{len(video.people)} annotators"])
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)


def _spread(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values from 0 to 1; a flat line lies in the middle."""
    low, high = float(values.min()), float(values.max())
    return np.full_like(values, 0.5) if high == low else (values - low) / (high - low)
