"""The commands of docs/benchmarks.md run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_llm_stage_prints_its_table() -> None:
    options = [
        "--prefix",
        "30",
        "--steps",
        "2",
        "--naive-steps",
        "1",
        "--rounds",
        "1",
        "--threads",
        "1",
    ]
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "llm_stage.py", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["naive", "expand", "cascade"]
    assert all(float(line.split()[3]) < 1e-4 for line in lines[2:])
