"""What is seen of a video: colours and layout, every frame's change, loudness by step."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition

from llmvs.errors import VideoError
from llmvs.video.clock import frame_times, seconds_of, step_frames
from llmvs.video.footage import colour_and_layout, sharpness, watch
from llmvs.video.reader import sample
from llmvs.video.sound import SILENCE
from llmvs.video.writer import write
from tests.films import film
from tests.video.test_reader import write_video

RATE = 16000


def tone(seconds, loud=0.5):
    return (loud * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(
        np.float32
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Six seconds, a cut at frame 33 of 60, silence but for seconds 2 to 4."""
    path = tmp_path_factory.mktemp("seen") / "a.mp4"
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 200
    blue = np.roll(red, 2, axis=2)
    frames = (red if i < 33 else blue for i in range(60))
    sound = np.concatenate([0 * tone(2), tone(2), 0 * tone(2)])
    write(path, frames, 10, sound=sound, rate=RATE)
    return path


def test_a_video_is_seen(clip):
    footage = watch(clip)
    assert footage.picks.tolist() == [step.index for step in sample(clip, fps=2)]
    assert footage.times == pytest.approx(np.arange(60) / 10)
    assert (footage.duration, footage.fps) == (pytest.approx(6), pytest.approx(10))
    assert footage.features.shape == (12, 234)
    assert np.linalg.norm(footage.features, axis=1) == pytest.approx(1, abs=1e-5)
    assert footage.change.argmax() == 33
    assert footage.change[0] == 0
    assert np.delete(footage.change, 33).max() < 2
    same = footage.features @ footage.features.T
    assert same[:7, :7].min() > 0.99
    assert same[:7, 7:].max() < 0.7


def test_loudness(clip):
    sound = watch(clip).sound
    assert sound is not None
    assert sound[5:7] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.5)
    assert sound[[0, 1, 2, 9, 10, 11]].max() <= SILENCE + 5


def test_without_sound(tmp_path):
    assert watch(film(tmp_path / "a.mp4", 2)).sound is None


