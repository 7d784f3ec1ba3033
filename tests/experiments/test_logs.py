"""Weights & Biases helps where it can and never stops anything."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger, WandbLogger

from llmvs.config import LogConfig
from llmvs.experiments.logs import loggers
from tests.toys import make_config

wandb = pytest.importorskip("wandb")


def test_disabled_or_not_installed_leaves_the_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb, "init", None)
    with loggers(make_config(), tmp_path, "title") as found:
        assert [type(logger) for logger in found] == [CSVLogger]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with loggers(make_config(log=LogConfig(wandb="online")), tmp_path, "title") as found:
        assert [type(logger) for logger in found] == [CSVLogger]


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_failing_falls_back_step_by_step(mode: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    asked = []

    def broken(**settings: Any) -> None:
        asked.append(settings["mode"])
        raise OSError("no route\nto host")

    monkeypatch.setattr(wandb, "init", broken)
    with loggers(make_config(log=LogConfig(wandb=mode)), tmp_path, "title") as found:
        assert [type(logger) for logger in found] == [CSVLogger]
    said = capsys.readouterr().err.splitlines()
    want = {"online": "log.wandb=online failed (no route to host): going on offline",
            "offline": "log.wandb=offline failed (no route to host): going on without W&B"}
    assert asked == (["online", "offline"] if mode == "online" else ["offline"])
    assert said == [want[name] for name in asked]


def test_a_run_ends_with_the_block_also_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    class Run:
        def finish(self) -> None:
            ended.append(True)

    monkeypatch.setattr(wandb, "init", lambda **settings: Run())

    def train() -> None:
        with loggers(make_config(log=LogConfig(wandb="offline")), tmp_path, "title") as found:
            assert isinstance(found[1], WandbLogger)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()
    assert ended == [True]


@pytest.mark.slow
@pytest.mark.parametrize("asked", ["offline", "online"])
def test_offline_files_lie_in_the_run(asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # nobody is logged in here
    with warnings.catch_warnings(), loggers(make_config(log=LogConfig(wandb=asked)), tmp_path / "run", "title") as found:
        warnings.simplefilter("ignore")
        found[1].log_metrics({"val/paper/tau": 0.1}, step=0)
    assert len(list(tmp_path.glob("run/wandb/offline-run-*/*.wandb"))) == 1
