"""The group `trainer`: what reaches Lightning, what is refused, and how a lost rank ends."""

import os
import signal
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.describe import describe
from llmvs.config.load import load_config
from llmvs.config.schema import HeadConfig, LogConfig, MethodConfig, OptimConfig
from llmvs.errors import UserError
from llmvs.methods.base import Scores
from llmvs.models.datamodule import EmbeddingDataModule
from llmvs.models.module import LLMVSModule
from llmvs.models.storage import load_head
from llmvs.training import loggers as logs
from llmvs.training import trainer as making
from llmvs.training.fit import fit
from llmvs.training.loggers import RunLoggers
from llmvs.training.trainer import make_trainer
from tests.toys import FOLD, make_cache, make_config, make_dataset

DATASET = make_dataset()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingCache:
    torch.set_num_threads(1)
    return make_cache(tmp_path_factory.mktemp("cache"), DATASET)


def from_command_line(*arguments: str) -> dict[str, Any]:
    return load_config(["data.dataset=demo", *arguments]).trainer


def test_values_of_the_command_line_have_their_types() -> None:
    assert from_command_line(
        "trainer.profiler=simple",
        "--trainer.fast_dev_run=true",
        "trainer.limit_train_batches=0.5",
        "trainer.accumulate_grad_batches=2",
        "trainer.callbacks=[timer, learning_rate_monitor]",
        "trainer.max_time=null",
    ) == {
        "profiler": "simple",
        "fast_dev_run": True,
        "limit_train_batches": 0.5,
        "accumulate_grad_batches": 2,
        "callbacks": ["timer", "learning_rate_monitor"],
        "max_time": None,
    }
    assert from_command_line("trainer.callbacks.early_stopping.monitor=val/paper/tau") == {
        "callbacks": {"early_stopping": {"monitor": "val/paper/tau"}}
    }


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("trainer.profilr=simple", "trainer.profilr=simple: no such argument: did you mean profil"),
        ("trainer.max_epochs=3", "trainer.max_epochs=3: llmvs sets this itself: set optim.epochs"),
        ("trainer.limit_val_batches=1", "every held-out and test video is scored"),
        ("trainer.callbacks=[early_stoping]", "no such callback: did you mean early_stopping"),
        (
            "trainer.callbacks.refresh_embeddings.videos=3",
            "refresh_embeddings=.*takes no arguments: set extract.refresh",
        ),
        ("trainer.callbacks=[5]", r"trainer\.callbacks=5: expected names"),
        ("trainer.callbacks=[null]", r"trainer\.callbacks=None: expected names"),
        ("trainer.callbacks=7", r"trainer\.callbacks=7: expected names"),
        ("log.loggers=[csv,tensorbord]", "log.loggers"),
    ],
)
def test_a_mistake_is_one_line(argument: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        load_config(["data.dataset=demo", argument])
    assert str(caught.value).startswith("command line: ")
    assert "\n" not in str(caught.value)


def test_only_a_head_is_trained_on_embeddings() -> None:
    with pytest.raises(
        ValueError, match=r"refresh_embeddings: only method.model=head .* captioner"
    ):
        make_config(
            method=MethodConfig(model="captioner"), trainer={"callbacks": ["refresh_embeddings"]}
        )


def test_every_setting_is_described_with_its_default() -> None:
    lines = describe().splitlines()
    assert "trainer = {}" in lines
    assert "optim.losses.mse = 1.0" in lines
    assert "log.loggers = ['csv', 'wandb']" in lines


def test_settings_and_callbacks_reach_lightning(tmp_path: Path) -> None:
    config = make_config(
        trainer={
            "accumulate_grad_batches": 2,
            "overfit_batches": 1,
            "callbacks": ["learning_rate_monitor", {"early_stopping": {"monitor": "val/loss"}}],
        }
    )
    with RunLoggers(config, tmp_path) as loggers:
        made = make_trainer(config, 1, tmp_path, loggers.loggers(), [])
    assert made.accumulate_grad_batches == 2
    assert made.limit_train_batches == 1
    assert made.limit_val_batches == 1.0  # a fraction: every video
    kinds = [type(callback) for callback in made.callbacks]  # type: ignore[attr-defined]
    assert LearningRateMonitor in kinds
    assert EarlyStopping in kinds


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"profiler": "simpel"}, "trainer.profiler=simpel: .*simple"),
        ({"callbacks": ["early_stopping"]}, r"trainer.callbacks.early_stopping=\{\}: .*monitor"),
    ],
)
def test_what_lightning_refuses_is_one_line(
    settings: dict[str, Any], says: str, cache: EmbeddingCache, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=says) as caught:
        fit(make_config(trainer=settings), DATASET, FOLD, cache, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_training_that_is_stopped_early_is_finished(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = {"monitor": "val/paper/tau", "mode": "max", "patience": 1}
    config = make_config(
        optim=OptimConfig(lr=1e-12, min_lr=0.0, epochs=30),
        log=LogConfig(wandb="disabled", checkpoint_seconds=1e5),
        trainer={"callbacks": {"early_stopping": stop}},
    )
    found = fit(config, DATASET, FOLD, cache, tmp_path)
    assert len(found.history) == 2
    assert found.epochs["last"].epoch == 1
    assert Scores.trained(found, cache, None).n_epochs == 2
    monkeypatch.setattr("llmvs.training.fit._train", None)
    again = fit(config, DATASET, FOLD, cache, tmp_path)
    assert again.started_at == 2
    np.testing.assert_equal(asdict(again)["epochs"], asdict(found)["epochs"])


def test_a_quick_pass_trains_a_batch_and_scores_every_video(
    cache: EmbeddingCache, tmp_path: Path
) -> None:
    found = fit(make_config(trainer={"fast_dev_run": True}), DATASET, FOLD, cache, tmp_path)
    assert [row["step"] for row in found.history] == [0]
    assert set(found.selected.scores) == {*FOLD.val, *FOLD.test}
    one = fit(make_config(trainer={"overfit_batches": 1}), DATASET, FOLD, cache, tmp_path / "one")
    assert [row["step"] for row in one.history] == [0, 1, 2, 3]
    assert set(one.selected.scores) == {*FOLD.val, *FOLD.test}


@pytest.mark.parametrize("selection", ["last", "val"])
@pytest.mark.parametrize("steps", [1, 3])
def test_an_epoch_that_max_steps_cuts_short_is_evaluated_as_it_ends(
    steps: int, selection: str, cache: EmbeddingCache, tmp_path: Path
) -> None:
    """Two steps an epoch: the first or the second is cut."""
    config = make_config(trainer={"max_steps": steps}, selection=selection)
    found = fit(config, DATASET, FOLD, cache, tmp_path)
    assert [row["step"] for row in found.history] == ([0] if steps == 1 else [1, 2])
    ended = found.epochs["last"]
    for row, figures in (("val", ended.means["val"]), ("test", ended.means["test"])):
        assert found.history[-1][f"{row}/paper/tau"] == pytest.approx(figures["paper"]["tau"])
    data = EmbeddingDataModule(DATASET, FOLD, cache)
    data.setup()
    if selection == "last":
        head = load_head(tmp_path)
        for part in ("val", "test"):
            for i, video in enumerate(data.videos[part]):
                batch = data.parts[part][i]
                scores = head(batch.steps, batch.lengths).detach().numpy()
                np.testing.assert_allclose(ended.scores[video.key], scores, atol=1e-6)


@pytest.mark.parametrize("given", [{"limit_train_batches": 0}, {"max_steps": 0}])
def test_a_training_of_nothing_is_one_line(
    given: dict[str, int], cache: EmbeddingCache, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"nothing was trained: trainer.{next(iter(given))}=0"):
        fit(make_config(trainer=given), DATASET, FOLD, cache, tmp_path)


def test_a_killed_rank_ends_with_one_line_and_the_training_goes_on(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(
        making,
        "strategy",
        lambda config: making.QuietDDP(start_method="fork") if config.devices > 1 else "auto",
    )
    config = make_config(
        head=HeadConfig(dim=64, feedforward=32, layers=1, dropout=0.0), selection="last", devices=2
    )
    whole = fit(config, DATASET, FOLD, cache, tmp_path / "whole")
    original = LLMVSModule.training_step

    def step(self: LLMVSModule, batch: Any, batch_idx: int) -> torch.Tensor:
        if self.global_rank == 1 and self.current_epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, batch, batch_idx)

    monkeypatch.setattr(LLMVSModule, "training_step", step)
    capfd.readouterr()
    with pytest.raises(
        UserError, match=r"rank \d (died \(killed by SIGKILL\)|lost the others.*): run the same"
    ) as caught:
        fit(config, DATASET, FOLD, cache, tmp_path / "killed")
    assert "\n" not in str(caught.value)
    assert "Traceback" not in capfd.readouterr().err
    monkeypatch.setattr(LLMVSModule, "training_step", original)
    found = fit(config, DATASET, FOLD, cache, tmp_path / "killed")
    assert found.started_at == 2
    for key, scores in whole.selected.scores.items():
        np.testing.assert_allclose(found.selected.scores[key], scores, atol=1e-6)


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_logger_that_is_not_installed_names_its_extra(
    name: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs.importlib.util, "find_spec", lambda package: None)
    config = make_config(log=LogConfig(wandb="disabled", loggers=["csv", name]))
    with pytest.raises(
        UserError,
        match=rf"^log.loggers={name}: {name} is not installed: pip install 'llmvs\[{name}\]'$",
    ):
        RunLoggers(config, tmp_path)


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_curves_of_a_run_go_where_they_are_asked_for(
    name: Any, cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(name)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    config = make_config(log=LogConfig(wandb="disabled", loggers=["csv", name]))
    fit(config, DATASET, FOLD, cache, tmp_path)
    place = {"tensorboard": "tensorboard/events.*", "mlflow": "mlflow.db"}[name]
    assert [path for path in tmp_path.glob(place) if path.stat().st_size]
    assert (tmp_path / "logs" / "metrics.csv").is_file()


def test_wandb_is_left_out_where_it_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_start_wandb", lambda *_: pytest.fail("started"))
    config = replace(make_config(), log=LogConfig(wandb="offline", loggers=["csv"]))
    with RunLoggers(config, tmp_path) as loggers:
        assert [type(one) for one in loggers.loggers()] == [logs.EpochRows]
