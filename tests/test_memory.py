"""Want of memory, however it is said: one line that names the stage and what to make smaller."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from llmvs.cli import main
from llmvs.errors import UserError
from llmvs.files import is_temporary
from llmvs.memory import enough_memory, exhausted
from tests.films import film

CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried"
    " to allocate 9 bytes. Error code 12 (Cannot allocate memory)"
)
GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
TRAIN = [
    "train",
    "folder",
    "data.root=mine",
    "backbone=tiny",
    "optim.epochs=1",
    "head.layers=1",
    "log.wandb=disabled",
]


@pytest.mark.parametrize("error", [MemoryError(), CPU, GPU, OSError(errno.ENOMEM, "no memory")])
def test_it_is_known_in_every_form(error: Exception) -> None:
    with (
        pytest.raises(UserError, match=r"^stage: out of memory: less$"),
        enough_memory("stage", "less"),
    ):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes differ"),
        OSError(errno.ENOSPC, "full"),
        UserError("x: out of memory: y"),
    ],
)
def test_nothing_else_is_taken_for_it(error: Exception) -> None:
    assert not exhausted(error)
    with pytest.raises(type(error)) as caught, enough_memory("stage", "less"):
        raise error
    assert caught.value is error


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three clips with a person's scores, and the command's working folder."""
    rows = ["video,second,a"]
    for name in "abc":
        film(tmp_path / "mine" / f"{name}.mp4", seconds=3, seed=ord(name))
        rows += [f"{name},{t},{t}" for t in range(3)]
    (tmp_path / "mine" / "scores.csv").write_text("\n".join(rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


STAGES = [
    ("llmvs.extraction.caption_stage.caption_steps", CPU, "captions of ", "caption.batch="),
    (
        "llmvs.extraction.engines.Naive._one",
        GPU,
        "embeddings of ",
        "reduce extract.tokens_per_batch, or set",
    ),
    ("llmvs.models.module.LLMVSModule.training_step", CPU, "training", "optim.batch_videos=10"),
    ("llmvs.models.module.LLMVSModule.training_step", MemoryError(), "training", "head.dim=16"),
    ("llmvs.experiments.result.result_of", MemoryError(), "out of memory", "optim.batch_videos"),
]


def test_every_stage_says_so_and_the_command_goes_on(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for where, error, stage, cure in STAGES:

        def short(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(where, short)
            assert main([*TRAIN, "head.dim=16"]) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("llmvs: ")
        assert stage in line
        assert "out of memory" in line
        assert cure in line
        assert not [path for path in place.rglob("*") if is_temporary(path.name)]
        assert not list(place.rglob("result.json"))
    assert main([*TRAIN, "head.dim=16"]) == 0


LIMITED = """
import resource, sys
import llmvs.training.fit, llmvs.extraction.captioner, llmvs.extraction.scorer
from llmvs.cli import main
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2 * 2**30, -1))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_a_head_that_no_memory_holds(place: Path) -> None:
    more = ["head.dim=4096", "head.feedforward=131072"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *TRAIN, *more],
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("llmvs: runs/")
    assert (
        ": embeddings and head: out of memory: reduce optim.batch_videos=10, head.dim=4096" in line
    )
    assert "Traceback" not in done.stderr
    assert not (place / "runs").exists()
