"""Whole or absent: what atomic writing promises."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from llmvs.errors import UserError
from llmvs.files import (
    atomic,
    dumps,
    locked,
    read_json,
    removed_if_refused,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "a.json"
    write_json(path, {"a": 1})

    def fail():
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("killed here")

    with pytest.raises(RuntimeError, match="killed here"):
        fail()
    assert read_json(path, "a number") == {"a": 1}
    assert [entry.name for entry in path.parent.iterdir()] == ["a.json"]


def test_permissions_are_those_of_an_ordinary_file(tmp_path):
    write_text(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=re.escape(f"{tmp_path}/file/a.json: cannot be written (")):
        write_json(tmp_path / "file" / "a.json", 1)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device that is always full")
def test_a_full_disk_is_one_line(tmp_path):
    def fill():
        with atomic(tmp_path / "a"), open("/dev/full", "w") as full:
            full.write("x" * 100)
            full.flush()

    with pytest.raises(UserError, match="No space left on device"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_json_has_no_nan():
    assert dumps(
        {"a": np.float32("nan"), "b": [np.int64(2), float("inf")], 3: np.arange(2)}
    ).split() == (
        ["{", '"a":', "null,", '"b":', "[", "2,", "null", "],", '"3":', "[", "0,", "1", "]", "}"]
    )


def test_unreadable_json(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.json: not readable as a result"):
        read_json(tmp_path / "a.json", "a result")
    with pytest.raises(UserError, match=r"b\.json: no such file \(expected a result\)"):
        read_json(tmp_path / "b.json", "a result")


def test_a_lock_is_held_once_and_leaves_nothing(tmp_path):
    with locked(tmp_path / "new" / ".lock", "taken"):
        with (
            pytest.raises(UserError, match=r"^taken$"),
            locked(tmp_path / "new" / ".lock", "taken"),
        ):
            pass
        assert (tmp_path / "new" / ".lock").exists()
    assert list((tmp_path / "new").iterdir()) == []
    with locked(tmp_path / "new" / ".lock", "taken"):
        pass


HOLD = """
import sys, time
from pathlib import Path
from llmvs.files import locked
with locked(Path(sys.argv[1]), "taken"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    path = tmp_path / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=r"^taken$"), locked(path, "taken"):
            pass
        holder.kill()
    assert path.exists()
    with locked(path, "taken"):
        pass


def test_a_lock_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="cannot be written"),
        locked(tmp_path / "file" / ".lock", "taken"),
    ):
        pass


def test_a_refused_block_leaves_nothing_and_a_begun_one_everything(tmp_path):
    top = tmp_path / "runs"
    folder = top / "demo" / "fold0"

    def start(*files):
        with locked(folder / ".lock", "taken"), removed_if_refused(folder, top):
            for name in files:
                (folder / name).write_text("")
            raise UserError("no")

    def refused(*files):
        with pytest.raises(UserError):
            start(*files)

    refused("config.yaml")
    assert not top.exists()
    (top / "other").mkdir(parents=True)
    refused("config.yaml")
    assert [path.name for path in top.iterdir()] == ["other"]
    refused("config.yaml", "last.ckpt")
    assert {path.name for path in folder.iterdir()} == {"config.yaml", "last.ckpt"}
    (folder / "last.ckpt").unlink()
    refused()  # an earlier start's folder
    assert (folder / "config.yaml").exists()