@pytest.mark.parametrize(
    ("codec", "form", "value"),
    [("pcm_s16le", "s16", 8192), ("pcm_u8", "u8", 160), ("pcm_s32le", "s32", 2**29)],
)
def test_loudness_of_whole_numbers(tmp_path, codec, form, value):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=8000, layout="mono")
        for i in range(20):
            picture = np.full((48, 64, 3), 99, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            kinds = {"s16": np.int16, "u8": np.uint8, "s32": np.int32}
            wave = np.full((1, 800), value, kinds[form])
            piece = av.AudioFrame.from_ndarray(wave, format=form, layout="mono")
            piece.sample_rate, piece.pts = 8000, 800 * i
            container.mux(audio.encode(piece))
        container.mux([*video.encode(None), *audio.encode(None)])
    assert watch(path).sound == pytest.approx(20 * np.log10(0.25), abs=0.1)


def test_the_picks_of_a_data_set(tmp_path, clip):
    every = np.arange(0, 60, 7)
    assert watch(clip, picks=every).picks.tolist() == every.tolist()
    early = watch(clip, picks=np.array([0, 20, 40, 60]))  # the file ends a frame before the last
    assert early.picks.tolist() == [0, 20, 40, 59]
    with pytest.raises(VideoError, match="has 60 frames, but the last step is frame 61"):
        watch(clip, picks=np.array([0, 20, 40, 61]))


def test_uneven_time_stamps(tmp_path):
    stamps = [0, 3, 50, 52, 54, 130, 135, 200, 201, 290]
    path = write_video(tmp_path / "a.mkv", stamps, offset=700)
    footage = watch(path)
    assert footage.times == pytest.approx(np.array(stamps) / 100)
    assert footage.picks.tolist() == step_frames(frame_times(path), 2).tolist()
    assert footage.duration == pytest.approx(2.9 + 2.9 / 9)


def test_after_a_jump_of_the_time_stamps_the_last_frame_lasts_no_longer(tmp_path):
    """A broadcast whose reception was lost for ten minutes."""
    stamps = [*range(0, 300, 4), *range(60_000, 60_300, 4)]
    path = write_video(tmp_path / "a.mkv", stamps, "mpeg4")
    footage = watch(path)
    assert footage.duration == pytest.approx(603)
    assert seconds_of(path) == pytest.approx(603, abs=0.01)
    assert footage.edges[-1] - footage.times[-1] == pytest.approx(0.04, abs=1e-3)


def test_one_frame(tmp_path):
    footage = watch(write_video(tmp_path / "a.mkv", [0]))
    assert footage.picks.tolist() == [0]
    assert footage.duration > 0


def test_progress_is_told(tmp_path):
    told = []
    watch(film(tmp_path / "a.mp4", 20), progress=told.append)
    assert told == sorted(told)
    assert len(told) > 1


def picture(seed=0):
    return np.kron(
        np.random.default_rng(seed).integers(0, 255, (9, 16, 3)), np.ones((20, 20, 1))
    ).astype(np.uint8)


def test_a_feature_tells_colours_and_layouts_apart():
    one = colour_and_layout(picture())
    assert one @ colour_and_layout(cv2.resize(picture(), (640, 360))) > 0.999
    assert one @ colour_and_layout(picture()[:, ::-1]) < 0.995
    grey = cv2.cvtColor(cv2.cvtColor(picture(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert one @ colour_and_layout(grey) < 0.8
    black = np.zeros((90, 160, 3), np.uint8)
    noise = np.random.default_rng(0).integers(0, 6, black.shape).astype(np.uint8)
    assert colour_and_layout(black) @ colour_and_layout(black + noise) > 0.95


def test_sharpness():
    assert sharpness(picture()) > 2 * sharpness(cv2.GaussianBlur(picture(), (21, 21), 8))


@pytest.mark.parametrize(
    ("codec", "form", "size"),
    [
        ("ffv1", "yuv420p10le", (64, 48)),
        ("libx265", "yuv420p10le", (64, 48)),
        ("ffv1", "yuv444p", (63, 47)),
        ("libvpx-vp9", "yuv420p", (64, 48)),
        ("libsvtav1", "yuv420p", (64, 64)),
        ("ffv1", "bgr0", (32, 90)),
        ("mjpeg", "yuvj420p", (640, 480)),
    ],
)
def test_the_pictures_of_many_formats(tmp_path, codec, form, size):
    try:
        av.codec.Codec(codec, "w")
    except (ValueError, av.FFmpegError):
        pytest.skip(f"this FFmpeg has no {codec}")
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=10)
        video.width, video.height, video.pix_fmt = *size, form
        for i in range(30):
            picture = np.zeros((size[1], size[0], 3), np.uint8)
            picture[..., 0 if i < 12 else 1] = 220
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    footage = watch(path)
    assert footage.change.argmax() == 12
    assert len(footage.picks) == 6
    assert footage.features[0] @ footage.features[-1] < 0.7


def with_sound(path: Path, *tracks: np.ndarray, **options: str) -> Path:
    """Three seconds of grey, with tracks of sound of which the last is the one to play."""
    with av.open(str(path), "w", **options) as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        streams = [container.add_stream("aac", rate=RATE, layout="mono") for _ in tracks]
        for stream in streams:
            stream.disposition = Disposition.default if stream is streams[-1] else Disposition(0)
        for i in range(30):
            picture = np.full((48, 64, 3), 99 + i, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
        for stream, wave in zip(streams, tracks, strict=True):
            piece = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            piece.sample_rate, piece.pts = RATE, 0
            container.mux([*stream.encode(piece), *stream.encode(None)])
    return path


def test_the_track_that_is_heard_is_the_one_that_is_played(tmp_path):
    path = with_sound(tmp_path / "two.mkv", 0 * tone(3), tone(3))
    assert watch(path).sound.min() > -15


def test_the_sound_of_joined_recordings_goes_on_where_the_first_ended(tmp_path):
    quiet, loud = (
        with_sound(tmp_path / f"{name}.ts", tone(3, wave), format="mpegts")
        for name, wave in (("quiet", 0.0), ("loud", 0.5))
    )
    path = tmp_path / "joined.ts"
    path.write_bytes(quiet.read_bytes() + loud.read_bytes())
    footage = watch(path)
    assert len(footage.picks) == 12
    assert footage.sound[:5].max() <= SILENCE + 5
    assert footage.sound[7:].min() > -15
