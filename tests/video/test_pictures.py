"""Jumping to frames gives what reading from the beginning gives."""

import shutil

import numpy as np
import pytest

from llmvs.video import pictures as module
from llmvs.video.decoders import SMALL, decode
from llmvs.video.pictures import pictures
from tests.films import film
from tests.video.test_reader import CLIPS, needs_clips, write_video

UNEVEN = [0, 3, 50, 52, 54, 130, 135, 200, 201, 290, *range(300, 700, 4)]


def same(path):
    read = {frame.frame: frame.picture() for frame in decode(path, "pyav")}
    times = np.array([frame.seconds for frame in decode(path, "pyav")])
    wanted = sorted({0, len(read) // 3, len(read) // 2, len(read) - 1})
    found = dict(pictures(path, wanted[::-1], times))
    assert list(found) == wanted
    for frame in wanted:
        assert (found[frame] == read[frame]).all()


@pytest.mark.parametrize(
    ("codec", "suffix", "b_frames"),
    [("mpeg4", "mkv", 2), ("libx264", "mp4", 3), ("libx264", "ts", 3), ("mpeg4", "avi", 0)],
)
def test_the_same_frames(tmp_path, codec, suffix, b_frames):
    stamps = UNEVEN if suffix != "avi" else list(range(0, 400, 4))
    same(write_video(tmp_path / f"a.{suffix}", stamps, codec, b_frames=b_frames))


def test_a_jump_is_not_a_reading(tmp_path, monkeypatch):
    path = film(tmp_path / "a.mp4", 8)
    monkeypatch.setattr(module, "decode", None)
    assert [frame for frame, _ in pictures(path, [3, 70], np.arange(80) / 10)] == [3, 70]


def test_where_a_jump_fails_the_video_is_read(tmp_path, monkeypatch):
    path = film(tmp_path / "a.mp4", 8)
    wrong = np.arange(80) / 10 + 0.03
    assert [frame for frame, _ in pictures(path, [3, 70], wrong)] == [3, 70]


def test_recordings_joined_end_to_end(tmp_path):
    parts = [write_video(tmp_path / f"{i}.ts", list(range(0, 300, 4)), "libx264") for i in range(2)]
    with (tmp_path / "both.ts").open("wb") as both:
        for part in parts:
            with part.open("rb") as one:
                shutil.copyfileobj(one, both)
    same(tmp_path / "both.ts")


@needs_clips
@pytest.mark.parametrize("name", ["video_90.mov", "no_duration.webm", "fire2.mp4"])
def test_real_clips(name):
    same(CLIPS / name)


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
def test_small_grey_pictures_of_both_decoders_agree(tmp_path, codec):
    path = write_video(tmp_path / "a.mkv", list(range(0, 80, 4)), codec)
    for one, other in zip(decode(path, "opencv"), decode(path, "pyav"), strict=True):
        a, b = one.luma(), other.luma()
        assert a.shape == b.shape == SMALL[::-1]
        # One is brightness as stored (16 to 235), the other of the picture (0 to 255).
        assert a.astype(float) == pytest.approx((b.astype(float) - 16) * 255 / 219, abs=3)


def test_a_format_without_a_plane_of_brightness(tmp_path):
    import av

    from llmvs.video.decoders import _luma

    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 100, np.uint8), format="rgb24")
    assert _luma(frame) == pytest.approx(100, abs=1)
    deep = frame.reformat(format="yuv420p10le")
    assert _luma(deep).astype(float) == pytest.approx(100, abs=20)
