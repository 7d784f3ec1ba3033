"""All folds with several seeds: the runs that `llmvs train` would make, each done once, and figures
that numpy confirms.
"""

import json
import multiprocessing
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llmvs import processes
from llmvs.cli import main
from llmvs.config.load import load_config, run_folder
from llmvs.config.schema import Config
from llmvs.datasets.video import Video
from llmvs.demo import dataset as demo
from llmvs.errors import UserError
from llmvs.experiments import crossval as module
from llmvs.experiments import result as resulting
from llmvs.experiments import workers
from llmvs.experiments.crossval import crossval
from llmvs.experiments.progress import RunProgress
from llmvs.experiments.run import train
from llmvs.extraction.pipeline import Extraction
from llmvs.files import locked
from llmvs.training import distributed as ranks
from tests.config.test_load import CONFIGS
from tests.experiments.test_run import SMALL
from tests.toys import make_cache


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("crossval")
    make_cache(folder / "toy", demo.load(folder / "demo", clips=7, seconds=(6.0, 8.0)))
    return folder


def settings(place: Path, *more: str) -> list[str]:
    return [
        str(CONFIGS / "dataset" / "demo.yaml"),
        str(CONFIGS / "backbone" / "tiny.yaml"),
        f"data.root={place / 'demo'}",
        f"cache={place / 'cache'}",
        f"runs={place / 'runs'}",
        f"extract.embeddings={place / 'toy'}",
        "accelerator=cpu",
        "experiment=all",
        *SMALL,
        "head.dim=64",
        *more,
    ]


def config(place: Path, *more: str) -> Config:
    return load_config(settings(place, *more))


@pytest.fixture(scope="module")
def first(place: Path) -> dict[str, Any]:
    """Two folds, two seeds, in one process."""
    return crossval(config(place), [0, 1], [3, 4])[0]


def result(place: Path, fold: int, seed: int, name: str = "all") -> dict[str, Any]:
    return json.loads(
        (place / "runs" / name / f"fold{fold}" / f"seed{seed}" / "result.json").read_text()
    )


@pytest.mark.parametrize(("fold", "seed"), [(0, 4), (1, 3)])
def test_its_runs_are_those_of_train(
    place: Path, first: dict[str, Any], fold: int, seed: int
) -> None:
    alone, _ = train(config(place, "experiment=one", f"fold={fold}", f"seed={seed}"))
    together = result(place, fold, seed)
    for row in ("last", "val", "test"):
        for name, videos in alone["per_video"][row].items():
            for key, pair in videos.items():
                assert together["per_video"][row][name][key] == pytest.approx(pair, abs=1e-6)
        here, there = (
            place / "runs" / name / f"fold{fold}" / f"seed{seed}" / "scores" / f"{row}.json"
            for name in ("all", "one")
        )
        assert json.loads(here.read_text()).keys() == json.loads(there.read_text()).keys()
        for key, scores in json.loads(here.read_text()).items():
            assert scores == pytest.approx(json.loads(there.read_text())[key], abs=1e-6)


def test_the_figures_are_numpys(place: Path, first: dict[str, Any]) -> None:
    for row in ("last", "val", "test", "ceiling"):
        means = np.empty((2, 2, 2))
        for f, fold in enumerate((0, 1)):
            for s, seed in enumerate((3, 4)):
                run = result(place, fold, seed)
                videos = (run["baselines"] if row == "ceiling" else run["per_video"])[row]["paper"]
                means[f, s] = np.mean([videos[key] for key in run["videos"]["test"]], axis=0)
        found = first["protocols"]["paper"][row]
        assert (found["tau"]["mean"], found["rho"]["mean"]) == pytest.approx(
            means.mean(axis=(0, 1)).tolist()
        )
        if row != "ceiling":
            assert found["tau"]["sd"] == pytest.approx(means.mean(axis=0).std(axis=0, ddof=1)[0])
        assert found["tau"]["low"] <= found["tau"]["mean"] <= found["tau"]["high"]


