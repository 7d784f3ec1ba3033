"""Decode a video front to back: two decoders that give the same frames.

OpenCV is the first: it applies the rotation a phone writes into the header, and makes a picture
only of the frames that are wanted. PyAV takes over where OpenCV cannot decode (AV1), where it would
crash (a name that is not UTF-8), and where the time stamps begin again.
"""

import itertools
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import av
import cv2
import numpy as np
import numpy.typing as npt

from llmvs.video.clock import Clock
from llmvs.video.container import mean_rate, open_video

os.environ.setdefault(
    "OPENCV_FFMPEG_LOGLEVEL", "-8"
)  # a damaged file is reported in one line, by us

SMALL = (64, 36)
"""Width and height of the small grey pictures by which consecutive frames are compared."""
PLANAR = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray")
"""FFmpeg's formats whose first plane is the brightness, a byte for every pixel."""

Frame = npt.NDArray[np.uint8]
"""uint8 [H, W, 3], RGB, upright."""
DecoderName = Literal["opencv", "pyav"]


class Decoded(NamedTuple):
    """One frame, of which a picture can be made until the next one is asked for."""

    frame: int
    """Its index in the order of showing, from 0."""
    seconds: float
    """Time stamp, from the start of the stream."""
    picture: Callable[[], Frame | None]
    """Makes the picture; None where that fails."""
    luma: Callable[[], Frame | None]
    """Makes a small grey one, uint8 [36, 64], as stored (not turned); None where that fails. With
    PyAV it costs a tenth of a picture.
    """


def decode(path: Path, decoder: DecoderName | None = None) -> Iterator[Decoded]:
    """Give all frames of a video in the order of showing; memory holds one at a time.

    Args:
        path: the video file.
        decoder: None: OpenCV where it can, else PyAV.

    Raises:
        VideoError: not a video.
    """
    if decoder != "pyav" and _is_utf8(path):
        frames = _opencv(path)
        first = next(frames, None)
        if first is not None:
            return itertools.chain([first], frames)
    return iter(()) if decoder == "opencv" else _pyav(path)


def _opencv(path: Path) -> Iterator[Decoded]:
    with open_video(path) as (_, stream):  # what is not a video never reaches OpenCV
        rate = mean_rate(stream)
    # By its own reader of videos: another would take `a%03d.mp4` for a list of pictures.
    video = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)

    def picture() -> Frame | None:
        ok, found = video.retrieve()
        return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8) if ok else None

    def luma() -> Frame | None:
        found = picture()
        return None if found is None else _small(cv2.cvtColor(found, cv2.COLOR_RGB2GRAY))

    seconds = -math.inf
    try:
        for index in itertools.count():
            if not video.grab():
                return
            stamp = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            # Where the container has no time stamps OpenCV repeats 0.
            seconds = stamp if stamp > seconds or not rate else index / rate
            yield Decoded(index, seconds, picture, luma)
    finally:
        video.release()


def _pyav(path: Path) -> Iterator[Decoded]:
    for index, seconds, frame in stored_frames(path):
        yield Decoded(
            index,
            seconds,
            lambda frame=frame: upright(frame),  # type: ignore[misc]
            lambda frame=frame: _luma(frame),  # type: ignore[misc]
        )


def stored_frames(path: Path) -> Iterator[tuple[int, float, av.VideoFrame]]:
    """Give index, seconds and content of every frame as PyAV decodes it: not turned, in the colours
    that the file has.

    Raises:
        VideoError: not a video.
    """
    with open_video(path) as (container, stream):
        stream.thread_type = "AUTO"
        clock, rate = Clock(stream), mean_rate(stream) or 25
        index = 0
        try:
            for packet in container.demux(stream):
                for frame in packet.decode():
                    known = None if frame.pts is None else clock.stamp(frame.pts, frame.pts)
                    yield index, index / rate if known is None else clock.seconds(known), frame
                    index += 1
        except av.FFmpegError:
            return  # damaged from here on, as for OpenCV; whoever counts the frames says so


def upright(frame: av.VideoFrame) -> Frame:
    """Make the picture of a frame, turned as its header says."""
    # The same scaling of colours as OpenCV's.
    picture = frame.to_ndarray(format="rgb24", interpolation="BICUBIC")
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)), np.uint8)


def _luma(frame: av.VideoFrame) -> Frame:
    """The brightness of a frame: of 8-bit planar formats a plane of their own, read in place."""
    if frame.format.name in PLANAR:
        plane = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
        every = max(1, frame.height // 360)  # so many rows do
        return _small(rows[: frame.height : every, : frame.width])
    return _small(frame.to_ndarray(format="gray", interpolation="AREA"))


def _small(grey: npt.NDArray) -> Frame:
    return np.asarray(cv2.resize(grey, SMALL, interpolation=cv2.INTER_AREA), np.uint8)


def _is_utf8(path: Path) -> bool:
    try:
        str(path.absolute()).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in str(path)
