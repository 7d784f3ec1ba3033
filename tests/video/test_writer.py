"""What is written is read back by other means: PyAV's decoder, OpenCV, a Fourier transform of the
sound.
"""

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from llmvs.errors import UserError
from llmvs.video.writer import read_tags, write


def frames(count: int = 30, height: int = 48, width: int = 64) -> Iterator[np.ndarray]:
    """A grey that grows lighter, with a red left and a blue right half."""
    for i in range(count):
        frame = np.full((height, width, 3), 40 + 4 * (i % 40), np.uint8)
        frame[:, : width // 2, 0] = 220
        frame[:, width // 2 :, 2] = 220
        yield frame


def tone(seconds: float, pitch: float, rate: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


def heard(path: Path) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)]), rate


def test_pictures_come_back(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    assert write(path, frames(), 24) == 30
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == (
            "h264",
            "yuv420p",
            24,
        )
        assert not container.streams.audio
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == 30
    for shown, meant in zip(decoded, frames(), strict=True):
        assert (
            np.abs(shown.astype(int) - meant)[:, 8:24].mean() < 6
        )  # away from the edge that chroma subsampling blurs
        assert np.abs(shown.astype(int) - meant)[:, 40:56].mean() < 6
    video = cv2.VideoCapture(str(path))
    assert video.read()[0]
    assert video.get(cv2.CAP_PROP_FPS) == 24


@pytest.mark.parametrize("fps", [24, 25, 30000 / 1001])
def test_duration(tmp_path: Path, fps: float) -> None:
    path = tmp_path / "clip.mp4"
    write(path, frames(50), fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(50 / fps, abs=0.002)


def test_sound_comes_back_at_its_pitch_and_place(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    rate = 16000
    sound = np.concatenate([tone(1.5, 440, rate), tone(1.5, 880, rate)])
    write(path, frames(72), 24, sound, rate)
    samples, found = heard(path)
    assert found == rate
    assert len(samples) / rate == pytest.approx(3, abs=0.15)
    for start, pitch in ((0.3, 440), (1.9, 880)):
        piece = samples[round(start * rate) : round((start + 1) * rate)]
        assert np.abs(np.fft.rfft(piece)).argmax() == pytest.approx(
            pitch, abs=2
        )  # a second long: bins are 1 Hz
        assert piece.std() == pytest.approx(0.5 / 2**0.5, rel=0.1)


def test_pictures_and_sound_lie_side_by_side(tmp_path: Path) -> None:
    """A player that reads the file front to back needs both within about a second of each other."""
    path = tmp_path / "clip.mp4"
    write(path, frames(240), 24, tone(10, 440, 16000), 16000)
    ahead = {"video": 0.0, "audio": 0.0}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.dts is not None:
                ahead[packet.stream.type] = float(packet.dts * packet.time_base)
                assert abs(ahead["video"] - ahead["audio"]) < 1.5


def test_same_frames_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write(tmp_path / name, frames(), 24, tone(1.25, 300, 16000), 16000, {"comment": "x"})
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_tags(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write(path, frames(), 24, tags={"comment": "synthetic", "title": "a grey"})
    assert read_tags(path)["comment"] == "synthetic"
    assert read_tags(path)["title"] == "a grey"
    path.write_bytes(b"not a video")
    assert read_tags(path) == {}
    assert read_tags(tmp_path / "absent.mp4") == {}


def test_sound_is_kept_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write(path, frames(48), 24, 40 * tone(2, 440, 16000), 16000)
    assert np.abs(heard(path)[0]).max() < 1.5


@pytest.mark.parametrize("shape", [(47, 64, 3), (48, 63, 3), (48, 64), (48, 64, 4)])
def test_wrong_shapes_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        write(tmp_path / "clip.mp4", iter([np.zeros(shape, np.uint8)]), 24)
    assert not list(tmp_path.iterdir())


def test_frames_of_two_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="among frames of"):
        write(
            tmp_path / "clip.mp4",
            iter([np.zeros((48, 64, 3), np.uint8), np.zeros((64, 48, 3), np.uint8)]),
            24,
        )


def test_no_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frames"):
        write(tmp_path / "clip.mp4", iter([]), 24)


def test_a_broken_off_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"old")

    def broken() -> Iterator[np.ndarray]:
        yield from frames(20)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, broken(), 24, tone(1, 440, 16000), 16000)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path / "file" / "clip.mp4", frames(), 24)
