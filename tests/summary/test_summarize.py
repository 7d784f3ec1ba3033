"""From a file to the folder of its summary, in Python and on the command line."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import llmvs
from llmvs.cli import main
from llmvs.errors import UserError, VideoError
from llmvs.summary import result
from llmvs.summary.folder import whole_folder
from llmvs.summary.result import KIND
from llmvs.summary.summarize import keyframe, summarize
from tests.films import film
from tests.video.seen import seen
from tests.video.test_shots import clip


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    clip(folder / "cuts.mp4", [0, 60, 150, 260, 420], 500)
    clip(folder / "two words='x'.mp4", [0, 70], 130, seed=1)
    film(folder / "short.mp4", 0.5)
    return folder


@pytest.fixture
def broken(videos, tmp_path) -> Path:
    path = tmp_path / "broken.mp4"
    path.write_bytes((videos / "cuts.mp4").read_bytes()[:3000])
    return path


def test_it_is_public(videos):
    summary = llmvs.summarize(videos / "cuts.mp4", length="30%")
    assert "summarize" in llmvs.__all__
    assert summary.duration == pytest.approx(20)
    assert summary.fps == pytest.approx(25)
    assert len(summary.scores) == len(summary.steps) == 40
    assert {0, 60, 150, 260, 420} <= {shot.first for shot in summary.shots}
    assert [shot.first for shot in summary.shots[1:]] == [
        shot.last + 1 for shot in summary.shots[:-1]
    ]
    assert summary.shots[-1].last == 499
    assert 0 < summary.seconds <= 6 + 1e-6
    assert summary.chosen == tuple(shot for shot in summary.shots if shot.chosen)


def test_the_same_video_gives_the_same_summary(videos):
    one, two = (summarize(videos / "cuts.mp4") for _ in range(2))
    assert (one.scores == two.scores).all()
    assert one.shots == two.shots


def test_it_needs_no_torch(videos, tmp_path):
    code = (
        "import sys, llmvs; llmvs.summarize(sys.argv[1]).save(sys.argv[2]);"
        " print([m for m in ('torch', 'lightning', 'transformers') if m in"
        " sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, videos / "cuts.mp4", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_what_is_written(videos, tmp_path):
    summary = summarize(videos / "cuts.mp4", "30%", keep=["0:01-0:03"], drop=[(15, 16.5)])
    folder = summary.save(tmp_path / "new" / "out")
    assert {"keyframes", "scores.csv", "summary.json"} <= {path.name for path in folder.iterdir()}
    said = json.loads((folder / "summary.json").read_text())
    assert said == json.loads(json.dumps(summary.to_json()))
    assert (said["keep"], said["drop"], said["length"]) == ([[1, 3]], [[15, 16.5]], "30%")
    chosen = [shot for shot in said["shots"] if shot["chosen"]]
    assert len(chosen) == len(summary.chosen) > 1
    pictures = sorted(path.name for path in (folder / "keyframes").iterdir())
    assert pictures == [Path(shot["keyframe"]).name for shot in chosen]
    frames = [shot.keyframe for shot in summary.chosen]
    capture = cv2.VideoCapture(str(videos / "cuts.mp4"))
    every = [capture.read()[1] for _ in range(500)]
    for name, frame in zip(pictures, frames, strict=True):
        image = cv2.imread(str(folder / "keyframes" / name))
        assert np.abs(image.astype(int) - every[frame]).mean() < 6
    rows = list(csv.DictReader((folder / "scores.csv").open()))
    assert [float(row["score"]) for row in rows] == pytest.approx(summary.scores, abs=1e-6)
    assert [int(row["frame"]) for row in rows] == summary.picks.tolist()
    assert list(rows[0]) == ["step", "frame", "seconds", "score", "novelty", "motion"]
    mask = os.umask(0)
    os.umask(mask)
    assert folder.stat().st_mode & 0o777 == 0o777 & ~mask


def test_an_existing_folder_stays_unless_forced(videos, tmp_path):
    summary = summarize(videos / "cuts.mp4")
    folder = summary.save(tmp_path / "out")
    (folder / "chapters.vtt").write_text("x")
    with pytest.raises(UserError, match="exists: name another folder with -o, or replace it"):
        summary.save(folder)
    assert (folder / "chapters.vtt").read_text() == "x"
    summary.save(folder, force=True)
    assert (folder / "chapters.vtt").read_text() != "x"
    (folder / "mine.txt").write_text("x")
    with pytest.raises(UserError, match=r"holds mine.txt beside an earlier summary, so it is not"):
        summary.save(folder, force=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="holds no earlier summary, so it is not replaced"):
        summary.save(other, force=True)
    with pytest.raises(UserError, match="is not a folder"):
        summary.save(other / "thesis.tex", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out"]


def test_a_failure_while_writing_leaves_nothing(videos, tmp_path, monkeypatch):
    summary = summarize(videos / "cuts.mp4")
    summary.save(tmp_path / "out")
    before = (tmp_path / "out" / "scores.csv").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(result, "_write_picture", full)
    for folder, force in (("new", False), ("out", True)):
        with pytest.raises(UserError, match=r"cannot be written .*No space left"):
            summary.save(tmp_path / folder, force)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "scores.csv").read_bytes() == before


def test_an_interrupted_block_leaves_nothing(tmp_path):
    def interrupted():
        with whole_folder(tmp_path / "out", KIND) as new:
            (new / "a").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_the_keyframe_is_the_sharpest_of_the_better_half():
    footage = seen()
    scores = np.zeros(60)
    scores[10:14] = 0.1, 0.9, 0.8, 0.2
    footage.sharpness[10:14] = 9, 1, 2, 8
    assert keyframe(footage, scores, 50, 69) == 60
    assert keyframe(footage, scores, 51, 54) == 52


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"length": "21s"}, "--length 21s is longer than the video (0:20.0)"),
        ({"keep": ["0:10-0:30"]}, "reaches beyond the end"),
        ({"keep": ["0:01-0:09"]}, "--keep holds 8.0 seconds, more than the summary's 3.0"),
    ],
)
def test_wishes_are_checked_before_the_video_is_decoded(videos, monkeypatch, wishes, said):
    monkeypatch.setattr("llmvs.summary.summarize.watch", None)
    with pytest.raises(VideoError) as error:
        summarize(videos / "cuts.mp4", **wishes)
    assert said in str(error.value)


def test_a_bare_number_is_no_length(videos):
    with pytest.raises(UserError, match=r"--length 0.15: 0.15 of what"):
        summarize(videos / "cuts.mp4", 0.15)


def test_the_command_line(videos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["summarize", str(videos / "cuts.mp4"), "--length", "30%"]) == 0
    lines = capsys.readouterr().out.splitlines()
    written = json.loads((tmp_path / "cuts-summary" / "summary.json").read_text())
    assert len(lines) == 1 + sum(shot["chosen"] for shot in written["shots"])
    assert lines[0].startswith("cuts.mp4: 0:0")
    assert lines[0].endswith("shots, in cuts-summary")
    assert main(["summarize", str(videos / "cuts.mp4")]) == 2
    assert "cuts-summary: exists" in capsys.readouterr().err
    assert main(["summarize", str(videos / "cuts.mp4"), "--force", "--by", "top"]) == 0


def test_a_folder_and_a_bad_file_among_them(videos, broken, tmp_path, capsys):
    given = ["summarize", str(videos), str(broken), "-o", str(tmp_path / "all"), "--json"]
    assert main(given) == 2
    said = capsys.readouterr()
    done = json.loads(said.out)
    assert [one["video"] for one in done] == ["cuts.mp4", "short.mp4", "two words='x'.mp4"]
    assert [Path(one["folder"]).name for one in done] == ["cuts", "short", "two words='x'"]
    assert all((Path(one["folder"]) / "scores.csv").is_file() for one in done)
    hint, failure = said.err.splitlines()
    assert hint.startswith("scored by what is seen and heard, without a language model")
    assert failure.startswith("failed: ")
    assert "broken.mp4: not a readable video" in failure


def test_mistakes_are_one_line(videos, broken, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "cuts.mkv").write_bytes(b"x")
    cuts = str(videos / "cuts.mp4")
    for arguments, said in (
        (["nowhere.mp4"], "nowhere.mp4: no such file or folder"),
        (["empty"], "empty: no videos in this folder"),
        (["text.mp4"], "text.mp4: not a readable video"),
        ([str(broken)], "broken.mp4"),
        ([cuts, "again"], "would both be summarized in cuts-summary"),
        ([cuts, "--length", "0s"], "--length 0s: a summary of no length"),
        ([cuts, "--length", "90"], "90 of what?"),
        ([cuts, "--length", "21s"], "longer than the video"),
        ([cuts, "--keep", "1-2", "--drop", "1:00-2:00,1.5-3"], "overlap"),
        ([cuts, "--keep", "soon"], "--keep soon: not a range of times"),
        ([cuts, "--by", "luck"], "invalid choice: 'luck'"),
        ([], "required: VIDEO"),
    ):
        assert main(["summarize", *arguments]) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith("llmvs: ")
        assert said in output.err
        assert output.err.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["again", "broken.mp4", "empty", "text.mp4"]


def test_names_with_a_leading_dash_and_half_a_second(videos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-x.mp4").write_bytes((videos / "short.mp4").read_bytes())
    assert main(["summarize", "--", "-x.mp4"]) == 0
    assert (tmp_path / "-x-summary" / "summary.json").is_file()
    assert "1 of" in capsys.readouterr().out


def test_real_clips(shared, tmp_path, capsys):
    clips = shared / "clips"
    assert main(["summarize", str(clips), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert said.err.count("failed: ") == 1
    assert "corrupted.mp4: damaged" in said.err
    folders = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert folders == ["fire2", "nasa_13013", "no_duration", "video_90", "video_with_failing_audio"]
    [upright] = (tmp_path / "out" / "video_90" / "keyframes").iterdir()
    height, width = cv2.imread(str(upright)).shape[:2]
    assert height > width