def test_the_table_shows_every_choice_and_the_gap(
    place: Path, first: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in place.rglob("result.json")}
    assert main(["crossval", *settings(place), "--folds", "0,1", "seeds=3,4"]) == 0
    output = capsys.readouterr()
    assert "reused: 4 of 4 runs are finished" in output.err
    lines = output.out.splitlines()
    assert lines[0] == "demo (synthetic annotators), disjoint splits, folds 0, 1, seeds 3, 4"
    rows = [re.split(r"\s{2,}", line.strip())[0] for line in lines if line.startswith("  ")]
    assert rows[1:5] == [
        "last epoch",
        "best on held-out videos",
        "best on the TEST videos",
        "TEST choice minus held-out choice",
    ]
    assert {"Random", "Human, one against another", "Ceiling, the annotators' own mean"} < set(rows)
    assert "were held out and only chose the epoch of `val`" in output.out
    assert {
        path: path.stat().st_mtime_ns for path in place.rglob("result.json") if path in before
    } == before
    table = json.loads((place / "runs" / "all" / "crossval.json").read_text())["tables"][0]
    by_name = {row[0]: row for row in table["rows"]}
    gap = by_name["TEST choice minus held-out choice"][1]
    assert gap == pytest.approx(
        by_name["best on the TEST videos"][1] - by_name["best on held-out videos"][1]
    )
    assert gap >= 0  # on the tested videos nothing beats the epoch that was chosen on them


