"""When the frames of a video are shown, and which of them are its steps.

Frames are chosen **by time stamp**: by index, a clip of variable frame rate is off by seconds.
Where two recordings were joined end to end their time stamps begin again; time then goes on where
the first ended.
"""

import math
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.stream import VideoStream

from llmvs.errors import VideoError
from llmvs.video.container import mean_rate, open_video, probe

RESTART = 0.5
"""Seconds by which a time stamp must fall behind the one before it to be a new beginning: more than
frames are ever stored out of order.
"""
JUMP = 100
"""How many times the usual gap between two frames a jump of the time stamps is, at least."""


class Clock:
    """Turn the time stamps of one stream, in order of its frames, into seconds from its start."""

    def __init__(self, stream: VideoStream) -> None:
        """Read the stream's unit of time and its start."""
        self.unit = float(stream.time_base or 0)
        self.gap = round(1 / ((mean_rate(stream) or 25) * self.unit)) if self.unit else 1
        self.start = stream.start_time or 0
        self.order: int | None = None
        self.latest, self.shift = self.start, 0
        self.restarts = 0
        self.before: tuple[int, int] | None = None

    def stamp(self, order: int | None, shown: int) -> int:
        """Give the stamp at which a frame is shown, behind all recordings before its own.

        Args:
            order: the stamp by which frames come in order (of decoding or of showing); None:
                unknown, so it begins nothing new.
            shown: the stamp at which the frame is shown.
        """
        shift = self.shift
        if order is not None:
            far, last = RESTART / self.unit, order if self.order is None else self.order
            if order < last - far:
                self.before = last, self.shift
                self.shift = shift = self.latest + self.gap - shown
                self.restarts += 1
            if self.before is not None and abs(order - self.before[0]) < far < order - last:
                shift = self.before[1]  # decoders mix the last frames with the next recording's
            else:
                self.order = order
        self.latest = max(self.latest, shown + shift)
        return shown + shift

    def seconds(self, stamp: int) -> float:
        """Turn a stamp into seconds from the start of the stream."""
        return (stamp - self.start) * self.unit


def frame_times(path: str | Path) -> npt.NDArray[np.float64]:
    """Read the time stamps of all frames without decoding them.

    Returns:
        [n_frames] seconds from the start of the stream, in order; two frames may have the same. A
        stream without time stamps gets them from its mean frame rate.

    Raises:
        VideoError: not a video.
    """
    return timeline(path)[0]


def seconds_of(path: str | Path) -> float | None:
    """Give the length of a video without decoding it; None where neither its header nor its time
    stamps tell.

    A header that does not count frames may be that of the first of several recordings which were
    joined end to end: then the time stamps decide.

    Raises:
        VideoError: not a video, or an encrypted one.
    """
    head = probe(path)
    if head.n_frames is not None and head.seconds is not None:
        return head.seconds
    times, _ = timeline(path)
    if len(times) < 2:
        return head.seconds
    return float(times[-1]) + mean_gap(times)


def mean_gap(times: npt.NDArray[np.float64]) -> float:
    """Give the mean seconds between a frame and the next; a jump of the time stamps, as where the
    reception of a broadcast was lost, is none.

    Args:
        times: [n_frames] seconds, in order.

    Returns:
        0 of a single frame.

    >>> mean_gap(np.array([0, 1, 2, 602, 603.0]))
    1.0
    """
    gaps = np.diff(times)
    jumps = gaps[gaps > JUMP * np.median(gaps[gaps > 0])] if gaps.any() else gaps[:0]
    usual = len(gaps) - len(jumps)
    return float(times[-1] - times[0] - jumps.sum()) / usual if usual else 0.0


def timeline(path: str | Path) -> tuple[npt.NDArray[np.float64], bool]:
    """Give `frame_times`, and whether the time stamps begin again in the middle of the video.

    Raises:
        VideoError: not a video, or an encrypted one.
    """
    with open_video(path) as (container, stream):
        clock, packets, stamps = Clock(stream), 0, []
        try:
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    _check_open(path, packet)
                    packets += 1
                    if packet.pts is not None:
                        stamps.append(clock.stamp(packet.dts, packet.pts))
        except av.FFmpegError:
            pass  # a broken end: the decoder decides how far the video goes
        if len(stamps) < packets:
            return np.arange(packets) / (mean_rate(stream) or 25), False
        return (np.sort(stamps) - clock.start) * clock.unit, clock.restarts > 0


def _check_open(path: str | Path, packet: av.Packet) -> None:
    """Refuse encrypted pictures: decoders make noise of some of them without a word."""
    locked = getattr(packet, "has_sidedata", None)  # older releases of PyAV cannot tell
    if locked is not None and locked("encryption_info"):
        raise VideoError(
            f"{path}: its pictures are encrypted (DRM), so nothing can be seen of them: get a copy"
            " without"
        )


def nearest(times: npt.NDArray[np.float64], fps: float) -> npt.NDArray[np.float64]:
    """Choose the time stamps nearest to 0, 1 / fps, 2 / fps, ..., each once.

    Args:
        times: [n_frames] seconds, in order.
        fps: steps per second.

    Returns:
        [T] seconds, increasing, up to half a frame behind the last.
    """
    if len(times) < 2:
        return times
    end = times[-1] + (times[-1] - times[0]) / (len(times) - 1) / 2
    asked = times[0] + np.arange(math.floor((end - times[0]) * fps) + 1) / fps
    right = np.searchsorted(times, asked).clip(1, len(times) - 1)
    earlier = asked - times[right - 1] <= times[right] - asked
    return np.unique(times[right - earlier])


def step_frames(
    times: npt.NDArray[np.float64], fps: float | None = None, every_nth_frame: int | None = None
) -> npt.NDArray[np.int64]:
    """Give the frames that `llmvs.video.reader.sample` takes of a video.

    Args:
        times: [n_frames] seconds, as `frame_times` gives them.
        fps: steps per second; None: `every_nth_frame` decides.
        every_nth_frame: a step every so many frames.

    Returns:
        [T] frame indices of the steps.
    """
    if fps is None:
        return np.arange(0, len(times), every_nth_frame or 1)
    return np.searchsorted(times, nearest(times, fps))
