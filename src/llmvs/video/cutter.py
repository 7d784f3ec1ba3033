"""Cut parts out of a video, picture and sound, into one mp4 file: frame-exact, and in sync.

Frames keep the time for which they are shown (a variable rate stays variable), their colours and
the shape of their pixels; the sound of a part is that of exactly its time, faded in and out for a
few milliseconds so that no cut clicks.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from llmvs.errors import VideoError
from llmvs.files import atomic
from llmvs.video.clock import RESTART, timeline
from llmvs.video.container import mean_rate, open_video
from llmvs.video.decoders import stored_frames
from llmvs.video.shape import pixel_aspect
from llmvs.video.sound import decoded, sound_of

Span = tuple[int, int]
"""First and last frame of a part, both inclusive."""
CLOCK = 90_000
"""Ticks per second of the written time stamps."""
RATE = 48_000
"""Samples per second of the written sound."""
FADE = 0.01
"""Seconds over which the sound of a part comes and goes."""
PIECE = RATE
"""Samples of sound that memory holds at once."""
ENCODER = {"preset": "veryfast", "crf": "20"}
FULL = 2
"""FFmpeg's mark of brightnesses that use all 256 values."""
BT601 = 6
"""FFmpeg's number of the colours that its conversions from RGB make."""


@dataclass(frozen=True)
class Cut:
    """What was written."""

    n_frames: int
    seconds: float
    """Duration of the file."""
    starts: list[float]
    """Where each part begins in the file, in seconds."""
    sound: bool
    """Whether the video had any."""


def cut(
    path: Path,
    out: Path,
    spans: Sequence[Span],
    edges: npt.NDArray[np.float64] | None = None,
) -> Cut:
    """Write the parts of a video one after the other; the file is whole or not there at all.

    Args:
        path: the video.
        out: the new file, ending in .mp4.
        spans: the parts, in order and apart from each other; frames count as PyAV decodes them.
        edges: [n_frames + 1] seconds when each frame begins, and when the last one ends. None: as
            the file has them, which is right where all that it holds can be decoded.

    Raises:
        VideoError: not a video, or one that ends before the last part.
        UserError: the folder cannot be written.
        ValueError: no parts, or parts that are out of order or overlap.
    """
    borders = [frame for span in spans for frame in span]
    if not borders or borders[0] < 0 or any(a > b for a, b in spans):
        raise ValueError(f"spans={list(spans)}: expected parts, first and last frame each")
    if any(before[1] >= after[0] for before, after in itertools.pairwise(spans)):
        raise ValueError(f"spans={list(spans)}: expected parts in order, apart from each other")
    times = _ends(path) if edges is None else edges
    if borders[-1] >= len(times) - 1:
        raise VideoError(f"{path}: has {len(times) - 1} frames, none with number {borders[-1]}")
    parts = [(times[first], times[last + 1]) for first, last in spans]
    starts = np.concatenate([[0.0], np.cumsum([end - start for start, end in parts])])
    with atomic(out) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        with open_video(path) as (source, stream):
            heard = sound_of(source)
            sound = _Sound(container, heard) if heard is not None else None
            written = _Pictures(container, stream, pixel_aspect(path))
            pieces = iter(()) if heard is None else _heard(source, stream, heard, parts)
            for part, index, frame in _wanted(path, spans):
                written.add(frame, starts[part] + times[index] - parts[part][0])
                if sound is not None:
                    sound.add_until(starts[part] + times[index + 1] - parts[part][0], pieces)
            if sound is not None:
                sound.add_until(math.inf, pieces)
        if written.count < sum(last - first + 1 for first, last in spans):
            raise VideoError(f"{path}: damaged: only {written.count} of the frames can be decoded")
        written.end()
        if sound is not None:
            sound.end()
    return Cut(written.count, float(starts[-1]), starts[:-1].tolist(), heard is not None)


def _ends(path: Path) -> npt.NDArray[np.float64]:
    """[n_frames + 1] seconds: when each frame begins, and when the last one ends."""
    times, _ = timeline(path)
    if not len(times):
        raise VideoError(f"{path}: holds no frame")
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / 25
    return np.append(times, times[-1] + step)


def _wanted(path: Path, spans: Sequence[Span]) -> Iterator[tuple[int, int, av.VideoFrame]]:
    """Part, index and content of the frames of all parts; those between them are passed over."""
    part = 0
    for index, _, frame in stored_frames(path):
        if index > spans[part][1]:
            part += 1
        if index >= spans[part][0]:
            yield part, index, frame
        if index == spans[-1][1]:
            return


