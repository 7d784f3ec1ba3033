"""The commands of docs/benchmarks.md run, on little, and write down where they ran."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.films import own_folder

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def run(command: str, place: Path) -> tuple[list[str], dict[str, Any]]:
    """The lines that a benchmark prints, and the figures that it writes."""
    name, *options = shlex.split(command)
    written = place / "figures.json"
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / name, *options, "--json", written],
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(written.read_text())
    assert {"command", "date", "processor", "torch"} <= found.keys()
    assert found["command"].startswith("python ")
    return done.stdout.splitlines(), found["figures"]


def test_llm_stage(tmp_path: Path) -> None:
    few = "--prefix 30 --steps 2 --naive-steps 1 --rounds 1 --threads 1"
    lines, figures = run(f"llm_stage.py {few}", tmp_path)
    assert [line.split()[0] for line in lines[2:]] == ["naive", "expand", "cascade"]
    assert all(row["largest difference"] < 1e-4 for row in figures.values())


def test_extraction(tmp_path: Path) -> None:
    own_folder(tmp_path / "mine", "abcde", 3)
    where = "folder tiny data.root=mine cache=cache data.splits=disjoint"
    few = "--videos 2 --rounds 1 --batches 1,4 --budgets 64,512"
    _, figures = run(f"extraction.py {where} {few}", tmp_path)
    assert figures.keys() == {"captions", "captioner", "scorer"}
    assert figures["captioner"].keys() == {"1", "4"}
    assert all(row["first result"] <= row["seconds"] for row in figures["scorer"].values())
    assert not list((tmp_path / "cache").rglob("captions-*"))


def test_head_epoch(tmp_path: Path) -> None:
    lines, figures = run("head_epoch.py --dim 16 --width 8 --rounds 1", tmp_path)
    assert [line.split(" ")[0] for line in lines[1:]] == ["packed", "padded", "one"]
    assert figures["padded to"] > figures["steps"]


def test_protocol(tmp_path: Path) -> None:
    few = "--width 8 --dim 16 --layers 1 --rounds 1 --videos 10 --tested 2"
    _, figures = run(f"protocol.py {few}", tmp_path)
    assert figures.keys() == {"ours", "bare loop", "reference", "shares"}
    assert sum(figures["shares"].values()) == pytest.approx(1)


def test_growth_adds_to_the_other_half(tmp_path: Path) -> None:
    run("growth.py steps --most 500", tmp_path)
    _, figures = run("growth.py videos --most 300 --plot growth", tmp_path)
    assert figures.keys() == {"evaluation", "train", "videos"}
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_correlations(tmp_path: Path) -> None:
    lines, figures = run("correlations.py", tmp_path)
    assert len(lines) == len(figures) == 6


def test_start(tmp_path: Path) -> None:
    _, figures = run("start.py --rounds 1", tmp_path)
    forked, fresh = figures["a process by forkserver"], figures["a process by spawn"]
    assert forked["processor"] < fresh["processor"]
    assert forked["mb"] < fresh["mb"]
    assert figures["--version"]["seconds"] < figures["import torch"]["seconds"]


def test_own_video(tmp_path: Path) -> None:
    _, figures = run("own_video.py clip.mp4 --draw .1 --steps 60", tmp_path)
    assert {"look", "summarize", "cut", "write_page", "KTS, shots"} <= figures.keys()


def test_cuts(tmp_path: Path) -> None:
    _, figures = run("cuts.py world --clips 5", tmp_path)
    assert figures["shots"]["precision"] > 0.9
    assert figures["hard cuts alone"]["precision"] == 1
