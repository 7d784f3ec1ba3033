"""Videos as cameras, phones, recorders and websites write them: each has a summary that plays to its
end, is as long as it says, and is upright.
"""

import json
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
import pytest

from llmvs.cli import main
from tests.summary.made import RATE, VISUAL, video
from tests.summary.test_bad_videos import plays
from tests.video.test_cutter import turn

UNEVEN = [
    0,
    *accumulate(int(gap) for gap in np.random.default_rng(0).choice([20, 33, 40, 120], 149)),
]
KINDS = {
    "rate 23.976": {"rate": Fraction(24000, 1001)},
    "rate 29.97": {"rate": Fraction(30000, 1001), "sound": ["stereo"]},
    "rate 59.94": {"rate": Fraction(60000, 1001), "n_frames": 300},
    "rate 1": {"rate": 1, "n_frames": 20},
    "variable rate": {"stamps": UNEVEN, "sound": ["mono"]},
    "variable rate, mkv": {"stamps": UNEVEN, "suffix": "mkv"},
    "begins late": {"stamps": [700 + 40 * i for i in range(150)], "suffix": "mkv"},
    "10 bit HEVC": {"codec": "libx265", "form": "yuv420p10le", "options": {"x265-params": "log-level=0"}},
    "10 bit H.264": {"form": "yuv420p10le"},
    "AV1": {"codec": "libsvtav1", "options": {"preset": "12"}},
    "VP9 and Opus": {"codec": "libvpx-vp9", "suffix": "webm", "sound": ["stereo"], "options": {"cpu-used": "8", "deadline": "realtime"}},
    "MPEG-4 in AVI": {"codec": "mpeg4", "suffix": "avi"},
    "MPEG-2 stream": {"codec": "mpeg2video", "suffix": "ts", "sound": ["stereo"]},
    "motion JPEG": {"codec": "mjpeg", "form": "yuvj422p", "suffix": "mov", "sound": ["mono"]},
    "lossless": {"codec": "ffv1", "form": "yuv444p", "suffix": "mkv"},
    "mono": {"sound": ["mono"]},
    "5.1": {"sound": ["5.1"]},
    "two tracks of sound": {"sound": ["stereo", "mono"]},
    "odd size": {"codec": "ffv1", "size": (71, 95), "suffix": "mkv"},
    "tall": {"size": (160, 72)},
    "open end": {"suffix": "mkv", "muxer": {"live": "1"}},
    "no time stamps": {"suffix": "h264"},
    "fragments": {"muxer": {"movflags": "frag_keyframe+empty_moov"}, "sound": ["mono"]},
    "B-frames": {"options": {"bf": "3", "g": "30"}, "sound": ["mono"]},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_summary_of_every_kind(kind, tmp_path, monkeypatch, capsys):
    given = dict(KINDS[kind])
    path = tmp_path / f"a.{given.pop('suffix', 'mp4')}"
    codec = given.get("codec", "libx264")
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    video(path, **given)
    monkeypatch.chdir(tmp_path)
    assert main([*VISUAL, path.name, "--length", "40%"]) == 0
    assert capsys.readouterr().err == ""
    summary, document = tmp_path / "a-summary" / "summary.mp4", read(tmp_path / "a-summary")
    frame = 1 / document["fps"]
    n_frames, stamps = given.get("n_frames", 150), given.get("stamps")
    lasts = n_frames / float(given.get("rate", 25))
    if stamps:
        lasts = (stamps[-1] - stamps[0]) / 1000 * (1 + 1 / (n_frames - 1))
    assert document["n_frames"] == n_frames
    assert document["duration"] == pytest.approx(lasts, abs=frame)
    seconds = plays(summary)
    # The last frame of a part may last longer than the mean.
    assert seconds == pytest.approx(document["summary_seconds"], abs=0.12 if stamps else frame)
    assert 0 < seconds <= 0.4 * lasts + frame
    is_upright(summary)
    with av.open(str(summary)) as container:
        tracks = [track.codec_context.layout.nb_channels for track in container.streams.audio]
    wanted = [1 if layout == "mono" else 2 for layout in given.get("sound", [])[:1]]
    assert tracks == wanted
    if wanted:
        assert pitch(summary) == pytest.approx(400, abs=8)


def read(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def is_upright(path: Path) -> None:
    """The upper left corner is white, the upper right one black."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="gray")
            high, wide = image.shape[0] // 6, image.shape[1] // 6
            assert image[:high, :wide].mean() > 200
            assert image[:high, -wide:].mean() < 50
            assert image[-high:, :].mean() < 215


def pitch(path: Path) -> float:
    """The strongest frequency of a file's sound, in hertz."""
    with av.open(str(path)) as container:
        wave = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return float(np.abs(np.fft.rfft(wave)).argmax() * RATE / len(wave))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_by_the_phone(degrees, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = video(tmp_path / "upright.mp4", size=(96, 72), sound=["mono"])
    # The phone stores the picture turned, and writes by how much it is to be turned back.
    stored = tmp_path / "a.mp4"
    with av.open(str(path)) as source, av.open(str(stored), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height = (96, 72) if degrees % 180 else (72, 96)
        stream.pix_fmt = "yuv420p"
        for frame in source.decode(video=0):
            image = np.rot90(frame.to_ndarray(format="rgb24"), degrees // 90)
            content = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(content))
        container.mux(stream.encode(None))
    turn(stored, degrees)
    assert main([*VISUAL, "a.mp4", "--length", "40%"]) == 0
    summary = tmp_path / "a-summary" / "summary.mp4"
    assert plays(summary) == pytest.approx(
        read(tmp_path / "a-summary")["summary_seconds"], abs=0.04
    )
    is_upright(summary)
    with av.open(str(summary)) as container:
        stream = container.streams.video[0]
        assert (stream.height, stream.width) == (96, 72)
