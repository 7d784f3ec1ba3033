"""Sampling against PyAV's own decoding: the right frames, upright, and one clear line for every
kind of broken file.
"""

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from llmvs.errors import VideoError
from llmvs.video.clock import frame_times, seconds_of, step_frames
from llmvs.video.container import is_video, probe
from llmvs.video.reader import sample

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


def clip(path: Path, codec: str = "libx264", seconds: int = 4, shade: int = 0, **options) -> Path:
    """Ten moving frames a second, of a brightness that tells them apart."""
    with av.open(str(path), "w", **options) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(10 * seconds):
            picture = np.full((48, 64, 3), 20 + shade + 2 * i, np.uint8)
            picture[:, i % 60 : i % 60 + 4] = 250
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def joined(tmp_path: Path) -> Path:
    """Two recordings put behind each other byte by byte, as `cat` does: time stamps begin again."""
    parts = [clip(tmp_path / f"{n}.ts", shade=60 * n, format="mpegts") for n in range(2)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def test_time_goes_on_where_the_first_of_two_joined_recordings_ended(tmp_path: Path) -> None:
    path = joined(tmp_path)
    np.testing.assert_allclose(frame_times(path), np.arange(80) / 10, atol=1e-3)
    steps = list(sample(path, fps=2))
    assert [step.index for step in steps] == list(range(0, 80, 5))
    assert [step.seconds for step in steps] == pytest.approx([k / 2 for k in range(16)], abs=1e-3)
    assert [step.index for step in sample(path, every_nth_frame=20)] == [0, 20, 40, 60]
    first = np.array([step.image.mean() for step in steps])
    assert first[8] - first[0] == pytest.approx(60, abs=3)  # the second recording's own pictures


def test_what_opencv_cannot_decode_pyav_does(tmp_path: Path) -> None:
    path = clip(tmp_path / "today.mp4", "libsvtav1")
    with pytest.raises(VideoError, match="no frame can be decoded"):
        list(sample(path, fps=2, decoder="opencv"))
    steps = list(sample(path, fps=2))
    assert [step.index for step in steps] == list(range(0, 40, 5))
    means = [step.image[:, 62:].mean() for step in steps]  # the bar never reaches these columns
    assert means == pytest.approx([20 + 2 * step.index for step in steps], abs=4)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mpg", "mpeg2video"),
        ("a.ts", "libx264"),
        ("a.flv", "flv"),
        ("a.wmv", "wmv2"),
        ("a.3gp", "h263p"),
        ("a.webm", "libvpx-vp9"),
        ("a.h264", "libx264"),
        ("a.mkv", "ffv1"),
    ],
)
def test_both_decoders_give_the_same_steps_and_pictures(
    tmp_path: Path, name: str, codec: str
) -> None:
    codec = codec if codec != "h263p" else "mpeg4"
    path = clip(tmp_path / name, codec)
    for how in ({"fps": 3.0}, {"every_nth_frame": 7}):
        ours = list(sample(path, **how, decoder="opencv"))
        theirs = list(sample(path, **how, decoder="pyav"))
        assert len(ours) > 4
        same_steps(ours, theirs)
    assert is_video(path)


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
def test_both_decoders_agree_on_real_clips(name: str) -> None:
    same_steps(*(list(sample(CLIPS / name, fps=5.0, decoder=by)) for by in ("opencv", "pyav")))


def same_steps(ours: list, theirs: list) -> None:
    assert [step.index for step in ours] == [step.index for step in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.seconds == pytest.approx(other.seconds, abs=1e-3)
        assert np.abs(one.image.astype(int) - other.image).max() <= 2


@pytest.mark.parametrize("name", ["a:b.mov", "-x.mp4", "two\nlines.mp4", "a%03d.mp4", "ü ü'.mp4"])
def test_a_name_is_only_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clip(tmp_path / "plain.mov").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(list(sample(name, fps=2))) == 8


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    try:
        clip(tmp_path / "plain.mp4").rename(path)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert len(list(sample(path, fps=2))) == 8


def playlist(tmp_path: Path) -> Path:
    other = clip(tmp_path / "other.mp4")
    path = tmp_path / "list.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{other}\n#EXT-X-ENDLIST\n")
    return path


