"""What an editor or a player takes over from a summary: chapters, subtitles, and a timeline of the
cuts.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmvs.errors import UserError, require_package
from llmvs.files import shown_name
from llmvs.video.transcript import Spoken

EDITORS = {"timeline.otio": "otio_json", "timeline.edl": "cmx_3600"}
"""File -> the name of its format in OpenTimelineIO. The EDL has one video track and a whole frame
rate, as the format knows no others.
"""

RATES = (24, 25, 30, 48, 50, 60)
"""Frames per second that a time code of an EDL can count in; the nearest is taken."""

BRIEF = 0.2
"""Seconds: a shorter rest that a cut leaves of a subtitle is left out; nobody could read it."""


@dataclass(frozen=True)
class Part:
    """A part of the video that is in the summary."""

    first: int
    """First frame."""
    last: int
    """Last frame, inclusive."""
    start: float
    """Seconds in the video."""
    end: float
    """Seconds in the video; where the next frame starts."""
    title: str = ""


def chapters(parts: Sequence[Part]) -> str:
    """Write the parts as chapters of the summary video (WebVTT).

    >>> print(chapters([Part(50, 99, 2.0, 4.0), Part(200, 224, 8.0, 9.0, "a dog jumps")]))
    WEBVTT
    <BLANKLINE>
    00:00:00.000 --> 00:00:02.000
    Part 1
    <BLANKLINE>
    00:00:02.000 --> 00:00:03.000
    a dog jumps
    <BLANKLINE>
    """
    lines, at = ["WEBVTT", ""], 0.0
    for number, part in enumerate(parts, 1):
        until = at + part.end - part.start
        # A cue ends at an empty line, and `-->` begins the next one.
        title = " ".join(part.title.replace("-->", "->").split()) or f"Part {number}"
        lines += [f"{_stamp(at)} --> {_stamp(until)}", title, ""]
        at = until
    return "\n".join(lines)


def subtitles(spoken: Sequence[Spoken], parts: Sequence[Part]) -> str:
    """Write what is said in the parts as subtitles of the summary video (WebVTT).

    Subtitles end where their part does, and go on where the next part follows it in the video.

    Args:
        spoken: of the whole video, in order of time.
        parts: in the order of the summary.

    >>> said = [Spoken(1.0, 3.0, "a dog"), Spoken(3.5, 8.5, "jumps")]
    >>> print(subtitles(said, [Part(50, 99, 2.0, 4.0), Part(200, 224, 8.0, 9.0)]))
    WEBVTT
    <BLANKLINE>
    00:00:00.000 --> 00:00:01.000
    a dog
    <BLANKLINE>
    00:00:01.500 --> 00:00:02.000
    jumps
    <BLANKLINE>
    00:00:02.000 --> 00:00:02.500
    jumps
    <BLANKLINE>
    """
    lines, at = ["WEBVTT", ""], 0.0
    for start, end in _runs(parts):
        for cue in spoken:
            begin, until = max(cue.start, start), min(cue.end, end)
            if until - begin >= min(BRIEF, cue.end - cue.start) > 0:
                text = html.escape(" ".join(cue.text.split()), quote=False)
                moved = at - start
                lines += [f"{_stamp(begin + moved)} --> {_stamp(until + moved)}", text, ""]
        at += end - start
    return "\n".join(lines)


def _runs(parts: Sequence[Part]) -> list[tuple[float, float]]:
    """Begin and end in seconds of what is shown without a jump."""
    found: list[tuple[float, float]] = []
    for part in parts:
        follows = bool(found) and abs(part.start - found[-1][1]) < 1e-6
        start = found.pop()[0] if follows else part.start
        found.append((start, part.end))
    return found


def timeline(name: str, video: Path, fps: float, duration: float, parts: Sequence[Part]) -> Any:
    """Make an OpenTimelineIO timeline: the parts of the video one after the other. Editors take a
    frame for a time at one rate, so that a part of a video of variable rate lies by its seconds.

    Args:
        name: of the timeline.
        video: the file that is cut.
        fps: its mean frames per second.
        duration: of the video, in seconds.
        parts: in the order of the summary.

    Raises:
        UserError: OpenTimelineIO is not installed.
    """
    require_package("opentimelineio", "edit", "a timeline for editors")
    import opentimelineio as otio

    def span(start: float, end: float) -> Any:
        first, behind = round(start * fps), round(end * fps)  # neighbours share a border
        return otio.opentime.TimeRange(
            otio.opentime.RationalTime(first, fps),
            otio.opentime.RationalTime(max(1, behind - first), fps),
        )

    media = otio.schema.ExternalReference(video.absolute().as_uri(), span(0, duration))
    made = otio.schema.Timeline(shown_name(name))
    for kind in (otio.schema.TrackKind.Video, otio.schema.TrackKind.Audio):
        track = otio.schema.Track(kind.lower(), kind=kind)
        for number, part in enumerate(parts, 1):
            title = part.title or f"Part {number}"
            clip = otio.schema.Clip(title, media.clone(), span(part.start, part.end))
            track.append(clip)
        made.tracks.append(track)
    return made


def for_editors(made: Any, fps: float) -> dict[str, str]:
    """Give the content of every editor's file, by its name.

    Raises:
        UserError: a format that cannot hold the timeline.
    """
    import opentimelineio as otio

    written = {}
    for name, form in EDITORS.items():
        options = (
            {"rate": min(RATES, key=lambda rate: abs(rate - fps))} if form == "cmx_3600" else {}
        )
        one = _picture_alone(made) if form == "cmx_3600" else made
        try:
            written[name] = otio.adapters.write_to_string(one, form, **options)
        except otio.exceptions.OTIOError as error:
            raise UserError(f"{name}: {' '.join(str(error).split())[:200]}") from error
    return written


def _picture_alone(made: Any) -> Any:
    """A copy with the video track alone, which is all that an EDL holds."""
    copy = made.clone()
    for track in list(copy.audio_tracks()):
        copy.tracks.remove(track)
    return copy


def _stamp(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{thousandths:03}"
