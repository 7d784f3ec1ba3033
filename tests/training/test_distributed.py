"""Extraction on several processes: the same bytes as on one, and what becomes of it when one dies
or fails.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from llmvs import console, processes
from llmvs.config.schema import BackboneConfig, Config, ExamplesConfig, ExtractConfig
from llmvs.datasets.base import Dataset
from llmvs.datasets.video import Video
from llmvs.errors import UserError
from llmvs.extraction import distributed as together
from llmvs.extraction import steps
from llmvs.extraction.pipeline import Extraction, extract
from llmvs.training.distributed import extract_shared
from tests.films import content, films, tiny_config

LENGTHS = {"c": 2, "d": 2.5, "a": 8, "b": 7}
"""Shared out, longest first: a, c to one rank and b, d to the other; each does its short one first.
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return films(tmp_path_factory.mktemp("films"), LENGTHS)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def alone(
    dataset: Dataset, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """What one process writes."""
    torch.set_num_threads(1)
    cache = tmp_path_factory.mktemp("alone")
    extract(tiny_config(cache, models), "films", sources(dataset))
    return content(cache)


@pytest.fixture
def two(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Settings of two ranks; forked, so that they need not import everything again, and see what a
    test has replaced.
    """
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(console, "EVERY", 0.0)  # every step of progress is a line
    monkeypatch.setattr(processes, "START", "fork")
    return tiny_config(tmp_path / "cache", models, devices=2)


def sources(dataset: Dataset) -> list[Video]:
    return list(dataset.videos.values())


def in_rank(monkeypatch: pytest.MonkeyPatch, key: str, act: Callable[[], None]) -> None:
    """Let the rank that reads a video act after its second step."""
    original = steps.sample

    def sample(path: Path, **options: Any) -> Iterator[Any]:
        for number, step in enumerate(original(path, **options)):
            if path.stem == key and number == 2 and "LOCAL_RANK" in os.environ:
                act()
            yield step

    monkeypatch.setattr(steps, "sample", sample)


def test_two_ranks_write_the_same_bytes_as_one(
    dataset: Dataset,
    two: Config,
    alone: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def counted(*job: Any) -> Extraction:
        done = extract(*job)
        (
            Path(two.cache)
            / f"rank {job[-1].rank} of {torch.distributed.get_world_size()}: {' '.join(done.scored)}"
        ).touch()
        return done

    monkeypatch.setattr(together, "extract", counted)
    done = extract_shared(two, "films", sources(dataset))
    assert sorted(path.name for path in Path(two.cache).glob("rank*")) == [
        "rank 0 of 2: c a",
        "rank 1 of 2: d b",
    ]
    assert content(Path(two.cache)) == alone
    assert sorted(done.scored) == sorted(done.captioned) == list("abcd")
    assert done.cache.keys() == list("abcd")
    said = capfd.readouterr().err
    assert said.count("captions: 4 made, 0 reused; embeddings: 4 made, 0 reused") == 1
    assert " of 4 by all ranks" in said
    again = extract_shared(two, "films", sources(dataset))
    assert (again.captioned, again.scored, sorted(again.reused), again.n_captions_reused) == (
        [],
        [],
        list("abcd"),
        4,
    )
    never = extract_shared(
        replace(two, extract=ExtractConfig(refresh="never")), "films", sources(dataset)
    )
    assert sorted(never.reused) == list("abcd")


@pytest.mark.parametrize("end", ["kill", "exit"])
def test_a_rank_that_dies_loses_its_current_video_only(
    dataset: Dataset,
    two: Config,
    alone: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    end: str,
) -> None:
    with monkeypatch.context() as patch:
        in_rank(
            patch,
            "b",
            lambda: os.kill(os.getpid(), signal.SIGKILL) if end == "kill" else os._exit(3),
        )
        with pytest.raises(
            UserError,
            match=(
                rf"^rank 1 died \(exit status {-9 if end == 'kill' else 3}\): run the same command"
                r" again"
            ),
        ):
            extract_shared(two, "films", sources(dataset))
    left = {name for name in content(Path(two.cache)) if "/." not in name}
    assert {name.split("/")[-1] for name in left if name.endswith(".jsonl")} == {
        "a.jsonl",
        "c.jsonl",
        "d.jsonl",
    }
    assert {name.split("/")[-1] for name in left if "embeddings" in name} == {
        "fingerprint.json",
        "a.safetensors",
        "c.safetensors",
    }
    done = extract_shared(replace(two, devices=1), "films", sources(dataset))
    assert (done.captioned, done.n_captions_reused, sorted(done.scored), sorted(done.reused)) == (
        ["b"],
        3,
        ["b", "d"],
        ["a", "c"],
    )
    assert content(Path(two.cache)) == alone


def test_a_broken_video_is_reported_by_whichever_rank_has_it(
    dataset: Dataset, two: Config, tmp_path: Path
) -> None:
    broken = tmp_path / "bad.mp4"
    broken.write_bytes(dataset.videos["a"].path.read_bytes()[:900])
    done = extract_shared(
        two,
        "films",
        [*sources(dataset), Video.file(broken), Video("gone", "gone", tmp_path / "gone.mp4")],
    )
    assert set(done.failed) == {"bad", "gone"}
    assert all(str(tmp_path) in reason for reason in done.failed.values())
    assert done.cache.keys() == list("abcd")


def test_an_error_of_everything_is_one_line(
    dataset: Dataset, two: Config, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nowhere = replace(
        two, backbone=BackboneConfig(captioner=str(tmp_path), scorer="builtin:tiny-llama")
    )
    with pytest.raises(UserError, match=r"no config.json: not a model") as caught:
        extract_shared(nowhere, "films", sources(dataset))
    assert "\n" not in str(caught.value)
    assert "Traceback" not in capfd.readouterr().err


def test_a_rank_that_fails_alone_does_not_keep_the_others_waiting(
    dataset: Dataset, two: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise UserError("no space left for b")

    in_rank(monkeypatch, "b", fail)
    with pytest.raises(UserError, match=r"^no space left for b$"):
        extract_shared(
            replace(two, examples=ExamplesConfig("fold", 2)),
            "films",
            sources(dataset)[-1:],
            list(dataset.annotations.values()),
        )


def test_examples_are_drawn_from_the_captions_of_all_ranks(
    dataset: Dataset, two: Config, models: Path, tmp_path: Path
) -> None:
    drawn = ExamplesConfig("fold", 3)
    train = [dataset.annotations[key] for key in "abd"]
    extract(
        tiny_config(tmp_path / "one", models, examples=drawn),
        "films",
        [dataset.videos["c"]],
        train,
    )
    done = extract_shared(replace(two, examples=drawn), "films", [dataset.videos["c"]], train)
    assert done.cache.keys() == ["c"]
    assert content(Path(two.cache)) == content(tmp_path / "one")


def test_several_nodes_are_not_started_from_here(
    dataset: Dataset, two: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"^num_nodes=2: start the ranks with torchrun or srun"):
        extract_shared(replace(two, num_nodes=2), "films", sources(dataset))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(
        UserError,
        match=r"^devices=2 num_nodes=1: torchrun has started 4 ranks: give as many devices",
    ):
        extract_shared(two, "films", sources(dataset))


SLURM = {
    "SLURM_NTASKS": "2",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_JOB_ID": "77",
    "SLURM_JOB_NAME": "films",
    "SLURM_NODEID": "0",
    "SLURM_NODELIST": "localhost",
    "SLURM_STEP_NODELIST": "localhost",
}
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["spawn", "torchrun", "slurm"])
def test_ranks_however_started_write_the_same_bytes(
    dataset: Dataset, models: Path, tmp_path: Path, launcher: str
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    videos = [str(video.path) for video in dataset.videos.values()]
    config = tiny_config(tmp_path / "one", models)
    settings = [
        f"backbone.{role}={getattr(config.backbone, role)}" for role in ("captioner", "scorer")
    ]
    command = [
        "-m",
        "llmvs",
        "extract",
        *videos,
        *settings,
        "accelerator=cpu",
        "caption.max_tokens=4",
        "data.dataset=films",
    ]

    def run(prefix: list[str], *more: str, **variables: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
        return subprocess.Popen(
            [sys.executable, *prefix, *command, *more],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert run([], f"cache={tmp_path / 'one'}").wait() == 0
    two = ["devices=2", f"cache={tmp_path / 'two'}", str(bad)]
    if launcher == "slurm":
        started = [
            run([], *two, **SLURM, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank))
            for rank in range(2)
        ]
    else:
        started = [run(TORCHRUN if launcher == "torchrun" else [], *two)]
    said = "".join(process.communicate(timeout=300)[1] for process in started)
    assert all(process.returncode != 0 for process in started)
    assert said.count(f"failed: {bad}: not a readable video") == 1
    assert said.count("embeddings: 4 made, 0 reused") == 1
    assert content(tmp_path / "two") == content(tmp_path / "one")