class _Pictures:
    """The video stream of the file that is written."""

    def __init__(self, container: OutputContainer, source: VideoStream, aspect: Fraction) -> None:
        self.container, self.source, self.count = container, source.codec_context, 0
        rate = Fraction(mean_rate(source) or 25).limit_denominator(1001)
        self.stream: VideoStream = container.add_stream("libx264", rate=rate, options=ENCODER)
        self.stream.pix_fmt = "yuv420p"
        self.context = self.stream.codec_context
        self.context.time_base = Fraction(1, CLOCK)
        self.context.sample_aspect_ratio = aspect
        self.size: tuple[int, int] | None = None
        self.latest = -1

    def add(self, frame: av.VideoFrame, seconds: float) -> None:
        """Encode a frame that is shown from `seconds` on."""
        if self.size is None:
            self.size = max(2, frame.height // 2 * 2), max(2, frame.width // 2 * 2)
            turned = round(frame.rotation / 90) % 2
            self.stream.height, self.stream.width = self.size[::-1] if turned else self.size
            self._keep_colours(frame)
        planes = [np.rot90(one, round(frame.rotation / 90)) for one in _planes(frame, self.size)]
        width = planes[0].shape[1]
        stacked = np.concatenate([one.ravel() for one in planes]).reshape(-1, width)
        picture = av.VideoFrame.from_ndarray(stacked, format="yuv420p")
        # Two frames may be shown at one time, which MP4 does not know.
        self.latest = max(round(seconds * CLOCK), self.latest + 1)
        picture.pts, picture.time_base = self.latest, Fraction(1, CLOCK)
        self.container.mux(self.stream.encode(picture))
        self.count += 1

    def end(self) -> None:
        """Encode what is left."""
        self.container.mux(self.stream.encode(None))

    def _keep_colours(self, frame: av.VideoFrame) -> None:
        """Say what the numbers of the frames mean, as their file does."""
        if not _is_yuv(frame):
            self.context.colorspace, self.context.color_range = BT601, 1
            return
        self.context.colorspace = frame.colorspace
        self.context.color_primaries = self.source.color_primaries
        self.context.color_trc = self.source.color_trc
        full = frame.format.name.startswith("yuvj")
        self.context.color_range = FULL if full else frame.color_range


def _is_yuv(frame: av.VideoFrame) -> bool:
    return len(frame.format.components) >= 3 and not frame.format.is_rgb


def _planes(frame: av.VideoFrame, size: tuple[int, int]) -> list[npt.NDArray[np.uint8]]:
    """Brightness [H, W] and two planes of colour [H / 2, W / 2] of a frame that is cut to an even
    size, or scaled to it where the video changes its size on the way.
    """
    if not _is_yuv(frame):
        frame = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")
    form = "yuvj420p" if frame.format.name.startswith("yuvj") else "yuv420p"
    height, width = size
    if (frame.height // 2 * 2, frame.width // 2 * 2) != size:
        frame = frame.reformat(width=width, height=height, format=form)
    elif frame.format.name != form:
        frame = frame.reformat(format=form)
    found = []
    for plane, part in zip(frame.planes, (1, 2, 2), strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
        found.append(rows[: height // part, : width // part])
    return found


class _Sound:
    """The audio stream of the file that is written."""

    def __init__(self, container: OutputContainer, heard: AudioStream) -> None:
        self.container, self.done = container, 0
        self.layout = "mono" if heard.codec_context.layout.nb_channels == 1 else "stereo"
        self.stream: AudioStream = container.add_stream("aac", rate=RATE, layout=self.layout)

    def add_until(self, seconds: float, pieces: Iterator[npt.NDArray[np.float32]]) -> None:
        """Encode as many pieces as reach up to `seconds` of the file, so that players need not jump
        about in it.
        """
        while self.done < seconds * RATE and (piece := next(pieces, None)) is not None:
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


def _heard(
    source: InputContainer,
    stream: VideoStream,
    heard: AudioStream,
    parts: Sequence[tuple[float, float]],
) -> Iterator[npt.NDArray[np.float32]]:
    """The sound of the parts, float32 [channels, samples] of at most `PIECE` samples, no piece of
    two parts; each part has exactly its time, and silence where there is no sound.
    """
    channels = 1 if heard.codec_context.layout.nb_channels == 1 else 2
    began = float((stream.start_time or 0) * (stream.time_base or 0))
    # Ends are rounded on the written clock, so that parts do not drift apart from their pictures.
    starts = np.cumsum([0.0] + [end - start for start, end in parts])
    lengths = np.diff(np.rint(starts * RATE).astype(int)).tolist()
    found = _samples(source, heard, channels, began)
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
    source: InputContainer, heard: AudioStream, channels: int, began: float
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Pieces of sound [channels, samples] and where each begins, in samples from the start of the
    picture; a track whose time stamps begin again goes on where it was.
    """
    shift, end = 0, None
    for stamp, piece in _resampled(source, heard, channels):
        at = end or 0
        if stamp is not None:
            at = round((stamp - began) * RATE) + shift
            if end is not None and at < end - RESTART * RATE:
                shift += end - at
                at = end
            # Rounding of time stamps must not leave holes of a sample or two.
            if end is not None and abs(at - end) <= RATE // 200:
                at = end
        yield at, piece
        end = at + piece.shape[1]


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
