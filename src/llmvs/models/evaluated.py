"""Evaluation inside Lightning's loops, whatever is trained and whatever gives the scores."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.evaluation.metric import ScoredPart, VideoScores
from llmvs.evaluation.protocols import rank_correlations


@runtime_checkable
class Annotated(Protocol):
    """A data module that knows what people said of its videos."""

    dataset: Dataset

    @property
    def videos(self) -> dict[str, list[Annotations]]:
        """The videos of every loaded part."""

    @property
    def evaluated(self) -> list[str]:
        """The parts that are scored after every epoch, in the order of the loaders."""


class EvaluatedModule(L.LightningModule):
    """Evaluates the scores of the validation and test loaders by every rank correlation of the
    dataset. What is trained, and what gives scores, is a subclass's matter.
    """

    evaluate_every = 1
    """Epochs from one evaluation to the next."""

    def __init__(self, seed: int, metrics: Mapping[str, VideoScores] | None = None) -> None:
        """Take the metrics.

        Args:
            seed: of dropout.
            metrics: part -> metric, in the order of the validation loaders; None: they are made
                from the trainer's data module, and where it has no annotations there are none.
        """
        super().__init__()
        self.seed = seed
        self._given = metrics is not None
        self.metrics = torch.nn.ModuleDict(_as_modules(metrics or {}))
        self.scored_parts: dict[str, ScoredPart] = {}
        """Part -> what the latest evaluation found."""

    def trained(self) -> dict[str, Tensor]:
        """The weights that the training changes, by name."""
        raise NotImplementedError

    def refuse_other_training(self, checkpoint: Mapping[str, Any]) -> None:
        """Raise a UserError when a checkpoint's training had other settings than this one's."""
        raise NotImplementedError

    def setup(self, stage: str) -> None:
        """Make the metrics of the parts that the data module has loaded."""
        data = getattr(self.trainer, "datamodule", None)
        if not self._given and isinstance(data, Annotated):
            self.configure_metrics(data)

    def configure_metrics(self, data: Annotated) -> None:
        """One metric per evaluated part, by every rank correlation that the annotations allow."""
        rules = rank_correlations(data.dataset)
        made = {part: VideoScores(data.videos[part], rules) for part in data.evaluated}
        self.metrics = torch.nn.ModuleDict(_as_modules(made))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to continue another training; any checkpoint may be tested or loaded.

        Raises:
            UserError: names the settings that differ.
        """
        if self._trainer is not None and self.trainer.state.fn == "fit":
            self.refuse_other_training(checkpoint)

    def on_train_epoch_start(self) -> None:
        """Dropout is a function of (seed, epoch, rank): a resumed run needs no generator's state."""  # noqa: E501
        state = np.random.SeedSequence(
            [self.seed, self.current_epoch, self.global_rank]
        ).generate_state(2, np.uint32)
        torch.manual_seed((int(state[0]) << 32 | int(state[1])) >> 1)
        rate = self.optimizers().param_groups[0]["lr"]  # type: ignore[union-attr]
        self.log("lr", rate, sync_dist=self.trainer.world_size > 1)

    def on_validation_epoch_end(self) -> None:
        """Gather from all ranks, and log `PART/loss` and `PART/PROTOCOL/MEASURE`."""
        self._evaluate(part for part, _ in self._metrics())

    def on_test_epoch_end(self) -> None:
        """The same for the test videos."""
        self._evaluate(part for part, _ in self._metrics() if part == "test")

    @torch.no_grad()
    def look(self) -> None:
        """Fill `scored_parts` in the middle of a training epoch; nothing is logged."""
        self.eval()
        for place, loader in enumerate(self.trainer.val_dataloaders or []):
            for index, batch in enumerate(loader):
                moved = self.trainer.strategy.batch_to_device(batch, dataloader_idx=place)
                self.validation_step(moved, index, place)
        self.train()
        for part, _ in self._metrics():
            self._gather(part)

    def _gather(self, part: str) -> ScoredPart:
        metric = dict(self._metrics())[part]
        scored = self.scored_parts[part] = metric.gathered()
        metric.reset()
        return scored

    def _evaluate(self, parts: Iterable[str]) -> None:
        several = self.trainer.world_size > 1
        for part in parts:
            for name, value in figures({part: self._gather(part)}).items():
                self.log(name, value, sync_dist=several)

    def _metrics(self) -> list[tuple[str, VideoScores]]:
        return list(self.metrics.items())  # type: ignore[arg-type]


def figures(scored_parts: Mapping[str, ScoredPart]) -> dict[str, float]:
    """What evaluations found, by the names of the logs: `PART/loss`, `PART/PROTOCOL/MEASURE`."""
    found: dict[str, float] = {}
    for part, scored in scored_parts.items():
        found[f"{part}/loss"] = scored.loss
        for protocol, values in scored.means.items():
            found |= {f"{part}/{protocol}/{measure}": one for measure, one in values.items()}
    return found


def _as_modules(metrics: Mapping[str, VideoScores]) -> dict[str, Metric]:
    return dict(metrics)
