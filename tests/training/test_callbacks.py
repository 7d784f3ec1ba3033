"""Which epoch is kept, when a checkpoint is written, and that it is whole or absent."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from llmvs.config.schema import HeadConfig, OptimConfig
from llmvs.errors import UserError
from llmvs.evaluation.evaluate import Evaluation
from llmvs.evaluation.metric import ScoredPart
from llmvs.models.module import LLMVSModule
from llmvs.training.callbacks import AtomicCheckpointIO, KeepEpochs
from llmvs.training.selection import Selection

NAN = float("nan")


class FakeTrainer(SimpleNamespace):
    """As much of a trainer as the callback asks for; counts the checkpoints."""

    def __init__(self, epochs: int) -> None:
        strategy = SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision)
        super().__init__(
            max_epochs=epochs,
            current_epoch=0,
            global_step=0,
            is_global_zero=True,
            should_stop=False,
            min_epochs=None,
            max_steps=-1,
            strategy=strategy,
            callback_metrics={},
        )
        self.saved: list[int] = []

    def save_checkpoint(self, path: Path) -> None:
        self.saved.append(self.current_epoch)


def scored(tau: float, epoch: int, loss: float = 0.1, rho: float | None = None) -> ScoredPart:
    found = {
        name: Evaluation(
            {"tau": sign * tau, "rho": sign * (tau if rho is None else rho)},
            {"v": {"tau": sign * tau, "rho": sign * tau}},
        )
        for name, sign in (("paper", 1), ("per_annotator", -1))
    }
    return ScoredPart({"v": np.full(3, epoch, np.float32)}, loss, found)


def run(
    selection: str,
    taus: dict[str, list[float]],
    seconds: float = 1e9,
    by: tuple[str, ...] = ("paper/tau",),
) -> tuple[KeepEpochs, FakeTrainer]:
    """Feed the callback the epochs' taus; the head's weights are filled with the epoch's number."""
    epochs = len(next(iter(taus.values())))
    chosen, trainer = Selection(selection, by), FakeTrainer(epochs)
    keeper = KeepEpochs(Path("unused"), chosen, seconds)
    module = LLMVSModule(4, HeadConfig(dim=16, feedforward=16, layers=1), OptimConfig(), 0)
    for epoch in range(epochs):
        trainer.current_epoch = epoch
        module.scored_parts = {part: scored(values[epoch], epoch) for part, values in taus.items()}
        with torch.no_grad():
            next(module.head.parameters()).fill_(epoch)
        keeper.on_validation_end(trainer, module)  # type: ignore[arg-type]
        keeper.on_train_epoch_end(trainer, module)  # type: ignore[arg-type]
    return keeper, trainer


@pytest.mark.parametrize(
    ("taus", "best"),
    [
        ([0.1, 0.3, 0.2], 1),
        ([0.3, 0.3, 0.3], 0),  # the first of equals
        ([NAN, -0.5, NAN], 1),  # any defined epoch beats an undefined one
        ([-0.1, NAN, -0.2], 0),
        ([NAN, NAN, NAN], 0),
    ],
)
def test_each_rule_keeps_its_epoch_with_scores_and_weights(taus: list[float], best: int) -> None:
    for selection in ("val", "test"):
        other = {"val": "test", "test": "val"}[selection]
        keeper, _ = run(selection, {selection: taus, other: [0.5, 0.4, 0.3]})
        assert {rule: record["epoch"] for rule, record in keeper.kept.items()} == {
            "last": 2,
            selection: best,
            other: 0,
        }
        assert keeper.kept[selection]["means"][selection]["paper"][0] == pytest.approx(
            taus[best], nan_ok=True
        )
        assert keeper.kept[selection]["scores"]["v"].tolist() == [best] * 3
        assert float(next(iter(keeper.weights.values())).flatten()[0]) == best


