"""What is said in a video: subtitles or a transcript with times, beside the video or named."""

import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from llmvs.errors import UserError, VideoError
from llmvs.files import composed, printable

FORMATS = {".srt": "srt", ".vtt": "webvtt"}
"""Ending -> FFmpeg's name of the format."""
BEYOND = 5.0
"""Seconds by which the last words may begin after the end of the video."""
_TAGS = re.compile(r"<[^>]*>|\{\\[^}]*\}")


@dataclass(frozen=True)
class Spoken:
    """Words, and when they are said."""

    start: float
    """Seconds."""
    end: float
    text: str
    """One line, without markup."""


def beside(video: Path) -> Path | None:
    """Find the transcript that lies beside a video: `my.srt` or `my.vtt` of `my.mp4`, else the only
    one of its name in some language (`my.en.srt`).
    """
    for suffix in FORMATS:
        if (found := video.with_suffix(suffix)).is_file():
            return found
    try:
        others = [one for one in video.parent.iterdir() if one.suffix.lower() in FORMATS]
    except OSError:
        return None
    stem = composed(video.stem)
    own = sorted(one for one in others if composed(one.stem) == stem)
    named = own[:1] or [one for one in others if composed(one.name).startswith(f"{stem}.")]
    return named[0] if len(named) == 1 else None


def read_transcript(path: Path, duration: float | None = None) -> list[Spoken]:
    """Read subtitles, in order of time; cues without words are left out.

    Args:
        path: an .srt or .vtt file, in UTF-8, UTF-16, or else Western European.
        duration: of the video in seconds; None: not known.

    Raises:
        UserError: no such file, another format, no words in it, or words after the video's end.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise UserError(f"{printable(path)}: a transcript ends in {' or '.join(FORMATS)}")
    if not path.is_file():
        raise UserError(f"{printable(path)}: no such file")
    try:
        content = io.BytesIO(_text(path.read_bytes()).encode())
        with av.open(content, format=form) as container:
            stream = container.streams.subtitles[0]
            cues = [_spoken(packet) for packet in container.demux(stream) if packet.pts is not None]
    except (av.FFmpegError, OSError, IndexError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{printable(path)}: not readable as subtitles ({reason})") from None
    found = sorted((cue for cue in cues if cue.text), key=lambda cue: cue.start)
    if not found:
        raise UserError(f"{printable(path)}: no words with times in it: leave it out or mend it")
    if duration is not None and found[-1].start > duration + BEYOND:
        raise VideoError(
            f"{printable(path)}: words at {found[-1].start:.0f} s, where the video lasts"
            f" {duration:.0f} s: it is of another video"
        )
    return found


def words_around(spoken: Sequence[Spoken], times: Sequence[float], window: float) -> list[str]:
    """Give what is said around every step.

    Args:
        spoken: in order of time.
        times: [T] seconds of the steps, increasing.
        window: seconds, of which half lie before a step and half behind it.

    Returns:
        [T] texts; empty where nothing is said.

    >>> words_around([Spoken(0, 2, "a"), Spoken(2, 4, "b")], [0, 2, 9], 2)
    ['a', 'a b', '']
    """
    found, first = [], 0
    for time in times:
        low, high = time - window / 2, time + window / 2
        # Cues may overlap, so an early one can last beyond those behind it.
        while first < len(spoken) and spoken[first].end <= low:
            first += 1
        heard = []
        for cue in spoken[first:]:
            if cue.start >= high:
                break
            if cue.end > low:
                heard.append(cue.text)
        found.append(" ".join(heard))
    return found


def _spoken(packet: av.Packet) -> Spoken:
    unit = float(packet.time_base or 0)
    start = float(packet.pts or 0) * unit
    text = html.unescape(_TAGS.sub(" ", bytes(packet).decode(errors="replace")))
    words = " ".join(text.replace("\\N", " ").split())
    return Spoken(start, start + float(packet.duration or 0) * unit, words)


def _text(content: bytes) -> str:
    """The text of a file in the encoding that its first bytes tell, or that it can be in."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
