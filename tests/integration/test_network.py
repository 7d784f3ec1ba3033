"""Nothing leaves the machine unless asked: every system call that reaches out is traced."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.films import own_folder

STRACE = shutil.which("strace")
OUTSIDE = re.compile(r"AF_INET6?.*(?:inet_addr\(\"(?!127\.)|inet_pton\(AF_INET6, \"(?!::1\"))")
"""An address that is not this machine's: a name server's, too."""
QUICK = ["backbone=tiny", "optim.epochs=2", "head.dim=16", "head.layers=1", "data.root=mine"]
WANDB = ("train", "train with every logger")
"""With W&B offline, which has to leave its run behind."""
VERBS = {
    "train": ["train", "folder", *QUICK, "log.wandb=offline"],
    "train with every logger": ["train", "folder", *QUICK, "seed=3", "log.loggers=[csv,wandb]"],
    "crossval": ["crossval", "folder", *QUICK, "--folds", "0,1", "--seeds", "4"],
    "baselines": ["baselines", "folder", "data.root=mine"],
    "extract": ["extract", "folder", *QUICK],
    "config": ["config", "tvsum"],
    "cache": ["cache", "verify"],
    "summarize": ["summarize", "mine/videos", "-o", "summaries"],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips with two people's scores."""
    folder = tmp_path_factory.mktemp("offline")
    own_folder(folder / "mine", "abcdef", seconds=4)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(STRACE is None, reason="needs strace to see what other programs send")
@pytest.mark.parametrize("verb", VERBS)
def test_nothing_is_sent(verb: str, place: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    watch = [str(STRACE), "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", trace]
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_MODE"}
    done = subprocess.run(
        [*watch, sys.executable, "-m", "llmvs", *VERBS[verb]],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr and done.returncode == 1:
        pytest.skip("this machine lets nobody trace a process")
    assert done.returncode == 0, done.stderr
    assert trace.is_file()
    assert "W&B" not in done.stderr  # "going on without": then nothing would have been tried
    assert "Weights & Biases" not in done.stderr
    if verb in WANDB:
        assert list(place.rglob("offline-run-*/*.wandb"))
    assert [line for line in trace.read_text().splitlines() if OUTSIDE.search(line)] == []
