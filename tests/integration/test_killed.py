"""`llmvs train` killed or told to end at any moment: the same command goes on, and what it leaves is
what an undisturbed run leaves, to the byte.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmvs.files import is_temporary
from tests.films import own_folder

COMMAND = (
    "train folder data.root=mine backbone=tiny optim.epochs=3 head.dim=16 head.layers=1"
    " log.wandb=disabled log.checkpoint_seconds=0"
)
LINE = "llmvs: interrupted; the same command goes on from here\n"
TIMES = ("seconds", "environment")
"""Fields of a result that say when and where, not what."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six clips and two people's scores."""
    folder = tmp_path_factory.mktemp("killed")
    own_folder(folder / "mine", "abcdef", seconds=4)
    return folder


def start(place: Path, *more: str) -> "subprocess.Popen[str]":
    """The command, with a folder for temporary files of its own."""
    (place / "tmp").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "llmvs", *COMMAND.split(), *more],
        cwd=place,
        env={**os.environ, "TMPDIR": str(place / "tmp"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(place: Path) -> dict[str, bytes]:
    """What a run leaves, by its place; of the result all but times, and not the log."""
    found = {}
    for path in [*(place / "runs").rglob("*"), *(place / "cache").rglob("*")]:
        if path.is_file() and path.name not in ("run.log", "result.json"):
            found[str(path.relative_to(place))] = path.read_bytes()
    for path in (place / "runs").rglob("result.json"):
        content = json.loads(path.read_text())
        kept = {name: value for name, value in content.items() if name not in TIMES}
        found["result.json"] = json.dumps(kept).encode()
    return found


def wipe(place: Path) -> None:
    for name in ("runs", "cache", "tmp"):
        shutil.rmtree(place / name, ignore_errors=True)


def temporary(place: Path) -> list[Path]:
    """What is not finished."""
    there = [path for path in place.rglob("*") if is_temporary(path.name) or path.name == ".lock"]
    return [*there, *(place / "tmp").iterdir()]


@pytest.mark.slow
def test_killed_and_told_to_end_at_any_moment(place: Path) -> None:
    for _ in range(2):  # once without the caches of Python's bytecode
        wipe(place)
        began = time.monotonic()
        assert start(place).wait() == 0
        duration = time.monotonic() - began
    expected = finished(place)
    assert len(expected) > 30
    assert {"result.json"} < expected.keys()
    wipe(place)
    rng = random.Random(0)
    ended: dict[int, int] = {signal.SIGKILL: 0, signal.SIGTERM: 0}
    stages = set()
    while min(ended.values()) < 10 or (len(stages) <= 5 and min(ended.values()) < 20):
        number = min(ended, key=lambda one: ended[one])
        process, before = start(place), temporary(place)
        time.sleep(rng.uniform(0, 1) * duration)
        process.send_signal(number)
        said = process.communicate()[1]
        if process.returncode == 0:
            assert finished(place) == expected
            wipe(place)
            continue
        ended[number] += 1
        stages.add(len(finished(place)))
        if number == signal.SIGTERM:
            if process.returncode == -signal.SIGTERM:
                assert said == ""  # before llmvs was there
            else:
                assert process.returncode == 143, said
                assert said.endswith(LINE)
            assert "Traceback" not in said
            assert "Exception ignored" not in said
            assert set(temporary(place)) <= set(before)  # a killed one's stay there
    process = start(place)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    assert finished(place) == expected
    assert len(stages) > 5  # ended early, late and in between