def test_what_is_shared_is_done_once_and_a_rerun_goes_on(
    place: Path, first: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmvs.cache.embeddings import EmbeddingCache

    read: list[str] = []
    trained: list[Path] = []
    original_read, original_result = EmbeddingCache.read, resulting.result_of

    def counted(self: EmbeddingCache, key: str, tokens: bool = False) -> Any:
        read.append(key)
        return original_read(self, key, tokens)

    def evaluated(run: Config, *rest: Any) -> Any:
        trained.append(run_folder(run))
        if len(trained) == 3:
            raise RuntimeError("power cut")
        return original_result(run, *rest)

    monkeypatch.setattr(EmbeddingCache, "read", counted)
    monkeypatch.setattr(resulting, "result_of", evaluated)
    wanted = config(place, "experiment=killed")
    with pytest.raises(RuntimeError, match="power cut"):
        crossval(wanted, [0, 1], [3, 4])
    assert len(read) == len(set(read)) == 7
    document, _ = crossval(wanted, [0, 1], [3, 4])
    assert len(trained) == 5
    assert trained[2] == trained[3]
    assert document["protocols"] == first["protocols"]


def test_all_videos_are_extracted_at_once(
    place: Path, first: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    original = ranks.extract

    def counted(
        config: Config, dataset: str, sources: Sequence[Video], train: Sequence[Video] = ()
    ) -> Extraction:
        seen.append(sorted(source.key for source in sources))
        return original(config, dataset, sources, train)

    monkeypatch.setattr(ranks, "extract", counted)
    document, _ = crossval(
        config(place, "experiment=extracted", "extract.embeddings=null", "optim.epochs=1"),
        [0, 1],
        [3, 4],
    )
    assert seen == [[f"video_{i}" for i in range(1, 8)]]
    assert document["folds"] == [0, 1]


@pytest.fixture
def two(place: Path, first: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Config:
    """Two processes; forked, so that they need not import everything again, and see what a test has
    replaced.
    """
    monkeypatch.setattr(processes, "START", "fork")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return config(place, "workers=2")


def in_run(monkeypatch: pytest.MonkeyPatch, seed: int, act: Callable[[], None]) -> None:
    """Let the process that has trained the run of a seed act before it writes its result."""
    original = resulting.result_of

    def evaluated(run: Config, *rest: Any) -> Any:
        if run.seed == seed:
            act()
        return original(run, *rest)

    monkeypatch.setattr(resulting, "result_of", evaluated)


def test_two_processes_share_the_runs_and_find_the_same(first: dict[str, Any], two: Config) -> None:
    document, _ = crossval(replace(two, experiment="two"), [0, 1], [3, 4])
    assert document["protocols"] == first["protocols"]


def test_a_process_that_dies_is_named_by_its_run(
    place: Path, two: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = replace(two, experiment="dies")
    with monkeypatch.context() as patch:
        in_run(patch, 4, lambda: os.kill(os.getpid(), signal.SIGKILL))
        with pytest.raises(UserError) as caught:
            crossval(wanted, [0], [3, 4])
    assert str(caught.value) == (
        f"{place}/runs/dies/fold0/seed4: the process of this run died (out of memory?): run the"
        " same command again, it goes on from its checkpoint"
    )
    assert (place / "runs/dies/fold0/seed4/last.ckpt").exists()
    document, _ = crossval(wanted, [0], [3, 4])
    assert document["seeds"] == [3, 4]


def test_the_error_of_one_run_ends_the_others(
    place: Path, two: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait() -> None:
        (place / "waits").touch()
        time.sleep(60)

    def fail() -> None:
        while not (place / "waits").exists():
            time.sleep(0.05)
        raise UserError("no space left")

    in_run(monkeypatch, 3, fail)
    in_run(monkeypatch, 4, wait)
    began = time.monotonic()
    with pytest.raises(UserError, match=r"/fails/fold0/seed3: no space left$"):
        crossval(replace(two, experiment="fails"), [0], [3, 4])
    assert time.monotonic() - began < 40
    assert multiprocessing.active_children() == []
    assert not (place / "runs/fails/fold0/seed4/result.json").exists()


def test_how_far_the_runs_are_is_told_while_they_train(
    place: Path, two: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, float]] = []
    original = RunProgress.reach

    def reach(self: RunProgress, index: int, share: float) -> None:
        told.append((index, share))
        original(self, index, share)

    monkeypatch.setattr(RunProgress, "reach", reach)
    monkeypatch.setattr(workers, "LOOK", 0.01)
    in_run(monkeypatch, 3, lambda: time.sleep(0.5))  # its training is done, its evaluation is not
    crossval(replace(two, experiment="told"), [0], [3, 4])
    assert {index for index, _ in told} == {0, 1}
    shares = [share for index, share in told if index == 0]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1] == 1.0
    assert len({share for share in shares if 0 < share < 1} | {1.0}) >= 2


@pytest.mark.slow
def test_two_spawned_processes(place: Path, first: dict[str, Any]) -> None:
    document, _ = crossval(config(place, "experiment=spawned", "devices=2"), [0, 1], [3, 4])
    assert document["protocols"] == first["protocols"]


def test_a_run_that_another_process_works_on(place: Path, first: dict[str, Any]) -> None:
    wanted = config(place, "experiment=busy")
    with (
        locked(run_folder(replace(wanted, fold=0, seed=3)) / ".lock", "taken"),
        pytest.raises(UserError, match="busy/fold0/seed3: another process is at work on this run"),
    ):
        crossval(wanted, [0], [3])


def test_one_failing_run_is_named_and_the_finished_ones_stay(
    place: Path, first: dict[str, Any]
) -> None:
    wanted = config(place, "experiment=broken", "optim.lr=1e38", "optim.clip=0")
    with pytest.raises(
        UserError, match=r"broken/fold0/seed3: the (loss|score) became NaN or infinite"
    ) as caught:
        crossval(wanted, [0, 1], [3])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["fold=1"], "fold=1: crossval runs several folds: choose them with folds=1"),
        (["--folds", "0,x"], "'0,x': expected whole numbers"),
        (["seeds=1,1"], "seeds=1,1: expected different numbers"),
        (["folds=9"], "fold=9: demo has 5 disjoint folds"),
        (["seeds=99999999999"], "seed=99999999999: must be at most 4294967295"),
        (["num_nodes=2"], "start one process"),
    ],
)
def test_mistakes(
    place: Path,
    first: dict[str, Any],
    more: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["crossval", *settings(place), *more]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_without_held_out_videos_two_choices_remain(place: Path, first: dict[str, Any]) -> None:
    document, text = crossval(config(place, "experiment=none", "selection=last"), [0], [3])
    assert [row for row in document["protocols"]["paper"] if row in ("last", "val", "test")] == [
        "last",
        "test",
    ]
    assert "with none held out" in text
    assert module.SUMMARY == "crossval.json"
