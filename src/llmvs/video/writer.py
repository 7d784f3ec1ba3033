"""Write frames and sound to an mp4 file that plays everywhere: H.264 (yuv420p) and AAC, encoded by
PyAV.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from llmvs.files import atomic


def write(
    path: Path,
    frames: Iterable[npt.NDArray[np.uint8]],
    fps: float,
    sound: npt.NDArray[np.float32] | None = None,
    rate: int = 48000,
    tags: Mapping[str, str] | None = None,
    x264: Mapping[str, str] | None = None,
) -> int:
    """Write a video file, whole or not at all; return the number of frames.

    One thread encodes, so the same frames make the same bytes on the same machine.

    Args:
        path: the file, ending in .mp4.
        frames: RGB pictures, uint8 [height, width, 3], all of one size; height and width even.
        fps: frames per second.
        sound: mono, float [samples] in [-1, 1]; None: a silent file.
        rate: samples of sound per second.
        tags: the file's own metadata: `title`, `comment`, ...
        x264: the encoder's options, such as `preset` and `crf`; None: small files of good quality.

    Raises:
        ValueError: no frames, or a frame of another or an odd size.
        UserError: the folder cannot be written.
    """
    with atomic(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        container.metadata.update(tags or {})
        track = None
        count = 0
        ahead = iter(frames)
        first = next(ahead, None)
        if first is None:
            raise ValueError(f"{path}: no frames to write")
        video = _video_stream(
            container, first.shape, fps, x264 or {"preset": "veryfast", "crf": "23"}
        )
        if sound is not None:
            track = _Sound(container, sound, rate)
        for count, frame in enumerate(_chain(first, ahead), start=1):
            container.mux(video.encode(_picture(frame, video)))
            if track is not None:
                track.write_until(count / fps)
        container.mux(video.encode(None))
        if track is not None:
            track.finish()
    return count


def read_tags(path: Path) -> dict[str, str]:
    """A video file's own metadata; empty when the file cannot be read as a video."""
    try:
        with av.open(str(path)) as container:
            return dict(container.metadata)
    except (OSError, ValueError):
        return {}


def _chain(
    first: npt.NDArray[np.uint8], rest: Iterator[npt.NDArray[np.uint8]]
) -> Iterator[npt.NDArray[np.uint8]]:
    yield first
    yield from rest


def _video_stream(
    container: OutputContainer, shape: tuple[int, ...], fps: float, x264: Mapping[str, str]
) -> VideoStream:
    if len(shape) != 3 or shape[2] != 3 or shape[0] % 2 or shape[1] % 2:
        raise ValueError(
            f"a frame of shape {shape}: must be [height, width, 3], height and width even"
        )
    stream = container.add_stream(
        "libx264", rate=Fraction(fps).limit_denominator(1001), options=dict(x264)
    )
    stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], "yuv420p"
    stream.codec_context.thread_count = 1
    return stream


def _picture(frame: npt.NDArray[np.uint8], stream: VideoStream) -> av.VideoFrame:
    if frame.shape != (stream.height, stream.width, 3):
        raise ValueError(
            f"a frame of shape {frame.shape} among frames of {(stream.height, stream.width, 3)}"
        )
    planes = np.asarray(
        cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420), np.uint8
    )  # half the time of FFmpeg's own conversion
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


class _Sound:
    """The sound of a file, written in step with its pictures so that players need not jump about in
    the file.
    """

    def __init__(
        self, container: OutputContainer, samples: npt.NDArray[np.float32], rate: int
    ) -> None:
        self.container, self.rate, self.done = container, rate, 0
        self.samples = np.clip(samples, -1, 1).astype(np.float32)
        self.stream: AudioStream = container.add_stream(
            "aac", rate=rate, layout="mono", options={"aac_coder": "fast"}
        )

    def write_until(self, seconds: float) -> None:
        """Encode what is due, in pieces of at least half a second."""
        end = min(round(seconds * self.rate), len(self.samples))
        if end - self.done >= self.rate // 2:
            self._encode(end)

    def finish(self) -> None:
        """Encode the rest."""
        self._encode(len(self.samples))
        self.container.mux(self.stream.encode(None))

    def _encode(self, end: int) -> None:
        if end > self.done:
            piece = av.AudioFrame.from_ndarray(
                self.samples[None, self.done : end], format="fltp", layout="mono"
            )
            piece.sample_rate, piece.pts, piece.time_base = (
                self.rate,
                self.done,
                Fraction(1, self.rate),
            )
            self.container.mux(self.stream.encode(piece))
            self.done = end
