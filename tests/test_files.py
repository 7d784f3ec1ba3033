"""Whole or absent: what atomic writing promises."""

import math
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
    is_temporary,
    locked,
    read_json,
    removed_if_refused,
    temporary_prefix,
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


def test_only_our_own_temporary_names_are_known(tmp_path):
    for name in ("v 1.safetensors", "a.b.json", "plain", "line\nbreak.jsonl"):
        with atomic(tmp_path / name) as temporary:
            assert is_temporary(temporary.name)
            assert temporary.name.startswith(temporary_prefix((tmp_path / name).stem))
            assert temporary.suffix == (tmp_path / name).suffix
    for name in (".ssh", ".lock", ".config-settings", ".v-abcdefgh.json", "v-llmvs-abcdefgh"):
        assert not is_temporary(name)


def test_the_longest_name_can_be_written(tmp_path):
    for name in (f"{'v' * 247}.safeten", "é" * 127, f"v.{'s' * 230}"):
        with atomic(tmp_path / name) as temporary:
            assert is_temporary(temporary.name)
            temporary.name.encode()  # no character is cut in half
            temporary.write_text("x")
        assert (tmp_path / name).read_text() == "x"


def test_a_path_that_is_not_utf_8_survives_json(tmp_path):
    write_json(tmp_path / "a.json", {"root": "caf\udce9", "plain": "día"})
    assert "día" in (tmp_path / "a.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "a.json", "paths") == {"root": "caf\udce9", "plain": "día"}


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


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' * 50_000, "nested too deeply"),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "the key 'b' stands twice"),
        (b'{"a": 1,}', "Illegal trailing comma|Expecting property name"),
        (b"\xff\xfe{}", "utf-8"),
        (b"", "Expecting value"),
        (b'{"a": "\x01"}', "control character"),
    ],
)
def test_json_that_is_none_ends_in_one_line(tmp_path, content, reason):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=reason) as caught:
        read_json(path, "a thing")
    assert str(caught.value).startswith(f"{path}: not readable as a thing: ")
    assert "\n" not in str(caught.value)


def test_numbers_without_bound_are_numbers(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("[{}, -{}, 12345678901234567890, 7, 1e999]".format("9" * 400, "9" * 5000))
    found = read_json(path, "numbers")
    assert found == [math.inf, -math.inf, 1.2345678901234567e19, 7, math.inf]
    assert isinstance(found[3], int)


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