def test_every_criterion_keeps_its_own_epoch_and_the_first_ones_weights() -> None:
    by = ("loss", "paper/tau", "paper/rho", "per_annotator/tau")
    keeper = KeepEpochs(Path("unused"), Selection("val", by), 1e9)
    trainer = FakeTrainer(4)
    module = LLMVSModule(4, HeadConfig(dim=16, feedforward=16, layers=1), OptimConfig(), 0)
    looks = [(0.1, 0.3, 0.4), (0.3, NAN, 0.1), (-0.2, 0.1, 0.2), (0.0, 0.2, 0.3)]
    for epoch, (tau, loss, rho) in enumerate(looks):
        trainer.current_epoch = epoch
        module.scored_parts = {
            "val": scored(tau, epoch, loss, rho),
            "test": scored(-tau, epoch, 1 - loss),
        }
        with torch.no_grad():
            next(module.head.parameters()).fill_(epoch)
        keeper.on_validation_end(trainer, module)  # type: ignore[arg-type]
        keeper.on_train_epoch_end(trainer, module)  # type: ignore[arg-type]
    assert {row: record["epoch"] for row, record in keeper.kept.items()} == {
        "last": 3,
        "val": 2,  # the smallest loss, not the largest; the undefined one never wins
        "val-by-paper-tau": 1,
        "val-by-paper-rho": 0,
        "val-by-per_annotator-tau": 2,
        "test": 0,
        "test-by-paper-tau": 2,
        "test-by-paper-rho": 2,
        "test-by-per_annotator-tau": 1,
    }
    assert float(next(iter(keeper.weights.values())).flatten()[0]) == 2


def test_a_checkpoint_of_the_version_before_goes_on() -> None:
    keeper, _ = run("val", {"val": [0.1, 0.3], "test": [0.1, NAN]})
    old = {**keeper.state_dict(), "selection": "val"}
    old["kept"] = {
        row: {key: value for key, value in record.items() if key != "figure"}
        for row, record in old["kept"].items()
    }
    again = KeepEpochs(Path("unused"), Selection("val", ("paper/tau",)), 1e9)
    again.load_state_dict(old)
    assert {row: record.get("figure") for row, record in again.kept.items()} == {
        "last": None,
        "val": 0.3,
        "test": 0.1,
    }


def test_nothing_is_held_out_no_val_rule_and_the_last_weights_are_not_copied() -> None:
    keeper, _ = run("last", {"test": [0.1, 0.2]})
    assert set(keeper.kept) == {"last", "test"}
    assert keeper.weights == {}


def test_undefined_videos_are_recorded_by_name() -> None:
    keeper, _ = run("last", {"test": [0.1, NAN]})
    assert keeper.kept["last"]["undefined"] == {"test": {"paper": ["v"], "per_annotator": ["v"]}}
    assert keeper.kept["test"]["undefined"] == {}


def test_checkpoints_come_no_more_often_than_asked_and_at_the_end() -> None:
    taus = {"test": [0.1] * 5}
    assert run("last", taus, seconds=1e9)[1].saved == [4]
    assert run("last", taus, seconds=0)[1].saved == [0, 1, 2, 3, 4]


def test_state_survives_a_file_that_may_hold_no_code(tmp_path: Path) -> None:
    keeper, _ = run("val", {"val": [0.1, 0.3, 0.2], "test": [0.1, NAN, 0.1]})
    torch.save(keeper.state_dict(), tmp_path / "state")
    other = KeepEpochs(Path("unused"), Selection("val", ("paper/tau",)), 1.0)
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert {rule: record["epoch"] for rule, record in other.kept.items()} == {
        "last": 2,
        "val": 1,
        "test": 0,
    }
    assert other.kept["val"]["scores"]["v"].tolist() == [1, 1, 1]
    assert other.history == keeper.history
    assert other.spent > 0


def test_a_checkpoint_on_a_full_disk_is_one_line_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"a": 1}, path)

    def full(value: Any, file: Path) -> None:
        Path(file).write_bytes(b"half")
        raise RuntimeError(
            "[enforce fail at inline_container.cc:659] . unexpected pos\nframe #0: ..."
        )

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match=r"last.ckpt: cannot be written \(\[enforce fail") as caught:
        AtomicCheckpointIO().save_checkpoint({"a": 2}, path)
    assert "\n" not in str(caught.value)
    assert torch.load(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
