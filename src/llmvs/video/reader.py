"""Read a video once, front to back, and keep the frames that were asked for.

OpenCV decodes (it applies the rotation a phone writes into the header) and only wanted frames are
turned into RGB; PyAV reads headers and time stamps, which OpenCV reports less exactly. Frames are
chosen **by time stamp**: by index, a clip of variable frame rate is off by seconds.
"""

import math
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.stream import Disposition

from llmvs.errors import VideoError

os.environ.setdefault(
    "OPENCV_FFMPEG_LOGLEVEL", "-8"
)  # a damaged file is reported in one line, by us

Frame = npt.NDArray[np.uint8]
CLOCK = 1e-4
"""Seconds by which two readings of one time stamp may differ."""


@dataclass(frozen=True)
class Sampled:
    """One step of a video."""

    index: int
    """Frame index in decoding order, from 0."""
    seconds: float
    """Time stamp, counted from the start of the video stream."""
    image: Frame
    """uint8 [H, W, 3], RGB, upright."""


@dataclass(frozen=True)
class Probe:
    """What a video's header says; nothing is decoded."""

    fps: float
    """Mean frames per second."""
    n_frames: int | None
    """Frames in the video stream; None where the header does not count them."""
    seconds: float | None
    """Duration of the video stream; None where the header does not say."""
    width: int
    """Pixels, before rotation."""
    height: int
    """Pixels, before rotation."""


