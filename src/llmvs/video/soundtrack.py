"""The sound of a video's parts: read, brought to one form, and written piece by piece in step with
the pictures.
"""

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from llmvs.video.clock import RESTART
from llmvs.video.sound import decoded

RATE = 48_000
"""Samples per second of the written sound."""
FADE = 0.01
"""Seconds over which the sound of a part comes and goes."""
PIECE = RATE
"""Samples of sound that memory holds at once."""
APART = 2.0
"""Seconds by which picture and sound of one recording may begin apart from each other."""


class Soundtrack:
    """The audio stream of the file that is written."""

    def __init__(self, container: OutputContainer, heard: AudioStream) -> None:
        self.container, self.done = container, 0
        self.layout = "mono" if heard.codec_context.layout.nb_channels == 1 else "stereo"
        self.stream: AudioStream = container.add_stream("aac", rate=RATE, layout=self.layout)

    def add_until(self, seconds: float, pieces: Iterator[npt.NDArray[np.float32]]) -> None:
        """Encode the pieces up to a second or two before `seconds` of the file: near enough that
        players need not jump about in it, and behind the pictures, which tell where the next of
        several recordings begins.
        """
        while self.done + 2 * PIECE <= seconds * RATE:
            piece = next(pieces, None)
            if piece is None:
                return
            self.add(piece)

    def add(self, samples: npt.NDArray[np.float32]) -> None:
        """Encode [channels, samples]."""
        if samples.shape[1]:
            piece = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples), format="fltp", layout=self.layout
            )
            piece.sample_rate, piece.pts = RATE, self.done
            piece.time_base = Fraction(1, RATE)
            self.container.mux(self.stream.encode(piece))
            self.done += samples.shape[1]

    def end(self) -> None:
        """Encode what is left."""
        self.container.mux(self.stream.encode(None))


def sound_of_parts(
    source: InputContainer,
    heard: AudioStream,
    parts: Sequence[tuple[float, float]],
    offsets: Sequence[float],
) -> Iterator[npt.NDArray[np.float32]]:
    """Give the sound of the parts piece by piece, no piece of two parts: each part has exactly its
    time, with silence where there is no sound.

    Args:
        source: the video.
        heard: its track.
        parts: seconds from the start of the picture, beginning and end of each, in order.
        offsets: what turns time stamps into seconds from the start of the picture, of every
            recording in the video of which pictures were seen so far; it may grow on the way.

    Returns:
        float32 [channels, samples], at most `PIECE` samples.
    """
    channels = 1 if heard.codec_context.layout.nb_channels == 1 else 2
    # Ends are rounded on the written clock, so that parts do not drift apart from their pictures.
    starts = np.cumsum([0.0] + [end - start for start, end in parts])
    lengths = np.diff(np.rint(starts * RATE).astype(int)).tolist()
    found = _samples(source, heard, channels, offsets)
    waiting: tuple[int, npt.NDArray[np.float32]] | None = None
    for (start, _), length in zip(parts, lengths, strict=True):
        for done in range(0, length, PIECE):
            piece = np.zeros((channels, min(PIECE, length - done)), np.float32)
            first = round(start * RATE) + done
            end = first + piece.shape[1]
            while waiting := waiting or next(found, None):
                at, samples = waiting
                low, high = max(at, first), min(at + samples.shape[1], end)
                if low < high:
                    piece[:, low - first : high - first] = samples[:, low - at : high - at]
                if at + samples.shape[1] > end:
                    break  # the next piece may begin in the same samples, or before them
                waiting = None
            yield _faded(piece, done, length)


def _samples(
    source: InputContainer, heard: AudioStream, channels: int, offsets: Sequence[float]
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Pieces of sound [channels, samples] and where each begins, in samples from the start of the
    picture; where time stamps begin again, the sound goes on with the pictures.
    """
    offset, end = offsets[0], None
    for stamp, piece in _resampled(source, heard, channels):
        at = end or 0
        if stamp is not None:
            at = round((stamp + offset) * RATE)
            if end is not None and at < end - RESTART * RATE:
                offset = _next_offset(stamp, end / RATE, offsets)
                at = round((stamp + offset) * RATE)
            # Rounding of time stamps must not leave holes of a sample or two.
            if end is not None and abs(at - end) <= RATE // 200:
                at = end
        yield at, piece
        end = at + piece.shape[1]


def _next_offset(stamp: float, end: float, offsets: Sequence[float]) -> float:
    """What turns the time stamps of the next recording into seconds: the same as for its pictures.
    Where those are not known, its sound goes on where that before it ended.
    """
    near = min(offsets, key=lambda one: abs(stamp + one - end))
    return near if abs(stamp + near - end) < APART else end - stamp


def _resampled(
    source: InputContainer, heard: AudioStream, channels: int
) -> Iterator[tuple[float | None, npt.NDArray[np.float32]]]:
    """Pieces of sound [channels, samples] at `RATE`, and the seconds at which each begins; None:
    where the one before it ended. The sound may change its rate or channels on the way.
    """
    layout = "mono" if channels == 1 else "stereo"
    form: tuple[str, str, int] | None = None
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=RATE)
    # What cannot be decoded is silent, and the time stamps behind it tell how long it was.
    frames = (frame for frame in decoded(source, heard) if frame is not None)
    try:
        for frame in itertools.chain(frames, [None]):
            now = None if frame is None else _form(frame)
            if form is not None and now != form:
                rest: list[Any] = resampler.resample(None)
                yield from ((None, piece.to_ndarray()) for piece in rest)
                resampler = av.AudioResampler(format="fltp", layout=layout, rate=RATE)
            if frame is not None:
                pieces: list[Any] = resampler.resample(frame)
                stamps = [frame.time, *[None] * len(pieces)]
                yield from zip(stamps, (piece.to_ndarray() for piece in pieces), strict=False)
            form = now
    except av.FFmpegError:
        return  # channels in an order that FFmpeg cannot mix: silence


def _form(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _faded(piece: npt.NDArray[np.float32], done: int, length: int) -> npt.NDArray[np.float32]:
    """Fade the piece of a part of `length` samples that begins `done` samples behind its start."""
    n = min(round(FADE * RATE), length // 2)
    if n and (done < n or done + piece.shape[1] > length - n):
        at = np.arange(done, done + piece.shape[1])
        near = np.minimum(at, length - 1 - at) / max(n - 1, 1)
        piece *= np.minimum(near, 1).astype(np.float32)
    return piece
