"""Cutting: the very frames, at their times, with the sound that belongs to them."""

import errno
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from llmvs.errors import UserError, VideoError
from llmvs.video import cutter
from llmvs.video.clock import frame_times
from llmvs.video.container import probe
from llmvs.video.cutter import cut
from llmvs.video.footage import watch
from llmvs.video.reader import sample
from llmvs.video.soundtrack import FADE, RATE, Soundtrack
from llmvs.video.writer import write
from tests.video.test_reader import remuxed, write_video

FPS = 25
BEEP = 0.08


def picture(number: int, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    """A grey that tells the frame's number; white flashes twice a second."""
    image = np.full((*size, 3), 20 + 2 * (number % 90), np.uint8)
    if number % 25 in (10, 11):
        image[:] = 255
    return image


def flash_and_beep(path: Path, seconds: int = 12, channels: int = 1) -> Path:
    """A beep with every flash."""
    sound = np.zeros(seconds * RATE, np.float32)
    beep = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(int(BEEP * RATE)) / RATE)
    for second in range(seconds):
        at = int((second + 10 / FPS) * RATE)
        sound[at : at + len(beep)] = beep
    write(path, (picture(i) for i in range(seconds * FPS)), FPS, sound if channels else None)
    return path


def shown(path: Path) -> tuple[list[float], list[float]]:
    """When every picture of a file is shown, and its mean grey."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [float(frame.pts * frame.time_base) for frame in frames]
        return times, [float(frame.to_ndarray(format="gray").mean()) for frame in frames]


def onsets(path: Path) -> tuple[list[float], float]:
    """When the beeps of a file begin, and how long its sound is."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    start = float(frames[0].pts * frames[0].time_base)
    loud = np.abs(np.concatenate([frame.to_ndarray()[0] for frame in frames])) > 0.25
    found, quiet_until = [], 0
    for at in np.flatnonzero(loud):
        if at >= quiet_until:
            found.append(start + at / RATE)
            quiet_until = at + RATE // 2
    return found, len(loud) / RATE


def test_pictures_and_sound_of_every_part_stay_together(tmp_path):
    spans = [(30, 74), (110, 149), (200, 280)]
    done = cut(flash_and_beep(tmp_path / "in.mp4"), tmp_path / "out.mp4", spans)
    times, greys = shown(tmp_path / "out.mp4")
    wanted = [number for first, last in spans for number in range(first, last + 1)]
    assert done.n_frames == len(times) == len(wanted)
    assert done.seconds == pytest.approx(len(wanted) / FPS)
    assert done.starts == pytest.approx([0, 45 / FPS, 85 / FPS])
    assert done.sound
    assert times == pytest.approx(np.arange(len(wanted)) / FPS, abs=1e-4)
    expected = [picture(number).mean() for number in wanted]
    assert np.abs(np.array(greys) - expected).max() < 6  # greys of other frames differ by more
    flashes = [time for time, number in zip(times, wanted, strict=True) if number % 25 == 10]
    heard, length = onsets(tmp_path / "out.mp4")
    assert heard == pytest.approx(flashes, abs=0.04)
    assert length == pytest.approx(done.seconds, abs=0.03)  # AAC comes in pieces of 21 ms


