"""Weights & Biases helps where it can and never stops anything."""

import json
import struct
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from llmvs.config.schema import LogConfig
from llmvs.training import loggers as logs
from llmvs.training.fit import fit
from llmvs.training.loggers import Curves, EpochRows, RunLoggers
from tests.toys import FOLD, make_cache, make_config, make_dataset

wandb = pytest.importorskip("wandb")

DOCUMENT = {
    "selection": "val",
    "rules": {
        "val": {
            "epoch": 3,
            "means": {
                "val": {"paper": {"tau": 0.25, "rho": 0.5}},
                "test": {"paper": {"tau": 0.125, "rho": 0.1}},
            },
        },
        "last": {"epoch": 4, "means": {"val": {"paper": {"tau": -1.0, "rho": -1.0}}}},
    },
    "protocols": {
        "paper": {
            "This run": {"tau": 0.125, "rho": 0.1},
            "random": {"tau": 0.0, "rho": 0.0, "tau_sd": 0.1, "rho_sd": 0.1},
        }
    },
}


class FakeRun:
    """What W&B's run is told."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.best: dict[str, str | None] = {}
        self.ended: list[int] = []
        self.config = SimpleNamespace(update=lambda *_, **__: None)

    def log(self, row: dict[str, Any], step: int | None = None) -> None:
        self.rows.append(row)

    def define_metric(
        self, name: str, step_metric: str | None = None, summary: str | None = None, **_: Any
    ) -> None:
        assert step_metric == "epoch"
        assert name not in self.best, "told twice"
        self.best[name] = summary

    def finish(self, exit_code: int) -> None:
        self.ended.append(exit_code)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], FakeRun]]:
    """Every `wandb.init` of the test: its settings and its run."""
    runs: list[tuple[dict[str, Any], FakeRun]] = []

    def init(**settings: Any) -> FakeRun:
        runs.append((settings, FakeRun()))
        return runs[-1][1]

    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setattr(wandb, "login", lambda prompt: True)
    return runs


def offline(**changes: Any) -> Any:
    return make_config(
        log=LogConfig(wandb="offline", project="mine", checkpoint_seconds=0), **changes
    )


def test_disabled_or_not_installed_leaves_the_csv(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for mode, installed, said in (
        ("disabled", True, ""),
        ("offline", False, ""),
        ("online", False, "wandb is not installed"),
    ):
        monkeypatch.setattr(
            "importlib.util.find_spec",
            lambda name, installed=installed: object() if installed else None,
        )
        with RunLoggers(make_config(log=LogConfig(wandb=mode)), tmp_path) as loggers:  # type: ignore[arg-type]
            assert [type(logger) for logger in loggers.loggers()] == [EpochRows]
            loggers.conclude(DOCUMENT, [], {})
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == (1 if said else 0)
    assert started == []


@pytest.mark.parametrize(
    ("configured", "environment", "expected"),
    [
        ("online", "offline", ["offline"]),
        ("online", "disabled", []),
        ("offline", "online", ["offline"]),
        ("disabled", "online", []),
        ("online", "", ["online"]),
    ],
)
def test_the_environment_can_make_it_quieter(
    configured: Any,
    environment: str,
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[Any],
) -> None:
    monkeypatch.setenv("WANDB_MODE", environment)
    with RunLoggers(make_config(log=LogConfig(wandb=configured)), tmp_path) as loggers:
        loggers.loggers()
    assert [settings["mode"] for settings, _ in started] == expected


def test_it_is_started_when_first_needed_and_in_the_group_of_its_experiment(
    tmp_path: Path, started: list[Any]
) -> None:
    with RunLoggers(offline(experiment="tvsum-mlp", fold=3), tmp_path) as loggers:
        assert started == []
        loggers.loggers(), loggers.loggers()
    [(settings, run)] = started
    assert (settings["project"], settings["group"], settings["name"]) == (
        "mine",
        "tvsum-mlp",
        "tvsum-mlp fold 3 seed 1112",
    )
    assert settings["config"]["head"]["dim"] == 64
    assert run.ended == [0]


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_failing_falls_back_step_by_step(
    mode: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def broken(**settings: Any) -> None:
        asked.append(settings["mode"])
        raise OSError("no route\nto host")

    monkeypatch.setattr(wandb, "init", broken)
    with RunLoggers(make_config(log=LogConfig(wandb=mode)), tmp_path) as loggers:
        assert [type(logger) for logger in loggers.loggers()] == [EpochRows]
    want = {
        "online": "log.wandb=online failed (no route to host): going on offline",
        "offline": "log.wandb=offline failed (no route to host): going on without W&B",
    }
    assert asked == (["online", "offline"] if mode == "online" else ["offline"])
    assert capsys.readouterr().err.splitlines() == [want[name] for name in asked]


def test_nobody_is_asked_to_log_in(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(wandb, "login", lambda prompt: prompt)
    with RunLoggers(make_config(log=LogConfig(wandb="online")), tmp_path) as loggers:
        loggers.loggers()
    assert [settings["mode"] for settings, _ in started] == ["offline"]
    assert (
        capsys.readouterr().err
        == "log.wandb=online failed (not logged in: `wandb login`, or set WANDB_API_KEY): going on"
        " offline\n"
    )


def test_a_run_ends_with_the_block_and_as_failed_after_an_error(
    tmp_path: Path, started: list[Any]
) -> None:
    def train() -> None:
        with RunLoggers(offline(), tmp_path) as loggers:
            assert isinstance(loggers.loggers()[1], Curves)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()
    assert started[0][1].ended == [1]


def test_curves_of_a_training(tmp_path: Path, started: list[Any]) -> None:
    dataset = make_dataset()
    with RunLoggers(offline(), tmp_path / "run") as loggers:
        fitted = fit(
            offline(),
            dataset,
            FOLD,
            make_cache(tmp_path / "cache", dataset),
            tmp_path / "run",
            loggers=loggers,
        )
        assert started[0][1].ended == []
    [(_, run)] = started
    curve = [row["val/paper/tau"] for row in run.rows if "val/paper/tau" in row]
    assert curve == pytest.approx([row["val/paper/tau"] for row in fitted.history])
    assert len(curve) == 4
    assert [row["epoch"] for row in run.rows if "train/loss" in row] == [0, 1, 2, 3]
    assert (
        run.best["val/paper/tau"],
        run.best["val/loss"],
        run.best["train/loss"],
        run.best["lr"],
    ) == ("max", "min", "min", None)
    assert run.best["test/paper/tau"] is None
    assert run.ended == [0]


def test_the_result_is_written_at_the_end(
    tmp_path: Path,
    started: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(logs, "MOST_PLOTS", 2)
    videos = list(make_dataset().annotations.values())[:3]
    scores = {video.key: np.linspace(0, 1, video.n_steps, dtype=np.float32) for video in videos}
    with RunLoggers(offline(), tmp_path) as loggers:
        loggers.conclude(DOCUMENT, videos, scores)
    [row] = started[0][1].rows
    assert {name: value for name, value in row.items() if name.startswith("selected/")} == {
        "selected/val/paper/tau": 0.25,
        "selected/val/paper/rho": 0.5,
        "selected/test/paper/tau": 0.125,
        "selected/test/paper/rho": 0.1,
    }
    assert row["result"].columns == ["protocol", "row", "measure", "value"]
    assert row["result"].data == [
        ["paper", "This run", "tau", 0.125],
        ["paper", "This run", "rho", 0.1],
        ["paper", "random", "tau", 0.0],
        ["paper", "random", "rho", 0.0],
        ["paper", "random", "tau_sd", 0.1],
        ["paper", "random", "rho_sd", 0.1],
    ]
    assert sorted(name for name in row if name.startswith("scores/")) == [
        "scores/video_0",
        "scores/video_1",
    ]
    drawn = row["scores/video_1"].table.data
    lines = {
        key: [y for _, name, y in drawn if name == key] for key in ("scores", "people (gtscore)")
    }
    assert lines["scores"] == scores["video_1"].tolist()
    assert lines["people (gtscore)"] == videos[1].gtscore.tolist()
    assert "scores of 2 of 3 test videos are drawn" in capsys.readouterr().err


def test_a_result_that_wandb_does_not_take_is_one_line(
    tmp_path: Path, started: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with RunLoggers(offline(), tmp_path) as loggers:
        loggers.run.log = None
        loggers.conclude(DOCUMENT, [], {})
    assert (
        capsys.readouterr().err
        == "Weights & Biases did not take the result ('NoneType' object is not callable)\n"
    )


def records(path: Path) -> Iterator[bytes]:
    """The records of W&B's offline file: LevelDB's log format (blocks of 32 KiB, 7-byte headers)
    behind a 7-byte preamble.
    """
    data, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # too short for a header: padding
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def written(file: Path, kind: Any) -> list[Any]:
    """All records, once the last one is there: W&B's own process may write for a moment longer than
    `finish`.
    """
    for _ in range(100):
        found = [kind.FromString(content) for content in records(file)]
        if found and found[-1].WhichOneof("record_type") == "exit":
            return found
        time.sleep(0.1)
    raise AssertionError(f"{file} does not end: {len(found)} records")


@pytest.mark.parametrize("asked", ["offline", "online"])
def test_the_offline_file_holds_curves_and_result(
    asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from wandb.proto.wandb_internal_pb2 import Record

    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # nobody is logged in here
    video = make_dataset().annotations["video_0"]
    with (
        warnings.catch_warnings(),
        RunLoggers(make_config(log=LogConfig(wandb=asked)), tmp_path / "run") as loggers,
    ):
        warnings.simplefilter("ignore")
        curves = loggers.loggers()[1]
        for epoch, tau in enumerate([0.1, 0.3, 0.2]):
            curves.log_metrics({"epoch": epoch, "val/paper/tau": tau}, step=epoch)
        loggers.conclude(DOCUMENT, [video], {video.key: video.gtscore})
    [file] = tmp_path.glob("run/wandb/offline-run-*/*.wandb")
    found = written(file, Record)
    history = [
        {
            item.key or "/".join(item.nested_key): json.loads(item.value_json)
            for item in record.history.item
        }
        for record in found
        if record.WhichOneof("record_type") == "history"
    ]
    best = {
        record.metric.name: record.metric.summary.max
        for record in found
        if record.WhichOneof("record_type") == "metric"
    }
    [group] = [
        record.run.run_group for record in found if record.WhichOneof("record_type") == "run"
    ]
    assert group == "toy"
    assert [row["val/paper/tau"] for row in history if "val/paper/tau" in row] == [0.1, 0.3, 0.2]
    assert best["val/paper/tau"] is True
    assert history[-1]["selected/val/paper/tau"] == 0.25
    assert any(name.startswith("result") for name in history[-1])
    assert any(name.startswith("scores/video_0") for name in history[-1])
    said = capsys.readouterr().err
    assert ("not logged in" in said) == (asked == "online")
