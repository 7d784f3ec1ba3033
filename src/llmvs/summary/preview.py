"""A small moving preview of a summary (animated WebP), as chats, slides and READMEs show it."""

import io
import logging
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from llmvs.files import atomic
from llmvs.video.decoders import Frame
from llmvs.video.reader import sample
from llmvs.video.shape import pixel_aspect, square

logger = logging.getLogger(__name__)

ENCODER = "libwebp_anim"
SIDE = 320
"""Pixels of the longer side."""
PER_SECOND = 2.0
"""Pictures of every second of the summary ..."""
LEAST, MOST = 8, 32
"""... but so many at least and at most."""
SHOWN = 200
"""Milliseconds for which each is shown."""
QUALITIES = (60, 30, 5)
"""Of the encoder, from 0 to 100: the next one where the file gets too large."""
LARGEST = 1_500_000
"""Bytes."""


def write_preview(video: Path, seconds: float, path: Path) -> None:
    """Write pictures of a summary, evenly spread over it, as one animation that runs in a circle.

    Args:
        video: the summary.
        seconds: how long it is.
        path: the file, ending in .webp.

    Raises:
        VideoError: the summary cannot be decoded.
        UserError: the folder cannot be written.
    """
    if ENCODER not in av.codecs_available:
        logger.warning("note: no %s: this FFmpeg has no encoder %s", path.name, ENCODER)
        return
    fps = min(max(PER_SECOND, LEAST / seconds), MOST / seconds)
    aspect = pixel_aspect(video)
    pictures = [small(square(step.image, aspect)) for step in sample(video, fps=fps)]
    content = b""
    for quality in QUALITIES:
        content = animated(pictures, quality)
        if len(content) <= LARGEST:
            break
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def small(image: Frame) -> Frame:
    """A picture of which the longer side has `SIDE` pixels, and both an even number."""
    scale = SIDE / max(image.shape[:2])
    height, width = (max(2, 2 * round(length * scale / 2)) for length in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def animated(pictures: Sequence[Frame], quality: int) -> bytes:
    """Encode pictures of one size as an animated WebP file.

    Args:
        pictures: uint8 [H, W, 3] each, RGB, H and W even.
        quality: 0 to 100.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="webp", options={"loop": "0"}) as container:
        stream: VideoStream = container.add_stream(
            ENCODER, rate=Fraction(1000, SHOWN), options={"quality": str(quality)}
        )
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number * SHOWN, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
