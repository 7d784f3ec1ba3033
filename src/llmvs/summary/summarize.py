"""Summarize one video: look at it, score its steps, find its shots, choose among them."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmvs.summary.choice import SHORTEST, Choice, Wishes, choose
from llmvs.summary.pieces import By
from llmvs.summary.result import Shot, Summary
from llmvs.summary.times import Range, range_of
from llmvs.video.container import probe
from llmvs.video.footage import FPS, Footage, watch
from llmvs.video.shots import PENALTY, find_shots
from llmvs.video.visual import Scores, visual_scores


def summarize(
    path: str | Path,
    length: str = "15%",
    *,
    by: By = "shots",
    keep: Iterable[str | Range] = (),
    drop: Iterable[str | Range] = (),
    shortest: float = SHORTEST,
    fps: float = FPS,
    progress: Callable[[float], None] | None = None,
) -> Summary:
    """Summarize a video without any model: seconds per minute of video, no network.

    Args:
        path: any file that FFmpeg can decode.
        length: of the summary: a share of the video (`15%`) or a time (`90s`, `1:30`).
        by: `shots`, `steps` or `top` (see `llmvs.summary.choice.Wishes`).
        keep: ranges that are in the summary in any case: `0:30-0:40`, or seconds (30, 40).
        drop: ranges that are not in it in any case.
        shortest: seconds: a shorter shot joins a neighbour.
        fps: steps per second.
        progress: called with the seconds of video seen so far.

    Raises:
        VideoError: the file is no readable video, or the wishes do not fit it.
        UserError: wishes that make no sense.
    """
    return summarize_as(path, asked(length, by, keep, drop, shortest), fps, progress)


def asked(
    length: str = "15%",
    by: By = "shots",
    keep: Iterable[str | Range] = (),
    drop: Iterable[str | Range] = (),
    shortest: float = SHORTEST,
) -> Wishes:
    """Read what is asked for, as `summarize` takes it.

    Raises:
        UserError: wishes that make no sense.
    """
    return Wishes(str(length), by, _ranges(keep, "--keep"), _ranges(drop, "--drop"), shortest)


def summarize_as(
    path: str | Path,
    wishes: Wishes,
    fps: float = FPS,
    progress: Callable[[float], None] | None = None,
) -> Summary:
    """Summarize a video as the wishes say (see `summarize`)."""
    path = Path(path)
    stated = probe(path).seconds
    if stated:
        wishes.check(str(path), stated)  # before the video is decoded; again with its true length
    footage = watch(path, fps, progress=progress)
    scored = visual_scores(footage)
    choice = choose(footage, scored.scores, find_shots(footage, PENALTY), wishes)
    return _summary(footage, scored, choice, wishes)


def _ranges(given: Iterable[str | Range], place: str) -> tuple[Range, ...]:
    """Ranges in seconds; a text may hold several with commas between them."""
    found: list[Range] = []
    for one in [given] if isinstance(given, str) else given:
        if isinstance(one, str):
            found += [range_of(part, place) for part in one.split(",")]
        else:
            found.append(range_of(f"{one[0]}-{one[1]}", place))
    return tuple(found)


def _summary(footage: Footage, scored: Scores, choice: Choice, wishes: Wishes) -> Summary:
    edges = footage.edges
    shots = tuple(
        Shot(
            start=float(edges[first]),
            end=float(edges[last + 1]),
            first=int(first),
            last=int(last),
            score=float(choice.values[number]),
            chosen=bool(choice.chosen[number]),
            kept=bool(choice.pieces.kept[number]),
            dropped=bool(choice.pieces.dropped[number]),
            size=int(choice.sizes[number]),
            keyframe=keyframe(footage, scored.scores, int(first), int(last)),
        )
        for number, (first, last) in enumerate(choice.shots)
    )
    return Summary(
        path=footage.path,
        duration=footage.duration,
        fps=footage.fps,
        steps=footage.seconds,
        picks=footage.picks,
        scores=scored.scores,
        parts=scored.parts,
        shots=shots,
        wishes=wishes,
        times=footage.times,
        ticks=choice.ticks,
    )


def keyframe(footage: Footage, scores: npt.NDArray[np.float64], first: int, last: int) -> int:
    """The frame that stands for a shot: its sharpest step among the better half of its steps; of a
    shot without a step its middle.
    """
    inside = np.flatnonzero((footage.picks >= first) & (footage.picks <= last))
    if not len(inside):
        return (first + last) // 2
    better = inside[scores[inside] >= np.median(scores[inside])]
    return int(footage.picks[better[np.argmax(footage.sharpness[better])]])
