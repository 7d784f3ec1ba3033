"""The moving preview: the summary's pictures in its order, small, and endless; read back by
Pillow.
"""

import numpy as np
import pytest

from llmvs.summary import preview
from llmvs.summary.preview import (
    LARGEST,
    LEAST,
    MOST,
    PER_SECOND,
    SHOWN,
    SIDE,
    animated,
    small,
    write_preview,
)
from llmvs.video.writer import write


def read(path):
    """Its pictures, and for how many milliseconds each is shown."""
    image = pytest.importorskip("PIL.Image", reason="needs pillow").open(path)
    found, shown = [], []
    for number in range(image.n_frames):
        image.seek(number)
        found.append(np.asarray(image.convert("RGB"), int))
        shown.append(image.info.get("duration"))
    assert image.n_frames == 1 or image.info["loop"] == 0  # for ever
    return found, shown


def passing(path, seconds, fps=10):
    """A video in which a white bar passes from left to right at an even pace."""
    n_frames = round(seconds * fps)

    def frames():
        for number in range(n_frames):
            image = np.zeros((180, 320, 3), np.uint8)
            at = 300 * number // n_frames
            image[:, at : at + 20] = 255
            yield image

    write(path, frames(), fps)
    return path


@pytest.mark.parametrize(
    ("seconds", "per_second"), [(0.5, 10), (1, LEAST), (9, PER_SECOND), (40, MOST / 40)]
)
def test_pictures_of_the_whole_summary_in_its_order(tmp_path, seconds, per_second):
    write_preview(passing(tmp_path / "a.mp4", seconds), seconds, tmp_path / "a.webp")
    found, shown = read(tmp_path / "a.webp")
    assert len(found) in (round(seconds * per_second), round(seconds * per_second) + 1)
    assert set(shown) == {SHOWN}
    bars = [np.flatnonzero(picture.mean(axis=(0, 2)) > 128).mean() - 9.5 for picture in found]
    expected = 300 * np.arange(len(found)) / per_second / seconds
    assert bars == pytest.approx(expected, abs=300 * 0.06 / seconds + 3)


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((720, 1280), (180, 320)),
        ((1280, 720), (320, 180)),
        ((96, 100), (308, 320)),
        ((2, 900), (2, 320)),
    ],
)
def test_the_longer_side_is_320_and_both_are_even(size, fitted):
    assert max(fitted) == SIDE
    assert small(np.zeros((*size, 3), np.uint8)).shape[:2] == fitted


def test_colours_are_kept(tmp_path):
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[:, :80], picture[:, 80:] = (200, 60, 40), (30, 90, 210)
    (tmp_path / "a.webp").write_bytes(animated([picture, picture], 60))
    found, _ = read(tmp_path / "a.webp")
    assert np.abs(found[0][10:80, 10:70] - (200, 60, 40)).max() < 8
    assert np.abs(found[0][10:80, 90:150] - (30, 90, 210)).max() < 8


def test_noise_stays_small_too(tmp_path):
    rng = np.random.default_rng(0)
    noise = (rng.integers(0, 255, (320, 320, 3)).astype(np.uint8) for _ in range(64))
    write(tmp_path / "a.mp4", noise, 2, x264={"preset": "ultrafast", "crf": "1"})
    write_preview(tmp_path / "a.mp4", 32, tmp_path / "a.webp")
    assert 500_000 < (tmp_path / "a.webp").stat().st_size <= LARGEST


def test_an_ffmpeg_without_the_encoder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(preview, "ENCODER", "nosuch")
    write_preview(passing(tmp_path / "a.mp4", 1), 1, tmp_path / "a.webp")
    assert not (tmp_path / "a.webp").exists()
    assert "no a.webp: this FFmpeg has no encoder nosuch" in capsys.readouterr().err
