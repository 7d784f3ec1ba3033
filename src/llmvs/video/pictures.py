"""Single frames of a video, by jumping to them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from llmvs.video.clock import timeline
from llmvs.video.container import open_video
from llmvs.video.decoders import Frame, decode, upright
from llmvs.video.shape import pixel_aspect, square

NEAR = 1e-4
"""Seconds by which two readings of one time stamp may differ."""


def pictures(
    path: Path, frames: Sequence[int], times: npt.NDArray[np.float64]
) -> Iterator[tuple[int, Frame]]:
    """Give some frames of a video, in order of time and in the shape in which they are seen; memory
    holds one at a time.

    It jumps to each frame by its time stamp. Where that does not lead to exactly this frame (no
    index, no time stamps, recordings joined end to end) the video is read from its beginning.

    Args:
        path: the video file.
        frames: indices, in the order of showing.
        times: [n_frames] seconds from the start of the stream.

    Raises:
        VideoError: not a video.
    """
    aspect = pixel_aspect(path)
    for frame, image in _stored(path, sorted(set(frames)), times):
        yield frame, square(image, aspect)


def _stored(
    path: Path, wanted: Sequence[int], times: npt.NDArray[np.float64]
) -> Iterator[tuple[int, Frame]]:
    left = wanted
    if not timeline(path)[1]:
        with open_video(path) as (container, stream):
            stream.thread_type = "AUTO"
            for done, frame in enumerate(wanted):
                image = _jump(container, stream, float(times[frame]))
                if image is None:
                    break
                left = wanted[done + 1 :]
                yield frame, image
    if left:
        yield from _read(path, left)


def _jump(container: InputContainer, stream: VideoStream, seconds: float) -> Frame | None:
    """The frame with this time stamp; None where it is not found behind the jump."""
    unit, start = float(stream.time_base or 0), stream.start_time or 0
    if not unit:
        return None
    try:
        container.seek(round(seconds / unit) + start, stream=stream)
        for frame in container.decode(stream):
            if frame.pts is None:
                return None
            shown = (frame.pts - start) * unit
            if shown > seconds - NEAR:
                return upright(frame) if shown < seconds + NEAR else None
    except av.FFmpegError:
        return None
    return None


def _read(path: Path, wanted: Sequence[int]) -> Iterator[tuple[int, Frame]]:
    ahead = set(wanted)
    for frame in decode(path, "pyav"):
        if frame.frame in ahead:
            image = frame.picture()
            if image is not None:
                yield frame.frame, image
        if frame.frame >= wanted[-1]:
            return
