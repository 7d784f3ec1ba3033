"""Summarize one video: score its steps, look at it, find its shots, choose among them."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from llmvs.errors import UserError
from llmvs.summary.choice import SHORTEST, Choice, Wishes, choose
from llmvs.summary.method import HINT, Name, language_for
from llmvs.summary.pieces import By
from llmvs.summary.result import Shot, Summary
from llmvs.summary.times import Range, range_of
from llmvs.video.clock import seconds_of
from llmvs.video.footage import FPS, Footage, watch
from llmvs.video.shots import PENALTY, find_shots
from llmvs.video.transcript import Spoken, beside, read_transcript, words_around
from llmvs.video.visual import Scores, visual_scores

if TYPE_CHECKING:
    from llmvs.summary.language import Language

logger = logging.getLogger(__name__)

WINDOW = 7
"""Steps around a step whose words the page shows: those that a language model reads."""


def summarize(
    path: str | Path,
    length: str = "15%",
    *,
    by: By = "shots",
    keep: Iterable[str | Range] = (),
    drop: Iterable[str | Range] = (),
    shortest: float = SHORTEST,
    fps: float = FPS,
    method: Name = "auto",
    model: str | Path | None = None,
    about: str | None = None,
    transcript: str | Path | None = None,
    captions: str | Path | None = None,
    settings: Sequence[str] = (),
    progress: Callable[[float], None] | None = None,
) -> Summary:
    """Summarize a video; without a model in seconds per minute of video, and without a network.

    Args:
        path: any file that FFmpeg can decode.
        length: of the summary: a share of the video (`15%`) or a time (`90s`, `1:30`).
        by: `shots`, `steps` or `top` (see `llmvs.summary.choice.Wishes`).
        keep: ranges that are in the summary in any case: `0:30-0:40`, or seconds (30, 40).
        drop: ranges that are not in it in any case.
        shortest: seconds: a shorter shot joins a neighbour.
        fps: steps per second.
        method: `visual`: what is seen and heard; `language`: language models; `auto`: `language`
            where a model, a wish, captions or settings are given or the paper's models lie on this
            machine, else `visual`.
        model: a trained head: a run's folder, an export's, a hub id, or `demo`; None: the scorer's
            own numbers.
        about: what the summary shall show, such as `only the goals`.
        transcript: subtitles (.srt, .vtt); None: those beside the video, if there are any.
        captions: captions from elsewhere (.jsonl) in place of the captioner's.
        settings: of the language models, as on the command line: `small`, `accelerator=gpu`.
        progress: called with the seconds of video seen so far.

    Raises:
        VideoError: the file is no readable video, or the wishes do not fit it.
        UserError: wishes that make no sense; a model that cannot be had.
    """
    path, wishes = Path(path), asked(length, by, keep, drop, shortest)
    said = None if transcript is None else Path(transcript)
    language = language_for(
        method,
        None if model is None else str(model),
        about,
        None if captions is None else str(captions),
        settings,
        (said or beside(path)) is not None,
        fps,
    )
    found = summarize_as(path, wishes, fps, progress, language, said)
    if method == "auto" and language is None:
        logger.info("%s", HINT)
    return found


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
    language: "Language | None" = None,
    transcript: Path | None = None,
) -> Summary:
    """Summarize a video as the wishes say (see `summarize`).

    Args:
        path: the video file.
        wishes: what is asked for.
        fps: steps per second.
        progress: called with the seconds of video seen so far.
        language: what scores by language; None: the method is `visual`.
        transcript: subtitles; None: those beside the video.
    """
    path = Path(path)
    stated = seconds_of(path)
    if stated:
        wishes.check(str(path), stated)  # before the video is decoded; again with its true length
    spoken = _spoken(path, transcript, stated)
    judged = None if language is None else language.judge(path, transcript)
    footage = watch(path, fps, None if judged is None else judged.frames, progress)
    scored = visual_scores(footage) if judged is None else Scores(judged.scores, {})
    choice = choose(footage, scored.scores, find_shots(footage, PENALTY), wishes)
    found = _summary(footage, scored, choice, wishes)
    words = words_around(spoken, footage.seconds.tolist(), WINDOW / fps) if spoken else []
    found = replace(found, spoken=tuple(spoken), words=tuple(words))
    if language is None or judged is None:
        return found
    return replace(
        found,
        method="language",
        model=language.name,
        settings=language.settings,
        captions=judged.captions,
        answers=judged.answers,
        leaning=judged.leaning,
    )


def _spoken(path: Path, transcript: Path | None, duration: float | None) -> list[Spoken]:
    """What is said in a video; subtitles beside it that are not its own are left out.

    Raises:
        UserError: subtitles that were named, and cannot be read or are another video's.
    """
    found = transcript or beside(path)
    if found is None:
        return []
    try:
        return read_transcript(found, duration)
    except UserError as error:
        if transcript is not None:
            raise
        logger.warning("note: %s: left out", error)
        return []


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
