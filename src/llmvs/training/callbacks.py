"""What happens beside the training: keeping the chosen epoch, a checkpoint to resume from, one line
of progress.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor

from llmvs.console import ProgressBar
from llmvs.errors import UserError
from llmvs.evaluation.criteria import figure
from llmvs.evaluation.metric import ScoredPart
from llmvs.files import atomic
from llmvs.models.evaluated import EvaluatedModule, figures
from llmvs.models.module import LLMVSModule, NotFinite
from llmvs.models.storage import save_head
from llmvs.training.selection import Selection, of_this_version


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints that are whole or absent."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write to the side, force to disk, rename.

        Raises:
            UserError: the folder cannot be written.
        """
        try:
            with atomic(Path(path)) as temporary:
                torch.save(checkpoint, temporary)
        except RuntimeError as error:  # how torch reports a full disk
            reason = str(error).splitlines()[0]
            raise UserError(
                f"{path}: cannot be written ({reason}): choose another folder or free some space"
            ) from error


class KeepEpochs(Checkpoint):
    """Keeps the epoch of every rule in memory (the weights of one rule only) and writes `last.ckpt`
    now and then.

    As a `Checkpoint` it runs after the module's own epoch end, where the epoch's figures are
    complete. Its state is part of the checkpoint, so that a resumed run still knows the best epoch
    before the interruption.
    """

    def __init__(self, path: Path, selection: Selection, seconds: float) -> None:
        """Remember where and how often.

        Args:
            path: the checkpoint to resume from.
            selection: which epochs are kept, and whose weights.
            seconds: least time between two checkpoints; the last epoch's is always written.
        """
        self.path, self.selection, self.seconds = path, selection, seconds
        self.kept: dict[str, dict[str, Any]] = {}
        """Row -> its epoch (from 0), look (from 1), figure of the criterion, means
        {part: {protocol: [tau, rho]}}, loss {part: float}, undefined, scores {video: [T]}.
        """
        self.weights: dict[str, Tensor] = {}
        """What was trained, at the epoch of `selection`; empty where that is the last one."""
        self.good: tuple[int, dict[str, Tensor]] | None = None
        """The latest whole epoch and what was trained at its end, with which every score was
        finite.
        """
        self.history: list[dict[str, float]] = []
        """One row of logged figures per epoch."""
        self.looks: list[dict[str, float]] = []
        """The same of every evaluation in the middle of an epoch, with the number of its look."""
        self.spent = 0.0
        self.finished = False
        """Whether the training ends with the epoch that was kept last, early or not."""
        self._started = self._written = time.monotonic()
        self._evaluated = -1
        """The step after which the latest evaluation was."""

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors, which load without unpickling code."""
        return {
            "selection": self.selection.state(),
            "kept": self.kept,
            "weights": self.weights,
            "history": self.history,
            "looks": self.looks,
            "finished": self.finished,
            "spent": self.spent + time.monotonic() - self._started,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over from an interrupted run."""
        state_dict = of_this_version(state_dict)
        self.kept, self.weights = state_dict["kept"], state_dict["weights"]
        self.history, self.spent = state_dict["history"], state_dict["spent"]
        self.looks = state_dict.get("looks", [])  # older versions did not log them

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock; a resumed run's logs begin with the epochs before it."""
        self._started = self._written = time.monotonic()
        for row in sorted([*self.history, *self.looks], key=lambda row: row["step"]):
            _log(trainer, row)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A resumed run begins with good weights."""
        if trainer.current_epoch and isinstance(pl_module, EvaluatedModule):
            self.good = trainer.current_epoch - 1, _copied(pl_module.trained())

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Where the head's training broke down, write its last good weights and say so in the
        error.
        """
        if (
            isinstance(exception, NotFinite)
            and isinstance(pl_module, LLMVSModule)
            and self.good is not None
        ):
            epoch, weights = self.good
            save_head(self.path.parent, weights, pl_module.head.input_dim, pl_module.head.config)
            exception.args = (
                (
                    f"{exception}; the weights after epoch {epoch}, the last good ones, are in"
                    f" {self.path.parent}"
                ),
            )

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """The last checkpoint is read once and never trained on: leave out the optimizer's state,
        which is twice the weights.
        """
        if self.finished:
            checkpoint["optimizer_states"] = []

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look at the module in the middle of an epoch, where that is asked for."""
        look = self.selection.look_after(batch_idx + 1, int(trainer.num_training_batches))
        if look:
            assert isinstance(pl_module, EvaluatedModule)
            pl_module.look()
            self._keep(trainer, pl_module, look, lambda: _copied(pl_module.trained()))
            place = {"epoch": trainer.current_epoch, "look": look, "step": trainer.global_step - 1}
            self.looks.append({**place, **figures(pl_module.scored_parts)})
            _log(trainer, self.looks[-1])

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note what has been evaluated."""
        self._evaluated = trainer.global_step

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep the epoch where a rule chooses it; write the checkpoint where it is due."""
        assert isinstance(pl_module, EvaluatedModule)
        self.finished = _is_last_epoch(trainer)
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if self.finished and self._evaluated != trainer.global_step:
            pl_module.look()  # Lightning does not evaluate an epoch that `max_steps` cuts short
            logged |= figures(pl_module.scored_parts)
        self.history.append(
            {"epoch": trainer.current_epoch, "step": trainer.global_step - 1, **logged}
        )
        good = self._take(pl_module.trained())
        self.good = trainer.current_epoch, good
        self.kept["last"] = self._keep(trainer, pl_module, self.selection.looks, lambda: good)
        for row, epoch in self.selection.epochs.items():
            if epoch == trainer.current_epoch:
                self.kept[row] = self.kept["last"]
                if row == self.selection.rule and trainer.is_global_zero:
                    self.weights = good
        due = self.finished or time.monotonic() - self._written >= self.seconds
        if trainer.strategy.reduce_boolean_decision(due, all=False):
            trainer.save_checkpoint(self.path)
            self._written = time.monotonic()

    def _take(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """A copy of an epoch's weights, in the memory of the last good ones unless they are kept:
        new memory costs more than what is copied.
        """
        if self.good is None or self.good[1] is self.weights:
            return _copied(weights)
        into = self.good[1]
        for name, value in weights.items():
            into[name].copy_(value)
        return into

    def _keep(
        self,
        trainer: L.Trainer,
        module: EvaluatedModule,
        look: int,
        weights: Callable[[], dict[str, Tensor]],
    ) -> dict[str, Any]:
        """Keep what the latest evaluation found, and the weights it was of, wherever a rule
        chooses it.
        """
        scored = module.scored_parts
        record = _record(trainer.current_epoch, look, scored)
        for row, (part, criterion) in self.selection.choices.items():
            if self._better(row, part, criterion, scored):
                self.kept[row] = {**record, "figure": figure(scored[part], criterion)}
                if row == self.selection.rule and trainer.is_global_zero:
                    self.weights = weights()
        return record

    def _better(
        self, row: str, part: str, criterion: str, scored_parts: dict[str, ScoredPart]
    ) -> bool:
        if part not in scored_parts:
            return False
        if row not in self.kept:
            return True
        now, before = figure(scored_parts[part], criterion), self.kept[row]["figure"]
        # an undefined epoch gives way to any defined one
        return now > before or (before != before and now == now)


def _log(trainer: L.Trainer, row: dict[str, float]) -> None:
    """Add a row to the first logger's table, which Lightning does not fill by itself."""
    if trainer.loggers:
        trainer.loggers[0].log_metrics(dict(row), step=int(row["step"]))


