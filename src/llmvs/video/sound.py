"""How loud a video is at each of its steps."""

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from llmvs.video.clock import RESTART
from llmvs.video.container import open_video

logger = logging.getLogger(__name__)

SILENCE = -60.0
"""Decibels below full scale from where on everything is silent."""


def loudness(
    path: Path, seconds: npt.NDArray[np.float64], end: float
) -> npt.NDArray[np.float64] | None:
    """Measure the sound's mean power during each step; memory holds one piece of sound at a time.

    Pieces that cannot be decoded are silent.

    Args:
        path: the video file.
        seconds: [T] when the steps begin, from the start of the video stream.
        end: seconds, when the last step ends.

    Returns:
        [T] decibels, from `SILENCE` to 0 (full scale); None where there is no sound, or none that
        can be decoded.
    """
    edges = np.append(seconds, end)
    power, samples = np.zeros(len(seconds)), np.zeros(len(seconds))
    with open_video(path) as (container, video):
        heard = sound_of(container)
        if heard is None:
            return None
        damaged = _measure(container, video, heard, edges, power, samples)
    if damaged:
        logger.warning("note: %s: %s pieces of sound cannot be decoded", path, damaged)
    if not samples.any():
        return None
    mean = np.divide(power, samples, out=np.zeros_like(power), where=samples > 0)
    decibels = 10 * np.log10(np.maximum(mean, 1e-12))
    return np.clip(decibels, SILENCE, 0.0)


def _measure(
    container: InputContainer,
    video: VideoStream,
    heard: AudioStream,
    edges: npt.NDArray[np.float64],
    power: npt.NDArray[np.float64],
    samples: npt.NDArray[np.float64],
) -> int:
    """Add the squares of all samples to `power`, how many there are to `samples`; count what cannot
    be decoded. Where time stamps begin again, time goes on where it was.
    """
    start = float((video.start_time or 0) * (video.time_base or 0))
    damaged, end = 0, -math.inf
    for frame in decoded(container, heard):
        if frame is None:
            damaged += 1
        elif frame.time is not None:
            if frame.time - start < end - RESTART:
                start = frame.time - end
            length = frame.samples / (frame.sample_rate or 1)
            end = frame.time - start + length
            middle = end - length / 2
            step = int(np.searchsorted(edges, middle, side="right")) - 1
            if 0 <= step < len(power):
                power[step] += _mean_square(frame) * frame.samples
                samples[step] += frame.samples
    return damaged


def sound_of(container: InputContainer) -> AudioStream | None:
    """Give the track that a player would choose; None where there is none that can be decoded."""
    best: AudioStream | None = container.streams.best("audio")  # type: ignore[assignment]
    return best if best is not None and best.codec_context is not None else None


def decoded(container: InputContainer, heard: AudioStream) -> Iterator[av.AudioFrame | None]:
    """Decode a track to the end of the file; None stands for each piece that cannot be decoded."""
    try:
        for packet in container.demux(heard):
            try:
                yield from packet.decode()
            except av.FFmpegError:
                yield None
    except av.FFmpegError:
        yield None  # the file ends here; whoever decodes the pictures says so


def _mean_square(frame: av.AudioFrame) -> float:
    """The mean power over samples and channels, 1 at full scale."""
    samples: npt.NDArray[Any] = frame.to_ndarray()
    if samples.dtype == np.uint8:
        wave = samples / 128.0 - 1
    elif samples.dtype.kind == "i":
        wave = samples / float(2 ** (8 * samples.dtype.itemsize - 1))
    else:
        wave = samples.astype(np.float64)
    mean = float(np.mean(np.square(wave)))
    return mean if np.isfinite(mean) else 0.0
