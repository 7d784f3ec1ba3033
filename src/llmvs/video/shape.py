"""The shape of a video's pixels: those of old cameras, discs and broadcasts are not square."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from llmvs.video.container import open_video
from llmvs.video.decoders import Frame

SQUARE = Fraction(1)
FAR = 8
"""How many times wider than high (or higher than wide) a pixel may be; beyond, the header is wrong.
"""


def pixel_aspect(path: str | Path) -> Fraction:
    """Give the width of a pixel of the upright picture, divided by its height.

    Raises:
        VideoError: not a video.
    """
    with open_video(path) as (container, stream):
        stored = stream.sample_aspect_ratio
        if not stored or stored == 1 or not Fraction(1, FAR) <= stored <= FAR:
            return SQUARE
        try:
            turned = next(container.decode(stream)).rotation % 180 != 0
        except (StopIteration, av.FFmpegError):
            turned = False
        return 1 / stored if turned else stored


def square(image: Frame, aspect: Fraction) -> Frame:
    """Give a picture of square pixels; the side that is too short is made longer.

    Args:
        image: uint8 [H, W, 3].
        aspect: of its pixels, as `pixel_aspect` gives it.
    """
    if aspect == 1:
        return image
    height, width = image.shape[:2]
    size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