def concat(tmp_path: Path) -> Path:
    path = tmp_path / "both.mp4"
    path.write_text(f"ffconcat version 1.0\nfile '{clip(tmp_path / 'other.mp4').name}'\n")
    return path


def screen_text(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_text("a text that FFmpeg would draw on a terminal\n" * 30)
    return path


def picture(tmp_path: Path) -> Path:
    path = tmp_path / "still.mp4"
    cv2.imwrite(str(tmp_path / "still.png"), np.zeros((32, 32, 3), np.uint8))
    return (tmp_path / "still.png").rename(path)


def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe.mp4")
    return tmp_path / "pipe.mp4"


@pytest.mark.parametrize("make", [playlist, concat, screen_text, picture, fifo])
def test_what_is_no_video_itself_is_refused(tmp_path: Path, make) -> None:
    path = make(tmp_path)
    with pytest.raises(VideoError) as caught:
        list(sample(path, fps=2))
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


def remuxed(path: Path, to: Path, stamp: Callable[[int, int], int], **options: str) -> Path:
    """The same packets with other time stamps: `stamp` gives one from a frame's number and own."""
    with av.open(str(path)) as source, av.open(str(to), "w", options=options) as container:
        stream = source.streams.video[0]
        copy = container.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        for number, packet in enumerate(packets):
            packet.pts = packet.dts = stamp(number, packet.pts)
            packet.stream = copy
            container.mux(packet)
    return to


def test_a_trimmed_file_is_whole_without_the_frames_that_it_hides(tmp_path: Path) -> None:
    """Cutting without encoding keeps the frames since the last key frame, and an edit list that
    hides them; the header counts them.
    """
    whole = write_video(tmp_path / "whole.mp4", [4 * i for i in range(100)], codec="mpeg4")
    with av.open(str(whole)) as container:
        unit = float(container.streams.video[0].time_base)
    path = remuxed(
        whole, tmp_path / "cut.mp4", lambda _, own: own - round(1.5 / unit),
        avoid_negative_ts="disabled",
    )  # fmt: skip
    head = probe(path)
    shown = len(frame_times(path))
    assert head.n_frames == 100
    assert 60 <= shown <= 64
    for decoder in ("opencv", "pyav"):
        steps = list(sample(path, every_nth_frame=1, decoder=decoder))
        assert abs(len(steps) - shown) <= 1
    assert steps[-1].seconds == pytest.approx(head.seconds, abs=0.1)


def test_two_frames_of_one_time_are_two_frames(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "plain.mkv", [4 * i for i in range(75)], codec="mpeg4")
    path = remuxed(
        plain, tmp_path / "twice.mkv", lambda number, own: own - 40 if number % 10 == 9 else own
    )
    times = frame_times(path)
    assert len(times) == 75
    assert len(set(times.tolist())) == 68
    for fps in (2.0, 5.0, 30.0):
        found = [step.index for step in sample(path, fps=fps, decoder="pyav")]
        assert step_frames(times, fps).tolist() == found


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_pictures_of_an_unknown_codec_are_one_line(tmp_path: Path, ending: str) -> None:
    path = clip(tmp_path / f"known.{ending}")
    known, unknown = {"mp4": (b"avc1", b"zzzz"), "mkv": (b"V_MPEG4/ISO/AVC", b"V_NOBODY/KNOWS1")}[
        ending
    ]
    content = path.read_bytes()
    assert known in content
    path.write_bytes(content.replace(known, unknown))
    with pytest.raises(VideoError, match="its pictures are in a codec that FFmpeg does not know"):
        probe(path)


def test_the_length_of_joined_recordings_is_that_of_both(tmp_path: Path) -> None:
    path = joined(tmp_path)
    assert probe(path).seconds == pytest.approx(4, abs=0.2)
    assert seconds_of(path) == pytest.approx(8, abs=0.01)
    assert seconds_of(clip(tmp_path / "one.mp4")) == pytest.approx(4)