def probe(path: str | Path) -> Probe:
    """Read a video's header: milliseconds, whatever its length.

    Raises:
        VideoError: missing, empty, not a video, or without a video stream.
    """
    with _open(Path(path)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate or stream.base_rate
        return Probe(
            float(rate) if rate else 0.0,
            stream.frames or None,
            _duration(stream),
            stream.width,
            stream.height,
        )


def sample(
    path: str | Path, fps: float | None = None, every_nth_frame: int | None = None
) -> Iterator[Sampled]:
    """The sampled frames of a video, in order of time; memory holds one frame at a time.

    Args:
        path: the video file.
        fps: steps per second. Step k is the frame whose time stamp is nearest to k / fps; a frame
            that is nearest to several of these times (a frozen picture, or `fps` above the video's
            own rate) comes once.
        every_nth_frame: frames 0, n, 2n, ... instead. Exactly one of the two is given.

    Raises:
        VideoError: the file cannot be opened, holds no frame, or decoding ends early: it misses
            more than 2 frames, and more than a second or 2 %, of what the header states.
        ValueError: both or neither of `fps` and `every_nth_frame`, or one that is not positive.
    """
    path = Path(path)
    if (fps is None) == (every_nth_frame is None) or (fps or every_nth_frame or 0) <= 0:
        raise ValueError(
            f"fps={fps}, every_nth_frame={every_nth_frame}: give one of them, positive"
        )
    head = probe(path)
    wanted = deque(_nearest(frame_times(path), fps)) if fps else None
    n_decoded, seconds = 0, 0.0
    video = cv2.VideoCapture(str(path))
    try:
        for index, seconds in _grab(video, head.fps):
            n_decoded = index + 1
            if wanted is None:
                take = index % (every_nth_frame or 1) == 0
            else:
                take = bool(wanted) and seconds > wanted[0] - CLOCK
                while take and wanted and wanted[0] < seconds + CLOCK:
                    wanted.popleft()
            if take:
                ok, picture = video.retrieve()
                if not ok:
                    break
                yield Sampled(
                    index, seconds, np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
                )
    finally:
        video.release()
    _check_length(path, n_decoded, seconds, head)


def step_frames(
    times: npt.NDArray[np.float64], fps: float | None = None, every_nth_frame: int | None = None
) -> npt.NDArray[np.int64]:
    """[T] frame indices of the steps that `sample` gives of a video, from its `frame_times`."""
    if fps is None:
        return np.arange(0, len(times), every_nth_frame or 1)
    return np.searchsorted(times, _nearest(times, fps))


def frame_times(path: str | Path) -> npt.NDArray[np.float64]:
    """[n_frames] time stamps of all frames in seconds from the start of the stream, increasing;
    read without decoding.

    A stream without time stamps gets them from its mean frame rate.
    """
    with _open(Path(path)) as container:
        stream = container.streams.video[0]
        packets = 0
        stamps = []
        try:
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    packets += 1
                    stamps += [packet.pts] if packet.pts is not None else []
        except av.FFmpegError:
            pass  # a broken end: the decoder decides how far the video goes
        if len(stamps) < packets:
            rate = float(stream.average_rate or stream.guessed_rate or 25)
            return np.arange(packets) / rate
        return (np.unique(stamps) - (stream.start_time or 0)) * float(stream.time_base or 0)


def _nearest(times: npt.NDArray[np.float64], fps: float) -> npt.NDArray[np.float64]:
    """The time stamps nearest to 0, 1 / fps, 2 / fps, ..., each once, up to half a frame behind the
    last.
    """
    if len(times) < 2:
        return times
    end = times[-1] + (times[-1] - times[0]) / (len(times) - 1) / 2
    asked = times[0] + np.arange(math.floor((end - times[0]) * fps) + 1) / fps
    right = np.searchsorted(times, asked).clip(1, len(times) - 1)
    earlier = asked - times[right - 1] <= times[right] - asked
    nearest: npt.NDArray[np.float64] = times[np.unique(right - earlier)]
    return nearest


def _grab(video: cv2.VideoCapture, fps: float) -> Iterator[tuple[int, float]]:
    """Decode frame after frame: (index, time stamp). The picture itself is only made by
    `video.retrieve()`.
    """
    index, seconds = 0, -math.inf
    while video.grab():
        seconds = _seconds(video.get(cv2.CAP_PROP_POS_MSEC) / 1000, seconds, index, fps)
        yield index, seconds
        index += 1


def _seconds(stamp: float, previous: float, index: int, fps: float) -> float:
    """The frame's time stamp; where the container has none (OpenCV then repeats 0), the mean frame
    rate's.
    """
    return stamp if stamp > previous or not fps else index / fps


def _check_length(path: Path, n_decoded: int, last: float, head: Probe) -> None:
    """Compare what was decoded (frames, time stamp of the last one) with the header."""
    if n_decoded == 0:
        raise VideoError(
            f"{path}: no frame can be decoded: the file is damaged, or its codec is unknown to"
            " OpenCV"
        )
    if head.n_frames is not None:
        lost, found = head.n_frames - n_decoded, f"{n_decoded} of {head.n_frames} frames"
        short = lost > max(2, min(head.fps, 0.02 * head.n_frames))
    elif head.seconds is not None and head.fps:
        short = head.seconds - last > max(3 / head.fps, min(1, 0.02 * head.seconds))
        found = f"{n_decoded} frames ({last:.1f} of {head.seconds:.1f} seconds)"
    else:
        return
    if short:
        raise VideoError(
            f"{path}: damaged: only {found} can be decoded: repair the file or leave it out"
        )


def _duration(stream: av.VideoStream) -> float | None:
    """Seconds of the stream; Matroska files keep its end in a tag such as `00:01:02.500000000`."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = map(float, parts)
    except ValueError:
        return None
    return (
        3600 * hours
        + 60 * minutes
        + seconds
        - float((stream.start_time or 0) * (stream.time_base or 0))
    )


def _open(path: Path) -> "av.container.InputContainer":
    """The container of a file with a video stream, or a VideoError that says why not."""
    if not path.is_file():
        raise VideoError(
            f"{path}: {'a folder, not a video file' if path.is_dir() else 'no such video file'}"
        )
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: the file is empty")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(f"{path}: not a readable video ({reason})") from None
    if not any(
        not stream.disposition & Disposition.attached_pic for stream in container.streams.video
    ):
        container.close()
        raise VideoError(
            f"{path}: has no video stream (only"
            f" {', '.join(sorted({s.type for s in container.streams})) or 'nothing'})"
        )
    return container
