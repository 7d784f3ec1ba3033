"""A full disk at every file that is written, pipes where files are expected, read-only folders, and
names that are no ordinary names: one line each, and never a wait.
"""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmvs import files
from llmvs.cli import main
from llmvs.files import is_temporary
from tests.films import own_folder

TRAIN = [
    "train",
    "folder",
    "data.root=mine",
    "backbone=tiny",
    "optim.epochs=2",
    "head.dim=16",
    "head.layers=1",
    "log.wandb=disabled",
    "log.checkpoint_seconds=0",
]
RUN = "runs/folder-mine-tiny-*/fold0/seed1112"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips with a person's scores, their cache, and a finished run."""
    folder = tmp_path_factory.mktemp("places")
    own_folder(folder / "mine", "abc", seconds=3, people="a")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(TRAIN) == 0
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def impatient() -> Iterator[None]:
    """End a test that waits for a pipe."""

    def ring(*_: object) -> None:
        raise AssertionError("still waiting after 60 seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def full_once(refused: list[str]) -> Callable[[int], None]:
    """A disk that is full at the first file of a kind that has not been refused yet."""

    def fsync(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        folder = path.parent.name.split("-")[0]
        stem = path.name.partition("-llmvs-")[0].removeprefix(".")
        kind = f"{folder}/{'' if len(stem) == 1 else stem}{path.suffix}"  # of a video's any
        if kind not in refused:
            refused.append(kind)
            raise OSError(errno.ENOSPC, "No space left on device")

    return fsync


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_a_disk_that_fills_at_any_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = content(place / "cache")
    shutil.rmtree(place / "runs")
    shutil.rmtree(place / "cache" / "folder-mine")
    refused, before, status = list[str](), dict[str, bytes](), 2
    while status == 2:
        count = len(refused)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files.os, "fsync", full_once(refused))
            status = main(TRAIN)
        assert not [path for path in place.rglob("*") if is_temporary(path.name)]
        if status == 2:
            assert len(refused) > count
            assert last_line(capsys).startswith("llmvs: ")
        found = content(place / "cache")
        assert before.items() <= found.items()
        before = found
    assert found == expected
    assert {
        "captions/fingerprint.json",
        "captions/.safetensors",
        "captions/.jsonl",
        "embeddings/fingerprint.json",
        "embeddings/.safetensors",
        "seed1112/config.yaml",
        "seed1112/last.ckpt",
        "seed1112/model.safetensors",
        "seed1112/config.json",
        "seed1112/result.json",
        "scores/last.json",
    } <= set(refused)


PIPES = [
    ("mine/videos/a.mp4", ["extract", *TRAIN[1:], "extract.refresh=always"]),
    ("mine/scores.csv", ["train", *TRAIN[1:], "resume=false"]),
    ("more.yaml", ["train", "more.yaml", *TRAIN[1:]]),
    ("cache/folder-mine/embeddings-*/fingerprint.json", [*TRAIN, "resume=false"]),
    ("cache/folder-mine/captions-*/fingerprint.json", [*TRAIN, "resume=false"]),
    ("cache/folder-mine/captions-*/a.jsonl", [*TRAIN, "resume=false"]),
    ("cache/folder-mine/embeddings-*/a.safetensors", ["cache", "verify"]),
    ("captions/a.jsonl", [*TRAIN, "extract.captions=captions", "resume=false"]),
    (f"{RUN}/result.json", TRAIN),
    (f"{RUN}/model.safetensors", TRAIN),
    ("scores.json", ["evaluate", "folder", "data.root=mine", "--scores", "scores.json"]),
    ("scores.h5", ["evaluate", "folder", "data.root=mine", "--scores", "scores.h5"]),
    ("scorer/config.json", [*TRAIN, "backbone.scorer=scorer"]),
    ("scorer/tokenizer.json", [*TRAIN, "backbone.scorer=scorer"]),
    ("scorer/model.safetensors", [*TRAIN, "backbone.scorer=scorer"]),
]


@pytest.mark.parametrize(("name", "command"), PIPES, ids=[name for name, _ in PIPES])
def test_a_pipe_is_refused(
    name: str,
    command: list[str],
    place: Path,
    capsys: pytest.CaptureFixture[str],
    impatient: None,
) -> None:
    shutil.copytree(place / "cache" / "backbones" / "tiny-llama-2", place / "scorer")
    [captions] = (place / "cache" / "folder-mine").glob("captions-*")
    shutil.copytree(captions, place / "captions")
    path = next(place.glob(name), place / name)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert main(command) == 2
    said = capsys.readouterr()
    assert path.name in said.err + said.out
    assert "Traceback" not in said.err
    assert path.is_fifo()


@pytest.mark.parametrize("name", ["last.ckpt", "run.log"])
def test_a_pipe_in_the_folder_of_an_unfinished_run(
    name: str, place: Path, capsys: pytest.CaptureFixture[str], impatient: None
) -> None:
    [run] = place.glob(RUN)
    (run / "result.json").unlink()
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    assert main(TRAIN) == (2 if name == "last.ckpt" else 0)  # a log ends nothing
    assert name in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("folder", ["runs", "cache"])
def test_a_read_only_folder(folder: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / folder).chmod(0o555)
    assert main([*TRAIN, "experiment=another", "prompt.window=3"]) == 2
    assert "cannot be written" in last_line(capsys)


NAMES = {
    b"\xff\xfe.mp4": False,
    b"n" * 236 + b".mp4": False,
    b"new\nline.mp4": False,
    b"a:b.mov": True,
    b"-x.mp4": True,
    b"--help.mp4": True,
    b" leading.mp4": True,
    b"trailing .mp4": True,
    b"img%03d.mp4": True,
    b'it\'s "quoted".mp4': True,
    "\N{GRINNING FACE}.mp4".encode(): True,
    b"file:x.mp4": True,
    b"concat:a|b.mp4": True,
    b"*?[x].mp4": True,
    b"a=b.mp4": True,
}
"""Name of a video file -> whether it is done; else it is named in a line."""


@pytest.mark.slow
def test_names_that_are_no_ordinary_names(place: Path) -> None:
    odd = os.fsencode(place / "odd")
    os.mkdir(odd)
    for name in NAMES:
        shutil.copyfile(os.fsencode(place / "mine" / "videos" / "a.mp4"), os.path.join(odd, name))
    done = subprocess.run(
        [sys.executable, "-m", "llmvs", "extract", "backbone=tiny", "odd"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    found = {path.stem: path.read_bytes() for path in place.glob("cache/own/emb*/*.safetensors")}
    assert found.keys() == {
        os.fsdecode(name).rpartition(".")[0] for name, ok in NAMES.items() if ok
    }
    assert len(set(found.values())) == 1  # as if they had been called anything else
    lines = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(lines) == len(done.stderr.splitlines()) - 1 == list(NAMES.values()).count(False)
    for told in (r"\udcff\udcfe", "236 bytes", r"new\nline"):
        assert [line for line in lines if told in line]
