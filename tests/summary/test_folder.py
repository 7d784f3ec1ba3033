"""The folder of a summary survives whatever ends the run that writes it: the earlier summary stays or
comes back, and what is unfinished goes.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmvs.cli import main
from llmvs.errors import UserError
from llmvs.files import is_temporary
from llmvs.summary.folder import LOCK, NEW, OLD, check_new, tidy, whole_folder
from llmvs.summary.result import KIND, MARK
from llmvs.summary.summarize import summarize
from tests.films import film

KILLED = """
import os, signal, sys
from pathlib import Path
from llmvs.summary import folder, result
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
class New(type(Path())):
    def rename(self, to):
        if sys.argv[1] == "between the renames": die()
        super().rename(to)
real = folder._replace
def replace(place, new, old):
    if sys.argv[1] == "before the renames": die()
    real(place, New(new), old)
    if sys.argv[1] == "behind the renames": die()
folder._replace = replace
if sys.argv[1] == "while cutting":
    import llmvs.video.cutter as cutter
    add = cutter._Pictures.add
    cutter._Pictures.add = lambda self, *given: die() if self.count > 5 else add(self, *given)
from llmvs.cli import main
main(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return film(tmp_path_factory.mktemp("film") / "my film.mp4", 12)


def killed(when: str, *arguments: object) -> None:
    """Run `llmvs summarize` until it dies at a certain moment."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, when, "summarize", *map(str, arguments)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if is_temporary(path.name)]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_killed_while_cutting_the_next_run_tidies_up(video, tmp_path, capsys):
    out = tmp_path / "out"
    killed("while cutting", video, "-o", out)
    assert not out.exists()
    assert len([name for name in hidden(tmp_path) if name.startswith(".out-")]) == 1
    assert main(["summarize", str(video), "-o", str(out), "--method", "visual"]) == 0
    assert capsys.readouterr().err == ""
    assert hidden(tmp_path) == []
    before = content(out)
    killed("while cutting", video, "-o", out, "--force", "--length", "30%")
    assert content(out) == before
    assert main(["summarize", str(video), "-o", str(tmp_path / "another")]) == 0
    assert hidden(tmp_path) == []
    assert content(out) == before


@pytest.mark.parametrize("when", ["before the renames", "between the renames"])
def test_the_earlier_summary_outlives_a_kill_at_its_replacement(when, video, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["summarize", str(video), "-o", str(out)]) == 0
    before = content(out)
    killed(when, video, "-o", out, "--force", "--length", "30%")
    assert out.exists() == (when == "before the renames")
    capsys.readouterr()
    assert main(["summarize", str(video), "-o", str(out)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith(f"llmvs: {out}: exists: name another folder")
    note = f"note: {out}: a run that was to replace it was killed: the earlier summary is back"
    assert said[:-1] == ([] if when == "before the renames" else [note])
    assert content(out) == before
    killed(when, video, "-o", out, "--force", "--length", "30%")
    assert main(["summarize", str(video), "-o", str(out), "--force", "--length", "30%"]) == 0
    assert content(out) != before
    assert hidden(tmp_path) == []


def test_killed_behind_its_replacement_the_new_summary_stays(video, tmp_path):
    out = tmp_path / "out"
    assert main(["summarize", str(video), "-o", str(out)]) == 0
    before = content(out)
    killed("behind the renames", video, "-o", out, "--force", "--length", "30%")
    after = content(out)
    assert before != after
    out.rename(tmp_path / "kept")  # the replaced one must not come back in its place
    tidy(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_name_of_the_earlier_summary_comes_back_whole(video, tmp_path):
    out = tmp_path / ("é" * 120)
    assert main(["summarize", str(video), "-o", str(out)]) == 0
    before = content(out)
    killed("between the renames", video, "-o", out, "--force", "--length", "30%")
    [left] = tmp_path.iterdir()
    assert len(os.fsencode(left.name)) <= 255
    tidy(tmp_path)
    assert list(tmp_path.iterdir()) == [out]
    assert content(out) == before


def test_a_hidden_folder_cannot_name_another_place(tmp_path):
    for name in ("../outside", "other", ""):
        left = tmp_path / "inside" / ".out-llmvs-abcd1234"
        (left / NEW).mkdir(parents=True)
        (left / OLD).mkdir()
        (left / LOCK).write_text(name)
        tidy(left.parent)
        assert [path.name for path in left.parent.iterdir()] == ["out"]
        assert [path.name for path in tmp_path.iterdir()] == ["inside"]
        (left.parent / "out").rmdir()


def test_a_name_that_is_too_long_is_refused_before_the_work(tmp_path):
    with pytest.raises(UserError, match=r"has 260 bytes, and a folder's name at most 255: name an"):
        check_new(tmp_path / ("é" * 130) / "out", KIND)
    with pytest.raises(UserError, match=r"cannot be written \(File name too long\)"):
        check_new(tmp_path.joinpath(*["x" * 200] * 25), KIND)


def test_what_a_living_run_holds_is_left_alone(tmp_path):
    look = "import sys; from pathlib import Path; from llmvs.summary.folder import tidy; tidy(Path(sys.argv[1]))"
    with whole_folder(tmp_path / "out", KIND) as new:
        (new / "a").write_text("x")
        tidy(tmp_path)
        subprocess.run([sys.executable, "-c", look, tmp_path], check=True)
        with whole_folder(tmp_path / "other", KIND) as second:
            (second / MARK).write_text("{}")
        assert (new / "a").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_what_only_looks_like_ours_is_left_alone(tmp_path):
    name = ".out-llmvs-abcd1234"
    (tmp_path / name).write_text("a file")
    foreign = tmp_path / "foreign" / name
    (foreign / NEW).mkdir(parents=True)
    (foreign / LOCK).touch()
    (foreign / "thesis.tex").write_text("x")
    unlocked = tmp_path / "unlocked" / name
    (unlocked / OLD).mkdir(parents=True)
    linked = tmp_path / "linked" / name
    linked.parent.mkdir()
    ours = tmp_path / "ours"
    (ours / NEW).mkdir(parents=True)
    (ours / LOCK).touch()
    linked.symlink_to(ours)
    before = sorted(tmp_path.rglob("*"))
    for folder in (tmp_path, foreign.parent, unlocked.parent, linked.parent, tmp_path / "none"):
        tidy(folder)
    assert sorted(tmp_path.rglob("*")) == before
    linked.unlink()
    ours.rename(linked)
    tidy(linked.parent)
    assert list(linked.parent.iterdir()) == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes: the system's own error, as a full disk's."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_room_at_any_file(video, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["summarize", str(video), "-o", str(out)]) == 0
    sizes = sorted({path.stat().st_size for path in out.rglob("*") if path.is_file()})
    before = content(out)
    capsys.readouterr()
    for size in [0, *(size - 1 for size in sizes)]:
        with files_of_at_most(size):
            assert main(["summarize", str(video), "-o", str(out), "--force"]) == 2
        [said] = capsys.readouterr().err.splitlines()
        assert said.startswith(f"llmvs: {out}")
        assert "cannot be written (" in said
        assert said.endswith("choose another folder or free some space")
        assert content(out) == before
        assert hidden(tmp_path) == []


def test_outputs_that_cannot_be(video, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    for name, said in (
        ("file", "file: exists and is not a folder: name another one with -o"),
        ("link", "link: exists and is not a folder: name another one with -o"),
        ("dangling", "dangling: exists and is not a folder: name another one with -o"),
        ("file/below", f"{tmp_path}/file is not a folder: name another folder with -o"),
        ("file/far/below", f"{tmp_path}/file is not a folder: name another folder with -o"),
    ):
        for force in ([], ["--force"]):
            assert main(["summarize", str(video), "-o", str(tmp_path / name), *force]) == 2
            [line] = capsys.readouterr().err.splitlines()
            assert line.startswith("llmvs: ")
            assert said in line
    assert sorted(tmp_path.rglob("*")) == before
    assert main(["summarize", str(video), "-o", str(tmp_path / "folder"), "--force"]) == 0  # empty


def test_a_place_without_rights_is_refused_before_the_video_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, how: Path(path) != tmp_path)
    with pytest.raises(UserError, match=r"far/out: .* cannot be written: name another folder"):
        check_new(tmp_path / "far" / "out", KIND)


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path):
    def write():
        with whole_folder(tmp_path / "out", KIND):
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "mine").write_text("x")

    with pytest.raises(UserError, match="holds no earlier summary"):
        write()
    assert os.listdir(tmp_path) == ["out"]
    with pytest.raises(UserError, match="holds no earlier summary"):
        check_new(tmp_path / "out", KIND, force=True)


def earlier(folder: Path) -> Path:
    """A folder as an earlier summary left it, and a file manager that somebody looked at it with."""
    (folder / "keyframes").mkdir(parents=True)
    document = {"format": 1, "llmvs": "1.0.0", "video": "a.mp4", "shots": []}
    (folder / MARK).write_text(json.dumps(document))
    for name in (*KIND.files, "keyframes/01.jpg", "keyframes/112.jpg", ".DS_Store"):
        (folder / name).write_text("x")
    return folder


def test_every_file_that_is_written_is_known(video, tmp_path):
    out = summarize(video, "30%", method="visual").save(tmp_path / "out")
    assert KIND.is_in(out)
    assert KIND.foreign(out) is None
    assert KIND.foreign(earlier(tmp_path / "earlier")) is None
    check_new(tmp_path / "earlier", KIND, force=True)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (MARK, '{"accuracy": 0.9}', "exists and holds no earlier summary, so it is not replaced"),
        (MARK, "[" * 9, "exists and holds no earlier summary, so it is not replaced"),
        ("thesis.txt", "x", "holds thesis.txt beside an earlier summary, so it is not replaced"),
        ("keyframes/me.jpg", "x", "holds keyframes/me.jpg beside an earlier summary"),
        ("keyframes/9.jpg/a", "x", "holds keyframes/9.jpg beside an earlier summary"),
        ("chapters.vtt/a", "x", "holds chapters.vtt beside an earlier summary"),
        ("deeper/summary.mp4", "x", "holds deeper beside an earlier summary"),
    ],
)
def test_a_folder_that_holds_anything_else_is_not_replaced(name, content, said, tmp_path):
    out = earlier(tmp_path / "out")
    if (out / name).parent.is_file():
        (out / name).parent.unlink()
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text(content)
    for force in (False, True):
        with pytest.raises(UserError) as error:
            check_new(out, KIND, force)
        assert said in str(error.value)
        assert str(error.value).endswith("name another folder with -o")


def test_the_folder_that_one_is_in_is_not_replaced(tmp_path, monkeypatch):
    out = earlier(tmp_path / "out")
    monkeypatch.chdir(out)
    for folder in (Path(), Path(".."), out, tmp_path):
        with pytest.raises(UserError, match="is, or holds, the folder that you are in: name"):
            check_new(folder, KIND, force=True)


def test_what_is_read_is_not_replaced(video, tmp_path, capsys, monkeypatch):
    out = earlier(tmp_path / "out")
    inside = out / "summary.mp4"
    shutil.copy(video, inside)
    link = out / "preview.webp"
    link.unlink()
    link.symlink_to(video)
    (tmp_path / "link.mp4").symlink_to(inside)
    transcript = ["--transcript", str(out / "summary.vtt")]
    for read, more in (
        (inside, []),
        (link, []),
        (tmp_path / "link.mp4", []),
        (out / ".." / "out" / "summary.mp4", []),
        (video, transcript),
    ):
        given = ["summarize", str(read), "--method", "visual", "-o", str(out), "--force", *more]
        assert main(given) == 2
        [line] = capsys.readouterr().err.splitlines()
        kept = transcript[1] if more else str(read)
        assert f"out: holds {kept}, which is read, so it is not replaced" in line
    beside = earlier(tmp_path / f"{video.stem}-summary")
    shutil.copy(video, beside / "summary.mp4")
    monkeypatch.chdir(tmp_path)
    videos = [str(video), str(beside / "summary.mp4")]
    assert main(["summarize", *videos, "--method", "visual", "--force"]) == 2
    assert "-summary: holds " in capsys.readouterr().err
    assert inside.read_bytes() == video.read_bytes()
