"""Bad and odd files through the command line: a summary where one is possible, else one clear line,
status 2 and nothing left.
"""

import json
import os
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from llmvs.cli import main
from llmvs.files import is_temporary
from tests.summary.made import RATE, VISUAL, video

KEY = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return video(tmp_path_factory.mktemp("good") / "good.mp4", sound=["mono"])


def corrupt(path: Path, good: Path) -> None:
    content = bytearray(good.read_bytes())
    for at in range(len(content) // 10, len(content) // 2, 50):
        content[at] ^= 255
    path.write_bytes(content)


def truncated(path: Path, good: Path) -> None:
    path.write_bytes(good.read_bytes()[: good.stat().st_size // 2])


def truncated_behind_its_header(path: Path, good: Path) -> None:
    video(path, muxer={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def audio_alone(path: Path, good: Path) -> None:
    with av.open(str(path), "w") as container:
        track = container.add_stream("aac", rate=RATE, layout="mono")
        silence = np.zeros((1, RATE), np.float32)
        heard = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        heard.sample_rate = RATE
        container.mux([*track.encode(heard), *track.encode(None)])


def encrypted(path: Path, good: Path) -> None:
    if not hasattr(av.packet.Packet, "has_sidedata"):
        pytest.skip("this PyAV cannot tell what is encrypted")
    video(path, sound=["mono"], muxer=KEY)


def a_picture(path: Path, good: Path) -> None:
    _, content = cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))
    path.write_bytes(content.tobytes())


def a_playlist(path: Path, good: Path) -> None:
    path.write_text(f"#EXTM3U\n#EXTINF:10,\n{good}\n#EXT-X-ENDLIST\n")


BAD = {
    "corrupt": (corrupt, "damaged: only"),
    "truncated": (truncated, "not a readable video (Invalid data"),
    "truncated behind its header": (truncated_behind_its_header, "damaged: only"),
    "empty": (lambda path, good: path.touch(), "the file is empty"),
    "audio alone": (audio_alone, "has no video stream (only audio)"),
    "text": (lambda path, good: path.write_text("hello\n" * 99), "not a readable video (Invalid"),
    "noise": (
        lambda path, good: path.write_bytes(os.urandom(9999)),
        "not a readable video (Invali",
    ),
    "picture": (a_picture, "not a readable video (a text, a picture or a playlist"),
    "playlist": (a_playlist, "not a readable video"),
    "encrypted": (encrypted, "its pictures are encrypted (DRM)"),
    "missing": (lambda path, good: None, "no such file or folder"),
    "pipe": (lambda path, good: os.mkfifo(path), "not a file that can be read from its beginning"),
    "dangling link": (lambda path, good: path.symlink_to("nowhere"), "no such file or folder"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_line(kind, good, tmp_path, monkeypatch, capsys):
    make, said = BAD[kind]
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "bad.mp4", good)
    before = sorted(tmp_path.iterdir())
    assert main([*VISUAL, "bad.mp4"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert line.startswith("llmvs: bad.mp4: ")
    assert said in line
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind not in ("missing", "dangling link")])
def test_of_a_batch_the_others_go_on(kind, good, tmp_path, monkeypatch, capsys):
    make, said = BAD[kind]
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "z.mp4"):
        shutil.copy(good, tmp_path / name)
    make(tmp_path / "m.mp4", good)
    assert main([*VISUAL, "a.mp4", "m.mp4", "z.mp4", "-o", "out", "--json"]) == 2
    printed = capsys.readouterr()
    assert [one["video"] for one in json.loads(printed.out)] == ["a.mp4", "z.mp4"]
    [line] = printed.err.splitlines()
    assert line.startswith("failed: m.mp4: ")
    assert said in line
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "z"]
    for name in ("a", "z"):
        plays(tmp_path / "out" / name / "summary.mp4")
    assert not [path for path in tmp_path.rglob("*") if is_temporary(path.name)]


def plays(path: Path) -> float:
    """Decode a video to its end; give its seconds."""
    with av.open(str(path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
        stream = container.streams.video[0]
        assert frames == stream.frames > 0
        seconds = float(stream.duration * stream.time_base)
    with av.open(str(path)) as container:
        if container.streams.audio:
            assert sum(1 for _ in container.decode(audio=0)) > 0
    return seconds


def test_folders(good, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "thesis.tex").write_text("x")
    assert main([*VISUAL, "none"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("llmvs: none: no videos in this folder")
    mixed = tmp_path / "mixed"
    (mixed / "below.mp4").mkdir(parents=True)
    for name in ("b.mp4", "a.MP4", ".hidden.mp4"):
        shutil.copy(good, mixed / name)
    for name in ("notes.txt", "cover.jpg", "b.srt"):
        (mixed / name).write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    assert main([*VISUAL, "mixed", "-o", "out"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b"]
    assert len(list(mixed.iterdir())) == 7


@pytest.mark.parametrize(
    ("length", "said"),
    [
        ("0", "0 of what? write a share"),
        ("0s", "a summary of no length"),
        ("0%", "must be above 0% and at most 100%"),
        ("-5s", "not a length"),
        ("101%", "must be above 0% and at most 100%"),
        ("6.2s", "--length 6.2s is longer than the video (0:06.0)"),
        ("1:00:00", "--length 1:00:00 is longer than the video (0:06.0)"),
        ("nan%", "must be above 0% and at most 100%"),
    ],
)
def test_lengths_that_cannot_be(length, said, good, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("llmvs.summary.summarize.watch", None)  # refused before the video is read
    assert main([*VISUAL, str(good), f"--length={length}"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("given", "seconds", "length"),
    [
        ({"n_frames": 1}, 1 / 25, "15%"),
        ({"n_frames": 2}, 1 / 25, "15%"),
        ({"n_frames": 12}, 1 / 25, "15%"),
        ({"n_frames": 12}, 12 / 25, "100%"),
        ({"n_frames": 20, "sound": ["mono"]}, 0.4, "50%"),
        ({"n_frames": 1000, "still": True}, 6, "15%"),
        ({"n_frames": 150}, 6, "100%"),
    ],
)
def test_short_and_still_videos_have_a_summary(given, seconds, length, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    video(tmp_path / "a.mp4", **given)
    assert main([*VISUAL, "a.mp4", "--length", length]) == 0
    folder = tmp_path / "a-summary"
    assert plays(folder / "summary.mp4") == pytest.approx(seconds, abs=1.01 / 25)
    document = json.loads((folder / "summary.json").read_text())
    assert document["summary_seconds"] == pytest.approx(seconds, abs=1.01 / 25)
    for name in ("preview.webp", "report.html", "storyboard.png", "scores.csv", "chapters.vtt"):
        assert (folder / name).stat().st_size > 0
    assert len(list((folder / "keyframes").iterdir())) > 0


@pytest.mark.parametrize(
    "name",
    [
        "two words.mp4",
        'it\'s "quoted".mp4',
        "день 日 ünï.mp4",
        "-o.mp4",
        "--force.mp4",
        "a=b.mp4",
        "%03d.mp4",
        "<b>&amp;.mp4",
        "x" * 190 + ".mp4",
    ],
)
def test_odd_names(name, good, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(good, tmp_path / name)
    assert main([*VISUAL, "--", name]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.startswith(f"{name}: ")
    folder = tmp_path / f"{name.removesuffix('.mp4')}-summary"
    plays(folder / "summary.mp4")
    assert json.loads((folder / "summary.json").read_text())["video"] == name


def test_a_name_that_is_not_utf_8(good, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    odd = Path(os.fsdecode(b"caf\xe9.mp4"))
    shutil.copy(good, odd)
    for more in ([], ["--json", "--force"]):
        assert main([*VISUAL, str(odd), "--length", "40%", *more]) == 0
        said = capsys.readouterr().out
        said.encode()
    assert json.loads(said)[0]["folder"] == "caf\udce9-summary"
    folder = Path(os.fsdecode(b"caf\xe9-summary"))
    assert json.loads((folder / "summary.json").read_text())["video"] == "caf\ufffd.mp4"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert '"title": "caf\\ufffd.mp4"' in page
    assert '"video": "../caf%E9.mp4"' in page
    for timeline in folder.glob("timeline.*"):
        timeline.read_text(encoding="utf-8")


@pytest.mark.parametrize("stem", ["x" * 235, "é" * 117])
def test_a_name_of_almost_the_longest(stem, good, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(good, f"{stem}.mp4")
    assert main([*VISUAL, f"{stem}.mp4", "--length", "40%"]) == 0
    assert (tmp_path / f"{stem}-summary" / "summary.mp4").is_file()
    assert main([*VISUAL, f"{stem}.mp4", "-o", f"{stem}-{stem}"]) == 2
    assert "a folder's name at most 255: name another folder with -o" in capsys.readouterr().err


def test_a_setting_longer_than_a_name_can_be(good, capsys):
    wish = f"prompt.about={'x' * 300}"
    assert main([*VISUAL, str(good), wish]) == 2
    assert "File name too long" not in capsys.readouterr().err
    assert main(["plot", wish]) == 2
    assert "File name too long" not in capsys.readouterr().err
    for verb in ("config", "train", "extract"):
        assert main([verb, "x" * 300]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert "no such file or folder" in line or "is neither a layer" in line
