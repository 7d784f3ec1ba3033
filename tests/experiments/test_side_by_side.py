"""How many runs go side by side: as many as are surely faster, and no more than the memory bears."""

import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from llmvs import processes
from llmvs.config.schema import Config, DataConfig, HeadConfig, MethodConfig, OptimConfig
from llmvs.datasets import Fold
from llmvs.errors import UserError
from llmvs.experiments import side_by_side, workers
from llmvs.experiments.side_by_side import (
    BASE,
    GPU_BASE,
    LIBRARIES,
    begin_imports,
    n_workers,
)
from llmvs.experiments.workers import _begin, _Device, _next

PLAN = Config(
    experiment="many",
    data=DataConfig("demo"),
    head=HeadConfig(dim=256),
    optim=OptimConfig(epochs=10),
    accelerator="cpu",
)
FOLD = Fold(0, train=("a", "b"), val=(), test=())


def resources(tmp_path: Any, n_steps: int) -> Any:
    """Two videos of so many steps, with embeddings of 100 MB each."""
    for key in ("a", "b"):
        with (tmp_path / f"{key}.safetensors").open("wb") as file:
            file.truncate(100_000_000)
    cache = SimpleNamespace(path=lambda key: tmp_path / f"{key}.safetensors")
    return SimpleNamespace(
        keys=["a", "b"],
        dataset=SimpleNamespace(annotations_of=lambda key: SimpleNamespace(n_steps=n_steps)),
        fold=lambda run: FOLD,
        embeddings=lambda run, fold: cache,
    )


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cores, 10 GB that are free, and a fold."""
    monkeypatch.setattr(side_by_side, "fold_of", lambda run, dataset: FOLD)
    monkeypatch.setattr(side_by_side, "cores", lambda: 8)
    monkeypatch.setattr(side_by_side, "available", lambda: 10 * 10**9)


@pytest.mark.parametrize(
    ("changes", "n_runs", "n_steps", "expected"),
    [
        ({}, 15, 100_000, 7),  # 10 GB bear seven processes of .9 + .4 GB
        ({}, 5, 100_000, 5),
        ({}, 15, 2_000, 4),  # 15 runs of 40,000 steps: work for four processes
        ({}, 15, 100, 1),  # over before a process has started
        ({"head": HeadConfig(dim=512)}, 15, 100_000, 1),  # uses all cores by itself
        ({"method": MethodConfig("scorer", lora=True)}, 15, 100_000, 1),
        ({"devices": 3}, 15, 100, 3),
        ({"workers": "2"}, 15, 100, 2),
        ({"workers": "5"}, 3, 100, 3),
        ({"workers": "2", "devices": 4}, 15, 100, 2),
    ],
)
def test_as_many_as_pay(
    changes: dict[str, Any], n_runs: int, n_steps: int, expected: int, tmp_path: Any
) -> None:
    runs = [replace(PLAN, seed=seed, **changes) for seed in range(n_runs)]
    assert n_workers(runs, resources(tmp_path, n_steps)) == expected


@pytest.mark.parametrize(
    ("gpus", "free", "dim", "n_runs", "n_steps", "expected"),
    [
        (1, 80e9, 256, 15, 20_000, 4),  # small heads: four
        (1, 80e9, 2048, 15, 20_000, 2),  # the paper's: two
        (2, 80e9, 2048, 15, 20_000, 4),
        (2, 80e9, 256, 15, 20_000, 7),  # what the host's memory bears
        (1, 80e9, 256, 2, 20_000, 2),
        (1, 80e9, 256, 15, 40, 1),  # over before a process has started
        (4, 80e9, 256, 15, 100, 4),  # a GPU each at least
        (1, 6e9, 256, 15, 1_000, 2),  # what the GPU's memory bears
        (1, 4e9, 2048, 15, 1_000, 1),
        (1, 1e9, 2048, 15, 1_000, 1),
    ],
)
def test_as_many_on_a_gpu_as_its_memory_bears(
    gpus: int,
    free: float,
    dim: int,
    n_runs: int,
    n_steps: int,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    monkeypatch.setattr(side_by_side, "gpus_of", lambda run: gpus)
    monkeypatch.setattr(side_by_side, "free_on_gpus", lambda: int(free))
    run = replace(PLAN, head=HeadConfig(dim=dim), optim=OptimConfig(epochs=100))
    assert n_workers([run] * n_runs, resources(tmp_path, n_steps)) == expected


def test_what_the_papers_head_needs(tmp_path: Any) -> None:
    """88.8 M weights at D = 5120: two videos of 4,882 steps and 100 MB each."""
    run = replace(PLAN, head=HeadConfig(), optim=OptimConfig(batch_videos=1))
    found = side_by_side._needs_of_gpu(run, resources(tmp_path, 4_882))
    adam = 24 * 88_800_000
    assert GPU_BASE + 200_000_000 + adam < found < GPU_BASE + 200_000_000 + adam + 3_000_000_000


def test_the_gpu_with_the_least_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda place: (5 - place, 9))
    assert side_by_side.free_on_gpus() == 4


def test_more_devices_than_gpus_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(side_by_side, "gpus_of", lambda run: 2)
    runs = [replace(PLAN, devices=3)] * 5
    with pytest.raises(UserError, match=r"^devices=3: this machine has 2 GPUs: give devices=2"):
        n_workers(runs, resources(tmp_path, 100))
    assert n_workers(runs[:2], resources(tmp_path, 100)) == 2


def test_more_than_the_memory_bears_is_one_line(tmp_path: Any) -> None:
    runs = [replace(PLAN, workers="12")] * 15
    with pytest.raises(UserError) as caught:
        n_workers(runs, resources(tmp_path, 100))
    needs = (BASE + 400_000_000) / 1e9
    assert str(caught.value) == (
        f"workers=12: each needs some {needs:.1f} GB, and 10.0 GB are free: give workers=7"
    )


@pytest.mark.parametrize(
    ("changes", "n_runs", "n_steps", "expected"),
    [
        ({}, 15, 100_000, [LIBRARIES]),
        ({}, 15, 100, []),  # trained one by one
        ({}, 1, 100_000, []),
        ({"workers": "1"}, 15, 100_000, []),
        ({"workers": "2"}, 15, 100, [LIBRARIES]),
        ({"head": HeadConfig(dim=512)}, 15, 100_000, []),
        ({"method": MethodConfig("scorer")}, 15, 100_000, []),
        ({"launcher": "slurm"}, 15, 100_000, []),
    ],
)
def test_imports_begin_early_where_runs_go_side_by_side(
    changes: dict[str, Any],
    n_runs: int,
    n_steps: int,
    expected: list[Any],
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared: list[Any] = []
    monkeypatch.setattr(processes, "prepare", prepared.append)
    runs = [replace(PLAN, seed=seed, **changes) for seed in range(n_runs)]
    begin_imports(runs, resources(tmp_path, n_steps).dataset)
    assert prepared == expected


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5", ""])
def test_workers_is_a_number_or_auto(given: str) -> None:
    with pytest.raises(ValueError, match=rf"workers.*{given}.*auto, or a number from 1"):
        replace(PLAN, workers=given)
    assert replace(PLAN, workers=3).workers == "3"  # type: ignore[arg-type]


def test_a_process_takes_the_runs_of_one_fold() -> None:
    waiting = [(index, replace(PLAN, fold=index // 3)) for index in range(9)]
    places = [_Device(SimpleNamespace(submit=lambda *task: None), SimpleNamespace()) for _ in "ab"]  # type: ignore[arg-type]
    taken: list[list[int]] = [[], []]
    while waiting:
        for place, mine in zip(places, taken, strict=True):
            if waiting:
                place.begin(_next(waiting, place, places))
                assert place.run is not None
                mine.append(place.run[0])
    assert taken == [[0, 1, 2, 6, 8], [3, 4, 5, 7]]


@pytest.mark.parametrize(
    ("visible", "gpus", "expected"),
    [
        (None, 0, [None, None]),
        ("", 0, ["", ""]),
        ("-1", 0, ["-1", "-1"]),
        (None, 2, ["0", "1"]),
        ("3,5", 2, ["3", "5"]),
        ("3", 1, ["3", "3"]),
    ],
)
def test_a_worker_sees_its_gpu_and_none_that_are_hidden(
    visible: str | None, gpus: int, expected: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_process", {})
    for place in (0, 1):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "to be restored")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        _begin(None, None, place, 2, gpus)  # type: ignore[arg-type]
        assert os.environ.get("CUDA_VISIBLE_DEVICES") == expected[place]