def _is_last_epoch(trainer: L.Trainer) -> bool:
    """Whether the training ends here: all epochs are done, or a callback or `max_steps` ends it."""
    done = trainer.current_epoch + 1
    stopped = trainer.should_stop and done >= (trainer.min_epochs or 0)
    return stopped or done == trainer.max_epochs or 0 <= trainer.max_steps <= trainer.global_step


def _copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in weights.items()}


def _record(epoch: int, look: int, scored_parts: dict[str, ScoredPart]) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "look": look,
        "means": {
            part: {name: list(values.values()) for name, values in scored.means.items()}
            for part, scored in scored_parts.items()
        },
        "loss": {part: scored.loss for part, scored in scored_parts.items()},
        "undefined": {
            part: scored.undefined for part, scored in scored_parts.items() if scored.undefined
        },
        "scores": {
            key: torch.from_numpy(scores)
            for scored in scored_parts.values()
            for key, scores in scored.scores.items()
        },
    }


class TellEpochs(Callback):
    """Tells somebody the share of the epochs that is done."""

    def __init__(self, progress: Callable[[float], None]) -> None:
        self.progress = progress

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """One epoch on."""
        self.progress((trainer.current_epoch + 1) / (trainer.max_epochs or 1))


class EpochProgress(Callback):
    """One line on standard error: epochs done, time left, the loss and the held-out tau."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._bar: ProgressBar | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the bar where a resumed run stands."""
        if trainer.is_global_zero:
            self._bar = ProgressBar(
                self.title, trainer.max_epochs, "epoch", done=trainer.current_epoch
            )

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """One epoch on."""
        if self._bar is None:
            return
        shown = [
            f"{label} {float(trainer.callback_metrics[name]):.4f}"
            for label, name in (("loss", "train/loss"), ("val tau", "val/paper/tau"))
            if name in trainer.callback_metrics
        ]
        self._bar.note(", ".join(shown))
        self._bar.update()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Close the bar."""
        self._close()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Close the bar before the error is told."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
