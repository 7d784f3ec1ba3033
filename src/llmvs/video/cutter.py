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

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.stream import VideoStream

from llmvs.errors import VideoError
from llmvs.files import atomic
from llmvs.video.clock import RESTART, timeline
from llmvs.video.container import mean_rate, open_video
from llmvs.video.decoders import stored_frames
from llmvs.video.shape import pixel_aspect
from llmvs.video.sound import sound_of
from llmvs.video.soundtrack import Soundtrack, sound_of_parts

Span = tuple[int, int]
"""First and last frame of a part, both inclusive."""
CLOCK = 90_000
"""Ticks per second of the written time stamps."""
ENCODER = {"preset": "veryfast", "crf": "20"}
FULL = 2
"""FFmpeg's mark of brightnesses that use all 256 values."""
BT601 = 6
"""FFmpeg's number of the colours that its conversions from RGB make."""
UNKNOWN = 2
"""FFmpeg's number of colours of which a file does not tell."""


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
            sound = Soundtrack(container, heard) if heard is not None else None
            written = _Pictures(container, stream, pixel_aspect(path))
            offsets = [-float((stream.start_time or 0) * (stream.time_base or 0))]
            pieces = iter(()) if heard is None else sound_of_parts(source, heard, parts, offsets)
            for part, index, frame in _wanted(path, spans, offsets):
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


def _wanted(
    path: Path, spans: Sequence[Span], offsets: list[float]
) -> Iterator[tuple[int, int, av.VideoFrame]]:
    """Part, index and content of the frames of all parts; those between them are passed over.

    Where time stamps begin again, what turns them into seconds from there on joins `offsets`.
    """
    part = 0
    for index, seconds, frame in stored_frames(path):
        if frame.time is not None and abs(seconds - frame.time - offsets[-1]) > RESTART:
            offsets.append(seconds - frame.time)
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
        self.colours = (UNKNOWN, 1)
        self.latest = -1

    def add(self, frame: av.VideoFrame, seconds: float) -> None:
        """Encode a frame that is shown from `seconds` on."""
        if self.size is None:
            self.size = max(2, frame.height // 2 * 2), max(2, frame.width // 2 * 2)
            turned = round(frame.rotation / 90) % 2
            self.stream.height, self.stream.width = self.size[::-1] if turned else self.size
            self.colours = _colours(frame)
            self._keep_colours(frame)
        planes = _planes(_recoloured(frame, self.colours), self.size)
        planes = [np.rot90(one, round(frame.rotation / 90)) for one in planes]
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


def _colours(frame: av.VideoFrame) -> tuple[int, int]:
    """What the numbers of a frame mean: FFmpeg's numbers of its colours and its range."""
    if not _is_yuv(frame):
        return BT601, 1
    full = frame.format.name.startswith("yuvj") or frame.color_range == FULL
    return int(frame.colorspace), FULL if full else 1


def _recoloured(frame: av.VideoFrame, wanted: tuple[int, int]) -> av.VideoFrame:
    """The same picture in the colours of the first, where recordings of several were joined."""
    matrix, value_range = _colours(frame)
    if UNKNOWN in (matrix, wanted[0]):
        matrix = wanted[0]
    if (matrix, value_range) == wanted or not _is_yuv(frame):
        return frame
    return frame.reformat(
        format="yuv420p",
        src_colorspace=matrix,
        dst_colorspace=wanted[0],
        src_color_range=value_range,
        dst_color_range=wanted[1],
    )


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
