"""Pixels that are not square: told from the header, and undone in pictures."""

from fractions import Fraction

import av
import numpy as np
import pytest

from llmvs.errors import VideoError
from llmvs.video.pictures import pictures
from llmvs.video.shape import pixel_aspect, square
from tests.films import film
from tests.video.test_cutter import turn


def wide(path, aspect=Fraction(16, 11), seconds=8, size=(72, 96), codec="libx264"):
    """A film of a white disc, as it is stored where pixels are `aspect` times wider than high."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    disc = np.hypot(rows - height / 2, (columns - width / 2) * float(aspect)) < height / 3
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for number in range(10 * seconds):
            image = np.repeat((30 + number % 40 + 180 * disc)[..., None], 3, axis=2)
            frame = av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def roundness(image: np.ndarray) -> float:
    """Width of the disc in a picture, divided by its height."""
    disc = image.mean(axis=2) > 140
    return disc.any(axis=0).sum() / disc.any(axis=1).sum()


@pytest.mark.parametrize("aspect", [Fraction(4, 3), Fraction(16, 11), Fraction(8, 9)])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_disc_is_round(aspect, suffix, tmp_path):
    path = wide(tmp_path / f"a.{suffix}", aspect, seconds=1)
    assert pixel_aspect(path) == aspect
    [(_, image)] = pictures(path, [4], np.arange(10) / 10)
    assert roundness(image) == pytest.approx(1, abs=0.06)
    assert image.shape[0] >= 72
    assert image.shape[1] >= 96


def test_turned_pixels_are_turned(tmp_path):
    path = wide(tmp_path / "a.mp4", Fraction(16, 11), seconds=1)
    turn(path, 90)
    assert pixel_aspect(path) == Fraction(11, 16)
    [(_, image)] = pictures(path, [4], np.arange(10) / 10)
    assert image.shape[0] > image.shape[1]
    assert roundness(image) == pytest.approx(1, abs=0.06)


def test_headers_that_say_nothing_or_nonsense(tmp_path):
    assert pixel_aspect(film(tmp_path / "a.mp4", 1)) == 1
    assert pixel_aspect(wide(tmp_path / "b.mp4", Fraction(200, 1), seconds=1)) == 1
    with pytest.raises(VideoError):
        pixel_aspect(tmp_path / "none.mp4")


def test_square_pixels_stay_as_they_are():
    image = np.zeros((4, 6, 3), np.uint8)
    assert square(image, Fraction(1)) is image
    assert square(image, Fraction(2)).shape == (4, 12, 3)
    assert square(image, Fraction(1, 2)).shape == (8, 6, 3)
