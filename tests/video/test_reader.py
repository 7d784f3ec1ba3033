"""Sampling against PyAV's own decoding: the right frames, upright, and one clear line for every
kind of broken file.
"""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from llmvs.errors import VideoError
from llmvs.video.reader import frame_times, probe, sample

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"
needs_clips = pytest.mark.skipif(
    not CLIPS.is_dir(), reason="real clips not at hand (../shared/data/clips)"
)


def write_video(
    path: Path,
    stamps: list[int],
    codec: str = "mpeg4",
    per_second: int = 100,
    offset: int = 0,
    b_frames: int = 0,
) -> Path:
    """A video of frames at the given time stamps; frame i is a grey of brightness 10 + 8 i, modulo
    240.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, per_second)
        stream.codec_context.max_b_frames = b_frames
        for i, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(
                np.full((48, 64, 3), (10 + 8 * i) % 240, np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = stamp + offset, Fraction(1, per_second)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def oracle(path: Path) -> tuple[np.ndarray, list[np.ndarray], int]:
    """PyAV's time stamps and pictures (as stored, not rotated) and the rotation in degrees."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        start = stream.start_time or 0
        times = np.array([(frame.pts - start) * float(frame.time_base) for frame in frames])
        return times, [frame.to_ndarray(format="rgb24") for frame in frames], frames[0].rotation


@needs_clips
@pytest.mark.parametrize(
    "name",
    [
        "fire2.mp4",
        "nasa_13013.mp4",
        "no_duration.webm",
        "video_90.mov",
        "video_with_failing_audio.mp4",
    ],
)
@pytest.mark.parametrize("fps", [2.0, 3.7])
def test_steps_are_the_frames_nearest_in_time(name: str, fps: float) -> None:
    times, pictures, rotation = oracle(CLIPS / name)
    steps = list(sample(CLIPS / name, fps=fps))
    asked = np.arange(len(steps)) / fps
    for step, when in zip(steps, asked, strict=True):
        best = np.abs(times - when).min()
        assert abs(times[step.index] - when) == pytest.approx(best, abs=1e-6)
        assert step.seconds == pytest.approx(times[step.index], abs=1e-3)
    turned = np.rot90(pictures[steps[-1].index], rotation // 90)
    assert steps[-1].image.shape == turned.shape
    assert np.abs(steps[-1].image.astype(int) - turned).mean() < 4


@needs_clips
def test_variable_rate_steps_lie_within_half_a_frame() -> None:
    times, _, rotation = oracle(CLIPS / "fire2.mp4")
    assert abs(rotation) == 180
    assert np.ptp(np.diff(times)) > 0.01  # truly variable
    for k, step in enumerate(sample(CLIPS / "fire2.mp4", fps=2)):
        assert abs(times[step.index] - k / 2) <= np.diff(times).max() / 2 + 1e-6


@pytest.mark.parametrize(
    ("suffix", "codec", "b_frames"),
    [
        (".mp4", "libx264", 2),
        (".mp4", "mpeg4", 0),
        (".mkv", "libx264", 2),
        (".webm", "libvpx-vp9", 0),
    ],
)
def test_time_stamps_decide_not_indices(
    tmp_path: Path, suffix: str, codec: str, b_frames: int
) -> None:
    stamps = [
        0,
        4,
        8,
        52,
        100,
        104,
        108,
        112,
        149,
        250,
        260,
        300,
    ]  # hundredths of a second, with a long frozen stretch
    path = write_video(tmp_path / f"gaps{suffix}", stamps, codec, b_frames=b_frames)
    np.testing.assert_allclose(frame_times(path), np.array(stamps) / 100, atol=1e-3)
    steps = list(sample(path, fps=2))
    assert [step.index for step in steps] == [
        0,
        3,
        4,
        8,
        9,
        11,
    ]  # 2.0 s is nearest to 1.49 (again) and comes once; 2.5, 3.0
    assert [int(step.image.mean()) for step in steps] == pytest.approx(
        [10 + 8 * step.index for step in steps], abs=3
    )


def test_stream_that_starts_late(tmp_path: Path) -> None:
    path = write_video(tmp_path / "late.mkv", list(range(0, 200, 4)), "libx264", offset=500)
    assert [step.index for step in sample(path, fps=5)] == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]


def test_every_nth_frame_counts_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "count.mp4", list(range(0, 128, 4)))
    assert [step.index for step in sample(path, every_nth_frame=15)] == [0, 15, 30]
    assert probe(path).n_frames == 32
    assert probe(path).fps == pytest.approx(25)


def test_faster_than_the_video_gives_every_frame_once(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slow.mp4", [0, 50, 100, 150])
    assert [step.index for step in sample(path, fps=30)] == [0, 1, 2, 3]


def test_streams_without_time_stamps_use_the_frame_rate(tmp_path: Path) -> None:
    path = tmp_path / "plain.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for i in range(30):
        writer.write(np.full((48, 64, 3), 5 * i, np.uint8))
    writer.release()
    assert [step.index for step in sample(path, fps=2)] == [0, 5, 10, 15, 20, 25]


def cut_in_half(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def truncated_mp4(tmp_path: Path) -> Path:
    return cut_in_half(write_video(tmp_path / "cut.mp4", list(range(0, 400, 4))))


def truncated_mkv(tmp_path: Path) -> Path:
    return cut_in_half(write_video(tmp_path / "cut.mkv", list(range(0, 400, 4)), "mpeg4"))


def audio_only(tmp_path: Path) -> Path:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def renamed_text(tmp_path: Path) -> Path:
    path = tmp_path / "notes.mp4"
    path.write_text("this is no video\n" * 50)
    return path


def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.mp4"
    path.touch()
    return path


def no_frames(tmp_path: Path) -> Path:
    path = tmp_path / "none.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: folder / "absent.mp4", "no such video file"),
        (lambda folder: folder, "a folder"),
        (empty, "empty"),
        (renamed_text, "not a readable video"),
        (audio_only, "no video stream"),
        (truncated_mp4, "not a readable video"),
        (truncated_mkv, r"only \d+ frames"),
        (no_frames, "not a readable video"),
    ],
)
@pytest.mark.parametrize("how", [{"fps": 2.0}, {"every_nth_frame": 15}])
def test_broken_files_end_in_one_line(tmp_path: Path, make, reason: str, how: dict) -> None:
    path = make(tmp_path)
    with pytest.raises(VideoError, match=reason) as caught:
        list(sample(path, **how))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@needs_clips
def test_decoding_that_ends_early_names_both_counts() -> None:
    with pytest.raises(VideoError, match=r"corrupted\.mp4: damaged: only 28 of 50 frames"):
        list(sample(CLIPS / "corrupted.mp4", fps=2))


@pytest.mark.parametrize(
    "how",
    [{}, {"fps": 2.0, "every_nth_frame": 15}, {"fps": 0.0}, {"every_nth_frame": 0}, {"fps": -1.0}],
)
def test_sampling_needs_one_positive_rate(how: dict) -> None:
    with pytest.raises(ValueError, match="give one"):
        next(sample("any.mp4", **how))
