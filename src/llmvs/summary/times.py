"""Lengths, times and ranges as people write them: `15%`, `90s`, `1:30`, `0:30-0:40`."""

import math
import re

from llmvs.errors import UserError

Range = tuple[float, float]
"""Begin and end, in seconds."""
TIME = r"(?:\d+:)?(?:\d{1,4}:)?\d+(?:\.\d+)?"


def seconds_of(text: str, place: str) -> float:
    """Read a time.

    Args:
        text: `40`, `40s`, `1:30`, `1:02:03.5`.
        place: where it stands, to begin an error with.

    Raises:
        UserError: something else.

    >>> seconds_of("1:02:03.5", "--keep")
    3723.5
    """
    found = re.fullmatch(rf"({TIME})\s*s?", text.strip())
    parts = [float(part) for part in found[1].split(":")] if found else []
    if not parts or any(part >= 60 for part in parts[1:]):
        raise UserError(f"{place}: {text!r} is no time: write seconds, M:SS or H:MM:SS")
    return sum(part * 60**power for power, part in enumerate(reversed(parts)))


def length_of(text: str, duration: float | None) -> float | None:
    """Read the length of a summary.

    Args:
        text: a share of the video (`15%`) or a time (`90s`, `1:30`).
        duration: of the video, in seconds; None: not known yet.

    Returns:
        Seconds; None of a share where the duration is not known.

    Raises:
        UserError: neither, 0, more than 100 %.
    """
    place = f"--length {text}"
    cure = "write a share of the video (15%) or a time (90s, 1:30)"
    if text.strip().endswith("%"):
        try:
            share = float(text.strip()[:-1]) / 100
        except ValueError:
            share = math.nan
        if not 0 < share <= 1:
            raise UserError(f"{place}: must be above 0% and at most 100%: {cure}")
        return None if duration is None else share * duration
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", text):
        raise UserError(f"{place}: {text.strip()} of what? {cure}")
    try:
        seconds = seconds_of(text, place)
    except UserError:
        raise UserError(f"{place}: not a length: {cure}") from None
    if seconds <= 0:
        raise UserError(f"{place}: a summary of no length: {cure}")
    return seconds


def range_of(text: str, place: str) -> Range:
    """Read a range of times.

    Raises:
        UserError: not two times, or the end is not behind the beginning.

    >>> range_of("0:30-0:40", "--keep")
    (30.0, 40.0)
    """
    parts = text.split("-")
    if len(parts) != 2:
        raise UserError(f"{place} {text}: not a range of times: write 0:30-0:40")
    begin, end = (seconds_of(part, f"{place} {text}") for part in parts)
    if end <= begin:
        raise UserError(f"{place} {text}: ends where it begins, or before: write 0:30-0:40")
    return begin, end


def clock(seconds: float) -> str:
    """A time for people, to a tenth of a second.

    >>> clock(5.04), clock(3723.5)
    ('0:05.0', '1:02:03.5')
    """
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    before = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{before}:{rest // 10:02d}.{rest % 10}"
