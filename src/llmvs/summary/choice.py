"""Which shots make the summary: the exact knapsack, and what the user insists on.

Shots are first made fit to be watched: they are cut at the borders of `keep` and `drop`; a shot
that is too short joins the neighbour behind the softer cut; one that is longer than a third of the
summary is cut into equal parts. A shot is worth the mean of its steps' scores.
"""

import math
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from llmvs.errors import UserError, VideoError, nearest
from llmvs.evaluation.keyshots import hold, knapsack
from llmvs.summary.pieces import By, Pieces, make_pieces
from llmvs.summary.times import Range, clock, length_of
from llmvs.video.footage import Footage

SHORTEST = 1.5
"""Seconds: shots are at least so long, where they can be."""
CELLS = 200_000_000
"""Cells (bytes) of the knapsack's table at most; beyond it, lengths count in several frames."""
WORTH = 1e-6
"""What a shot of score 0 is worth, so that it is chosen where there is room."""
TOLERANCE = 1.0
"""Seconds by which a range may reach beyond the video: people read its end off a player."""


@dataclass(frozen=True)
class Wishes:
    """What a summary should be like."""

    length: str = "15%"
    """A share of the video (`15%`) or a time (`90s`, `1:30`)."""
    by: By = "shots"
    """`shots`: the most valuable shots that fit (exact knapsack); `steps`: the same of equal pieces
    as short as `shortest`; `top`: shots from the best down, passing over what does not fit.
    """
    keep: tuple[Range, ...] = ()
    """Ranges that are in the summary in any case, in seconds."""
    drop: tuple[Range, ...] = ()
    """Ranges that are not in it in any case."""
    shortest: float = SHORTEST
    """Seconds: a shorter shot joins a neighbour."""

    def __post_init__(self) -> None:
        length_of(self.length, None)
        if self.by not in get_args(By):
            raise UserError(f"--by {self.by}: no such way{nearest(self.by, get_args(By))}")
        if not (math.isfinite(self.shortest) and self.shortest >= 0):
            raise UserError(f"shortest={self.shortest}: must be 0 or more seconds")
        for begin, end in self.keep:
            for other, until in self.drop:
                if begin < until and other < end:
                    raise UserError(
                        f"--keep {clock(begin)}-{clock(end)} and --drop"
                        f" {clock(other)}-{clock(until)} overlap: shorten one of them"
                    )

    def check(self, name: str, duration: float) -> float:
        """Compare the wishes with a video's duration; give the summary's length in seconds.

        Args:
            name: of the video, to begin an error with.
            duration: of the video, in seconds.

        Raises:
            VideoError: longer than the video, ranges beyond its end, more to keep than fits.
        """
        length = length_of(self.length, duration)
        assert length is not None
        if length > duration + 1e-3:
            raise VideoError(
                f"{name}: --length {self.length} is longer than the video"
                f" ({clock(duration)}): ask for less, or for a share such as 15%"
            )
        for option, ranges in (("keep", self.keep), ("drop", self.drop)):
            for begin, end in ranges:
                if begin >= duration or end > duration + TOLERANCE:
                    raise VideoError(
                        f"{name}: --{option} {clock(begin)}-{clock(end)} reaches beyond the"
                        f" end of the video ({clock(duration)})"
                    )
        kept = covered(self.keep, duration)
        if kept > length + 0.05:
            raise VideoError(
                f"{name}: --keep holds {kept:.1f} seconds, more than the summary's"
                f" {length:.1f} (--length {self.length}): keep less, or ask for more"
            )
        if covered(self.drop, duration) >= duration - 1e-3:
            raise VideoError(f"{name}: --drop leaves nothing of the video: drop less")
        return length


@dataclass(frozen=True)
class Choice:
    """The shots of a video as the summary cuts them, and which of them are in it."""

    shots: npt.NDArray[np.int64]
    """[S, 2] first and last frame, inclusive; they cover the video."""
    values: npt.NDArray[np.float64]
    """[S] mean score of each."""
    chosen: npt.NDArray[np.bool_]
    """[S] whether it is in the summary."""
    pieces: Pieces
    """The same shots with what the user insists on."""
    sizes: npt.NDArray[np.int64]
    """[S] how much of the summary's length it takes, in ticks: frames of mean duration."""
    ticks: int
    """The length of the video in ticks."""


def choose(
    footage: Footage,
    scores: npt.NDArray[np.float64],
    shots: npt.NDArray[np.int64],
    wishes: Wishes,
) -> Choice:
    """Choose the shots of a summary.

    Args:
        footage: the video.
        scores: [T] of its steps.
        shots: [S, 2] first and last frame of every shot, inclusive, covering the video.
        wishes: what is asked for.

    Raises:
        VideoError: the wishes do not fit the video, or no piece of it fits in the summary.
    """
    length = wishes.check(str(footage.path), footage.duration)
    pieces = make_pieces(
        footage, shots, wishes.by, wishes.keep, wishes.drop, min(wishes.shortest, length), length
    )
    frames = len(footage.times)
    held = hold(scores, footage.picks, frames)
    held[: footage.picks[0]] = scores[0]
    sizes = np.diff(np.append(pieces.starts, frames))
    values = np.add.reduceat(held, pieces.starts) / sizes
    ends = np.append(pieces.starts[1:], frames) - 1
    tick = (footage.duration - float(footage.edges[0])) / frames
    # Time stamps are rounded; 5 % of a frame is no frame more.
    lasts = np.diff(np.append(footage.edges[pieces.starts], footage.duration))
    ticks = np.maximum(np.ceil(lasts / tick - 0.05), 1).astype(np.int64)
    capacity = math.floor(length / tick + 1e-6)
    if wishes.length.strip().endswith("%"):
        capacity = max(capacity, 1)  # a share of a few frames is one frame, not none
    chosen = _chosen(pieces, values, ticks, capacity, wishes.by)
    if not chosen.any():
        raise VideoError(
            f"{footage.path}: no piece of it fits in --length {wishes.length} ({length:.2f}"
            " seconds): ask for more"
        )
    return Choice(
        np.stack([pieces.starts, ends], axis=1),
        values,
        chosen,
        pieces,
        ticks,
        math.floor(footage.duration / tick + 1e-6),
    )


def _chosen(
    pieces: Pieces,
    values: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.int64],
    capacity: int,
    by: By,
) -> npt.NDArray[np.bool_]:
    """[S] whether each piece is in the summary."""
    chosen = pieces.kept.copy()
    capacity = max(capacity - int(sizes[chosen].sum()), 0)
    free = np.flatnonzero(~pieces.kept & ~pieces.dropped)
    if by == "top":
        for item in free[np.argsort(-values[free], kind="stable")]:
            if sizes[item] <= capacity:
                chosen[item] = True
                capacity -= int(sizes[item])
        return chosen
    coarse = max(1, math.ceil(len(free) * (capacity + 1) / CELLS))
    taken = knapsack(values[free] + WORTH, -(-sizes[free] // coarse), capacity // coarse)
    chosen[free[taken]] = True
    return chosen


def covered(ranges: tuple[Range, ...], duration: float) -> float:
    """Seconds that the ranges cover together, up to the video's end.

    >>> covered(((1, 3), (2, 4), (8, 12)), 10)
    5.0
    """
    total, reached = 0.0, 0.0
    for begin, end in sorted(ranges):
        total += max(0.0, min(end, duration) - max(begin, reached))
        reached = max(reached, min(end, duration))
    return total