def test_a_variable_rate_stays_variable(tmp_path):
    stamps = np.cumsum([0, *np.random.default_rng(0).choice([1, 2, 5], 59)])
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 20)
        for number, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = int(stamp), Fraction(1, 20)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    done = cut(tmp_path / "in.mp4", tmp_path / "out.mp4", [(5, 14), (40, 49)])
    times, _ = shown(tmp_path / "out.mp4")
    first = (stamps[5:15] - stamps[5]) / 20
    second = (stamps[15] - stamps[5] + stamps[40:50] - stamps[40]) / 20
    assert times == pytest.approx([*first, *second], abs=1e-3)
    assert done.seconds == pytest.approx((stamps[15] - stamps[5] + stamps[50] - stamps[40]) / 20)
    assert not done.sound


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
@pytest.mark.parametrize("size", [(97, 131), (96, 128)])
def test_any_layout_of_sound_and_odd_sizes(layout, size, tmp_path):
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        video = container.add_stream("ffv1", rate=FPS)
        video.width, video.height, video.pix_fmt = size[1], size[0], "yuv444p"
        audio = container.add_stream("pcm_s16le", rate=44_100, layout=layout)
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24")
            container.mux(video.encode(frame))
        channels = audio.codec_context.layout.nb_channels
        tone = (9000 * np.sin(np.arange(2 * 44_100) / 20)).astype(np.int16)
        piece = av.AudioFrame.from_ndarray(
            np.repeat(tone, channels)[None], format="s16", layout=layout
        )
        piece.sample_rate, piece.pts = 44_100, 0
        container.mux(audio.encode(piece))
        for stream in (video, audio):
            container.mux(stream.encode(None))
    cut(tmp_path / "in.mkv", tmp_path / "out.mp4", [(10, 19), (30, 39)])
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert (container.streams.video[0].height, container.streams.video[0].width) == (
            96,
            size[1] // 2 * 2,
        )
        heard = np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)
    assert len(heard) == (1 if layout == "mono" else 2)
    middle = np.abs(heard[:, RATE // 10 : 3 * RATE // 10]).max()
    assert middle > 0.1
    at_cut = heard[:, round(0.4 * RATE) - 20 : round(0.4 * RATE) + 20]
    assert np.abs(at_cut).max() < middle / 3, f"a fade of {FADE} s"


def test_a_video_that_ends_early_and_parts_that_are_none(tmp_path):
    path = flash_and_beep(tmp_path / "in.mp4", 2, channels=0)
    for spans in ([], [(3, 2)], [(-1, 2)], [(0, 5), (5, 9)], [(6, 9), (0, 2)]):
        with pytest.raises(ValueError, match="expected parts"):
            cut(path, tmp_path / "out.mp4", spans)
    with pytest.raises(VideoError, match="has 50 frames, none with number 50"):
        cut(path, tmp_path / "out.mp4", [(40, 50)])
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match="not a readable video"):
        cut(tmp_path / "text.mp4", tmp_path / "out.mp4", [(0, 1)])
    assert not (tmp_path / "out.mp4").exists()
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def stored(path: Path, number: int = 0) -> av.VideoFrame:
    """A frame of a file as it is stored."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))[number]


def turn(path: Path, degrees: int) -> None:
    """Write a rotation (clockwise) into the header of an mp4 file, as a phone does."""
    matrix = {
        90: (0, 1, 0, -1, 0, 0, 0, 0, 0x4000),
        180: (-1, 0, 0, 0, -1, 0, 0, 0, 0x4000),
        270: (0, -1, 0, 1, 0, 0, 0, 0, 0x4000),
    }[degrees]
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    content[at : at + 36] = struct.pack(">9i", *(one << 16 for one in matrix))
    path.write_bytes(content)


def quarters(size: tuple[int, int] = (64, 96)) -> np.ndarray:
    """A picture of which every quarter has a colour of its own."""
    half = size[0] // 2, size[1] // 2
    colours = np.array([[(200, 60, 60), (60, 200, 60)], [(60, 60, 200), (180, 180, 180)]], np.uint8)
    return np.kron(colours, np.ones((*half, 1), np.uint8))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(4, 3), Fraction(16, 11), Fraction(8, 9)])
def test_upright_and_in_shape(degrees, aspect, tmp_path):
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(quarters(), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if degrees:
        turn(tmp_path / "in.mp4", degrees)
    cut(tmp_path / "in.mp4", tmp_path / "out.mp4", [(2, 9)])
    written = stored(tmp_path / "out.mp4")
    assert written.rotation == 0
    upright = np.rot90(quarters(), -degrees // 90)
    found = written.to_ndarray(format="rgb24").astype(int)
    assert found.shape == upright.shape
    assert np.abs(found - upright).mean() < 8
    with av.open(str(tmp_path / "out.mp4")) as container:
        shown_as = container.streams.video[0].sample_aspect_ratio
    assert shown_as == (1 / aspect if degrees % 180 else aspect)
    # Another decoder agrees about what is upright.
    other = next(sample(tmp_path / "in.mp4", fps=2, decoder="opencv")).image
    assert np.abs(found - other).mean() < 8


@pytest.mark.parametrize(
    ("codec", "form", "colours"),
    [
        ("libx264", "yuv420p", (1, 1, 1, 1)),  # Rec. 709
        ("libx264", "yuv420p", (5, 6, 6, 1)),  # Rec. 601
        ("libx264", "yuv420p", (9, 16, 9, 1)),  # HDR10
        ("libx264", "yuv420p", (1, 1, 1, 2)),  # all 256 values
        ("libx264", "yuv420p10le", (9, 18, 9, 1)),  # HLG
        ("libx264", "yuv444p", (1, 1, 1, 1)),
        ("libx264", "yuv422p", (2, 2, 2, 2)),
    ],
)
def test_colours_mean_what_they_meant(codec, form, colours, tmp_path):
    primaries, curve, matrix, value_range = colours
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, form
        context = stream.codec_context
        context.color_primaries, context.color_trc = primaries, curve
        context.colorspace, context.color_range = matrix, value_range
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(quarters(), format="rgb24").reformat(format=form)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    cut(tmp_path / "in.mp4", tmp_path / "out.mp4", [(2, 9)])
    tags = []
    for name in ("in.mp4", "out.mp4"):
        with av.open(str(tmp_path / name)) as container:
            next(container.decode(video=0))
            one = container.streams.video[0].codec_context
            tags.append((one.color_primaries, one.color_trc, one.colorspace, one.color_range))
    assert tags[0] == tags[1] == colours
    was, now = stored(tmp_path / "in.mp4", 2), stored(tmp_path / "out.mp4")
    for plane, (one, other) in enumerate(zip(values(was), values(now), strict=True)):
        assert one == pytest.approx(other, abs=3), f"plane {plane}"


def values(frame: av.VideoFrame) -> list[float]:
    """The mean of each plane, of 256."""
    deep = "10" in frame.format.name
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint16 if deep else np.uint8).reshape(plane.height, -1)
        found.append(float(rows[:, : plane.width].mean()) / (4 if deep else 1))
    return found


@pytest.mark.parametrize(
    ("codec", "form"),
    [
        ("mjpeg", "yuvj420p"),
        ("mjpeg", "yuvj444p"),
        ("ffv1", "bgr0"),
        ("ffv1", "gray"),
        ("gif", "pal8"),
    ],
)
def test_whatever_is_stored_looks_the_same(codec, form, tmp_path):
    path = tmp_path / f"in.{'gif' if codec == 'gif' else 'mkv'}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options={"qmin": "1", "qmax": "2"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "rgb8" if form == "pal8" else form
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(quarters(), format="rgb24")
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode(None))
    cut(path, tmp_path / "out.mp4", [(2, 9)])
    means = []
    for one in (path, tmp_path / "out.mp4"):
        image = next(sample(one, fps=2, decoder="opencv")).image
        means.append(image.reshape(2, 32, 2, 48, 3).mean(axis=(1, 3)))  # a gif is made of dots
    assert np.abs(means[0] - means[1]).max() < 6


def broadcast(path: Path, seconds: int = 12, heard_for: float | None = None) -> Path:
    """A beep with every flash, in a stream that may be cut anywhere."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"g": "40", "bf": "2"})
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        audio = container.add_stream("mp2", rate=RATE, layout="mono")
        beep = (20_000 * np.sin(2 * np.pi * np.arange(int(BEEP * RATE)) * 1000 / RATE)).astype(
            np.int16
        )
        sound = np.zeros(seconds * RATE, np.int16)
        for second in range(seconds):
            at = int((second + 10 / FPS) * RATE)
            sound[at : at + len(beep)] = beep
        for number in range(seconds * FPS):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(video.encode(frame))
            if heard_for is not None and number >= heard_for * FPS:
                continue
            piece = sound[number * RATE // FPS : (number + 1) * RATE // FPS]
            heard = av.AudioFrame.from_ndarray(piece[None], format="s16", layout="mono")
            heard.sample_rate, heard.pts = RATE, number * RATE // FPS
            container.mux(audio.encode(heard))
        container.mux([*video.encode(None), *audio.encode(None)])
    return path


def flashes(path: Path) -> list[float]:
    """When the white pictures of a file begin."""
    times, greys = shown(path)
    return [
        time
        for time, before, grey in zip(times[1:], greys[:-1], greys[1:], strict=True)
        if grey > 240 > before
    ]


@pytest.mark.parametrize("ending", ["sound ends early", "stopped midway", "begun midway"])
def test_the_sound_of_every_joined_recording_goes_with_its_pictures(ending, tmp_path):
    content = broadcast(tmp_path / "whole.ts", 6).read_bytes()
    packets = len(content) // 188
    part = {
        "sound ends early": broadcast(tmp_path / "short.ts", 6, heard_for=5.6).read_bytes(),
        "stopped midway": content[: packets // 2 * 188],
        "begun midway": content[packets // 3 * 188 :],
    }[ending]
    path = tmp_path / "in.ts"
    path.write_bytes(part + part)
    footage = watch(path)
    half, frames = len(footage.times) // 2, len(footage.times)
    lasts = footage.duration - footage.times[0]
    assert lasts == pytest.approx(frames / FPS, abs=0.3)
    for name, spans in (
        ("all.mp4", [(0, frames - 1)]),
        ("two.mp4", [(5, 30), (half + 10, frames - 5)]),
    ):
        cut(path, tmp_path / name, spans, footage.edges)
        found, beeps = flashes(tmp_path / name), np.array(onsets(tmp_path / name)[0])
        assert len(found) >= 4
        apart = sorted(float(np.abs(beeps - flash).min()) for flash in found)
        assert apart[-2] < 0.03  # one flash may lie where the recordings mix
        assert apart[-1] < 0.1


def test_a_recording_that_begins_in_the_middle_stays_in_sync(tmp_path):
    broadcast(tmp_path / "whole.ts")
    content = (tmp_path / "whole.ts").read_bytes()
    (tmp_path / "in.ts").write_bytes(content[len(content) // 188 // 3 * 188 :])
    footage = watch(tmp_path / "in.ts")
    assert len(footage.times) < len(frame_times(tmp_path / "in.ts"))  # some cannot be decoded
    cut(tmp_path / "in.ts", tmp_path / "out.mp4", [(10, 69), (100, 159)], footage.edges)
    bright = flashes(tmp_path / "out.mp4")
    heard, _ = onsets(tmp_path / "out.mp4")
    assert len(bright) >= 4
    assert heard == pytest.approx(bright, abs=0.03)


def test_a_full_disk_is_not_the_videos_fault(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = flash_and_beep(tmp_path / "in.mp4", 2, channels=0)
    monkeypatch.setattr("llmvs.video.cutter._Pictures.add", full)
    with pytest.raises(UserError, match=r"out.mp4: cannot be written \(No space left") as error:
        cut(path, tmp_path / "out.mp4", [(1, 5)])
    assert not isinstance(error.value, VideoError)  # the other videos of a list would fail too
    assert [one.name for one in tmp_path.iterdir()] == ["in.mp4"]


def test_real_clips(shared, tmp_path):
    for name, n_frames in (("fire2.mp4", 25), ("nasa_13013.mp4", 325), ("no_duration.webm", 74)):
        spans = [(1, n_frames // 5), (n_frames // 2, n_frames - 1)]
        done = cut(shared / "clips" / name, tmp_path / name, spans)
        times, _ = shown(tmp_path / name)
        assert len(times) == done.n_frames == sum(last - first + 1 for first, last in spans)
        assert (np.diff(times) > 0).all()
        assert done.sound
    with pytest.raises(VideoError, match="damaged: only"):
        cut(shared / "clips" / "corrupted.mp4", tmp_path / "out.mp4", [(0, 45)])


def test_frames_of_one_time_and_pictures_of_a_line_are_written(tmp_path):
    plain = write_video(tmp_path / "plain.mkv", [4 * i for i in range(30)], codec="mpeg4")
    twice = remuxed(
        plain, tmp_path / "twice.mkv", lambda number, own: own - 40 if number % 10 == 9 else own
    )
    assert cut(twice, tmp_path / "out.mp4", [(0, 29)]).n_frames == 30
    assert len(shown(tmp_path / "out.mp4")[0]) == 30
    line = tmp_path / "line.gif"
    with av.open(str(line), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 1, 40, "rgb8"
        for shade in (0, 100, 200):
            frame = av.VideoFrame.from_ndarray(np.full((40, 1, 3), shade, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert cut(line, tmp_path / "line.mp4", [(0, 2)]).n_frames == 3
    assert probe(tmp_path / "line.mp4").width == 2


def recorded(path: Path, rate: int, layout: str, hertz: int = 440) -> Path:
    """Two seconds of a tone, as broadcasts have it."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg2video", rate=FPS)
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        audio = container.add_stream("ac3", rate=rate, layout=layout)
        wave = (0.1 * np.sin(2 * np.pi * hertz * np.arange(2 * rate) / rate)).astype(np.float32)
        for number in range(2 * FPS):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(video.encode(frame))
            piece = wave[number * rate // FPS : (number + 1) * rate // FPS]
            channels = np.tile(piece, (audio.codec_context.layout.nb_channels, 1))
            heard = av.AudioFrame.from_ndarray(channels, format="fltp", layout=layout)
            heard.sample_rate, heard.pts = rate, number * rate // FPS
            heard.time_base = Fraction(1, rate)
            container.mux(audio.encode(heard))
        container.mux([*video.encode(None), *audio.encode(None)])
    return path


def sound_in(path: Path) -> np.ndarray:
    """[channels, samples] of a file."""
    with av.open(str(path)) as container:
        return np.concatenate([one.to_ndarray() for one in container.decode(audio=0)], axis=1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((RATE, "mono"), (RATE, "stereo")),
        ((RATE, "stereo"), (RATE, "mono")),
        ((RATE, "5.1"), (RATE, "stereo")),
        ((RATE, "stereo"), (RATE, "5.1")),
        ((RATE, "stereo"), (44_100, "stereo")),
        ((32_000, "mono"), (44_100, "5.1")),
    ],
)
def test_sound_that_changes_its_form_on_the_way(first, second, tmp_path):
    halves = [recorded(tmp_path / "1.ts", *first), recorded(tmp_path / "2.ts", *second, hertz=660)]
    path = tmp_path / "in.ts"
    path.write_bytes(b"".join(half.read_bytes() for half in halves))
    done = cut(path, tmp_path / "out.mp4", [(0, 99)])
    sound = sound_in(tmp_path / "out.mp4")
    assert sound.shape[1] / RATE == pytest.approx(done.seconds, abs=0.03)
    for hertz, at in ((440, 0.5), (660, 2.5)):
        second_of_it = sound[0, round(at * RATE) : round((at + 1) * RATE)]
        assert np.abs(np.fft.rfft(second_of_it)).argmax() == pytest.approx(hertz, abs=1)
        assert np.abs(second_of_it).max() > 0.04


def gapped_and_lapped(path: Path) -> np.ndarray:
    """Write a video of 6 seconds in whose sound, noise, seconds 2.5 to 3.5 are missing and a piece
    begins at 4.71 within the one before it; return the sound, [2, samples], as a player has it.
    """
    rng, whole, long = np.random.default_rng(0), np.zeros((2, 6 * RATE), np.int16), RATE // 50
    stamps = [at for at in range(0, 6 * RATE, long) if not 2.5 * RATE <= at < 3.5 * RATE]
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=FPS)
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        for number in range(6 * FPS):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for at in sorted([*stamps, round(4.71 * RATE)]):
            noise = rng.integers(-9000, 9000, (2, min(long, 6 * RATE - at)), np.int16)
            piece = av.AudioFrame.from_ndarray(noise.T.reshape(1, -1), "s16", "stereo")
            piece.sample_rate, piece.pts, piece.time_base = RATE, at, Fraction(1, RATE)
            container.mux(audio.encode(piece))
            whole[:, at : at + noise.shape[1]] = noise
        container.mux(audio.encode(None))
    return whole.astype(np.float32) / 2**15


def test_the_pieces_of_a_part_are_its_whole_sound(tmp_path, monkeypatch):
    whole = gapped_and_lapped(tmp_path / "in.mkv")
    given: list[np.ndarray] = []
    made = av.AudioFrame.from_ndarray

    class Spied:
        @staticmethod
        def from_ndarray(samples, *args, **kwargs):
            given.append(samples.copy())
            return made(samples, *args, **kwargs)

    monkeypatch.setattr(av, "AudioFrame", Spied)
    spans = [(3, 30), (31, 31), (40, 147)]
    cut(tmp_path / "in.mkv", tmp_path / "out.mp4", spans)
    assert max(piece.shape[1] for piece in given) <= RATE
    ramp = np.linspace(0, 1, round(FADE * RATE), dtype=np.float32)
    parts = []
    for first, last in spans:
        part = whole[:, first * RATE // FPS : (last + 1) * RATE // FPS].copy()
        part[:, : len(ramp)] *= ramp
        part[:, -len(ramp) :] *= ramp[::-1]
        parts.append(part)
    np.testing.assert_allclose(np.concatenate(given, 1), np.concatenate(parts, 1), atol=1e-6)


def test_a_long_part_is_written_piece_by_piece_and_fades_at_its_ends_only(tmp_path, monkeypatch):
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(5 * RATE) / RATE)
    write(tmp_path / "in.mp4", (picture(i) for i in range(5 * FPS)), FPS, tone.astype(np.float32))
    told = []
    of_sound, of_pictures = Soundtrack.add, cutter._Pictures.add
    monkeypatch.setattr(
        Soundtrack, "add", lambda own, it: (told.append(it.shape[1] / RATE), of_sound(own, it))
    )
    monkeypatch.setattr(
        cutter._Pictures, "add", lambda *given: (told.append(-1 / FPS), of_pictures(*given))
    )
    done = cut(tmp_path / "in.mp4", tmp_path / "out.mp4", [(3, 112)])
    assert max(told) <= 1
    assert np.abs(np.cumsum(told)).max() < 2.1  # never far from the picture
    assert sum(one for one in told if one > 0) == pytest.approx(done.seconds, abs=1e-4)
    sound = np.abs(sound_in(tmp_path / "out.mp4")[0])
    peaks = sound[: round(done.seconds * RATE) // 480 * 480].reshape(-1, 480).max(axis=1)
    assert peaks[3:-3].min() > 0.8 * peaks.max()
    assert sound[:40].max() < 0.2
    assert sound[round(done.seconds * RATE) - 40 : round(done.seconds * RATE)].max() < 0.2


def test_a_damaged_piece_of_sound_is_silent_and_no_other(tmp_path):
    path = flash_and_beep(tmp_path / "in.mp4", 4)
    with av.open(str(path)) as container:
        pieces = [bytes(one) for one in container.demux(audio=0)]
    damaged = max(pieces[: RATE // 1024], key=len)  # of the first beep
    content = path.read_bytes()
    assert damaged in content
    path.write_bytes(content.replace(damaged, b"\xff" * len(damaged)))
    cut(path, tmp_path / "out.mp4", [(0, 99)])
    heard, _ = onsets(tmp_path / "out.mp4")
    assert heard[-3:] == pytest.approx([1.4, 2.4, 3.4], abs=0.03)


def coloured(path: Path, form: str, matrix: int, size: tuple[int, int]) -> bytes:
    """A second of `quarters` in one of FFmpeg's ways to write colours."""
    names = {1: "ITU709", 5: "ITU601"}
    value_range = 2 if form.startswith("yuvj") else 1
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "4"})
        stream.height, stream.width, stream.pix_fmt = *size, form
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = value_range
        for _ in range(FPS):
            frame = av.VideoFrame.from_ndarray(quarters(size), format="rgb24").reformat(
                format=form, dst_colorspace=names[matrix], dst_color_range=value_range
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("form", "matrix", "size"), [("yuvj420p", 1, (64, 96)), ("yuv420p", 5, (48, 64))]
)
def test_colours_that_change_on_the_way_look_the_same(form, matrix, size, tmp_path):
    path = tmp_path / "in.ts"
    first = coloured(tmp_path / "1.ts", "yuv420p", 1, (64, 96))
    path.write_bytes(first + coloured(tmp_path / "2.ts", form, matrix, size))
    cut(path, tmp_path / "out.mp4", [(0, 2 * FPS - 1)])
    for number in (5, 2 * FPS - 5):
        found = stored(tmp_path / "out.mp4", number).to_ndarray(format="rgb24").astype(int)
        assert found.shape == (64, 96, 3)
        assert np.abs(found - quarters()).mean() < 6
