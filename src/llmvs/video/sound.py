"""How loud a video is at each of its steps."""

import logging
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

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
        if not container.streams.audio:
            return None
        damaged = _measure(container, video, edges, power, samples)
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
    edges: npt.NDArray[np.float64],
    power: npt.NDArray[np.float64],
    samples: npt.NDArray[np.float64],
) -> int:
    """Add the squares of all samples to `power`, how many there are to `samples`; count what cannot
    be decoded.
    """
    stream = container.streams.audio[0]
    start = float((video.start_time or 0) * (video.time_base or 0))
    damaged = 0
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                damaged += 1
                continue
            for frame in frames:
                if frame.time is None:
                    continue
                middle = frame.time - start + frame.samples / (frame.sample_rate or 1) / 2
                step = int(np.searchsorted(edges, middle, side="right")) - 1
                if 0 <= step < len(power):
                    power[step] += _mean_square(frame) * frame.samples
                    samples[step] += frame.samples
    except av.FFmpegError:
        damaged += 1  # the file ends here; whoever decodes the pictures says so
    return damaged


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
