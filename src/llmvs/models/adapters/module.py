"""Training of the adapters: cross-entropy on the answer's tokens, and the expected number of every
step as its score.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.checkpoint import checkpoint

from llmvs.cache.fingerprint import differences
from llmvs.config.schema import Config
from llmvs.console import ProgressBar
from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError
from llmvs.evaluation.metric import VideoScores
from llmvs.extraction import peft_folder
from llmvs.extraction.numbers import Numbers
from llmvs.models.adapters import adapter
from llmvs.models.adapters.answering import Answering
from llmvs.models.adapters.data import Sample, Steps
from llmvs.models.adapters.questions import Questions
from llmvs.models.batch import START_OVER
from llmvs.models.evaluated import EvaluatedModule

if TYPE_CHECKING:
    from peft import PeftModel

Load = Callable[[], tuple[Any, Numbers, Questions]]
"""Loads the frozen model, how it spells numbers, and its questions; every rank calls it once."""
SCORED_AT_ONCE = 4
"""Scoring takes so many times `lora.at_once`: without gradients a step needs little memory."""


class FinetuneModule(EvaluatedModule):
    """Adapters on a frozen model. Only they are this module's: the model is not moved, counted,
    saved or changed.
    """

    def __init__(
        self,
        config: Config,
        load: Load,
        metrics: Mapping[str, VideoScores],
        folder: Path | None = None,
    ) -> None:
        """Load nothing yet.

        Args:
            config: the run; `lora`, `method`, `seed` and `selection` matter here.
            load: gives the model.
            metrics: part -> metric, in the order of the validation loaders.
            folder: where the adapter is written after every epoch; None: nowhere.
        """
        super().__init__(config.seed, metrics)
        self.save_hyperparameters(
            {"lora": asdict(config.lora), "method": asdict(config.method), "seed": config.seed}
        )
        self.settings, self.load, self.folder = config, load, folder
        self.evaluate_every = config.lora.epochs if config.selection == "last" else 1
        self.adapters = torch.nn.ModuleList()
        self._base: list[Any] = []  # a list hides the model from Lightning

    def configure_model(self) -> None:
        """Load the model and put adapters on it, in the process that trains them."""
        if self._base:
            return
        model, numbers, self.questions = self.load()
        role = self.settings.method.model
        adapted = adapter.attach(
            model, self.settings.lora, getattr(self.settings.backbone, role), self.seed
        )
        self._base = [adapted]
        from peft.tuners.lora import LoraLayer

        for layer in adapted.modules():
            if isinstance(layer, LoraLayer):
                self.adapters.extend([layer.lora_A, layer.lora_B, layer.lora_dropout])
        self.answering = Answering(model, numbers)
        self.train()

    @property
    def adapted(self) -> "PeftModel":
        """The model with its adapters."""
        adapted: PeftModel = self._base[0]
        return adapted

    def trained(self) -> dict[str, Tensor]:
        """The adapters' weights by peft's names."""
        return peft_folder.weights(self.adapted)

    def state_dict(self, *arguments: Any, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        """What a checkpoint holds of this module: the adapters' weights by peft's names."""
        return self.trained()

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> None:
        """Set the adapters' weights, by peft's names; the process that only starts the ranks has
        none.
        """
        if self._base:
            adapter.restore(self.adapted, state_dict)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW without weight decay; a cosine over all optimizer steps, down to 0."""
        optimizer = torch.optim.AdamW(
            self.adapters.parameters(), lr=self.settings.lora.lr, weight_decay=0
        )
        cosine = CosineAnnealingLR(optimizer, T_max=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """An epoch may take an hour: show how far it is."""
        super().on_train_epoch_start()
        self.bar = ProgressBar(
            f"epoch {self.current_epoch + 1}",
            int(self.trainer.num_training_batches),
            "batch",
            delay=2,
            leave=False,
        )

    def on_train_batch_end(self, outputs: Any, batch: Steps, batch_idx: int) -> None:
        """One batch on."""
        self.bar.update()
        if batch_idx + 1 == self.bar.total:
            self.bar.close()

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """A batch stays as it is: it holds videos, and `Answering` moves what the model reads."""
        return batch

    def training_step(self, batch: Steps, batch_idx: int) -> Tensor:
        """This rank's part of the mean over the global batch.

        Raises:
            UserError: the loss is not a finite number.
        """
        at_once = self.settings.lora.at_once
        parts = [
            batch.samples[start : start + at_once]
            for start in range(0, len(batch.samples), at_once)
        ]
        if len(parts) == 1:
            losses = self._losses(parts[0])
        else:  # one part's activations are in memory at a time, and made again on the way back
            losses = torch.cat(
                [checkpoint(self._losses, part, use_reentrant=False) for part in parts]
            )
        self._check(losses, "loss", [(sample.video, sample.step) for sample in batch.samples])
        loss = (losses * batch.weight.to(losses.device)).sum()
        self.log(
            "train/loss",
            loss.detach(),
            on_step=False,
            on_epoch=True,
            batch_size=batch.steps,
            sync_dist=self.trainer.world_size > 1,
        )
        return loss

    def validation_step(self, index: int, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score one video.

        Raises:
            UserError: a score is not a finite number.
        """
        part, metric = self._metrics()[dataloader_idx]
        video = metric.videos[index]
        with ProgressBar(f"{part} {video.key}", video.n_steps, "step", delay=2, leave=False) as bar:
            scores = self.answering.scores(
                self.questions.about(video), SCORED_AT_ONCE * self.settings.lora.at_once, bar.update
            )
        self._check(scores, "score", [(video, step) for step in range(video.n_steps)])
        metric.update(torch.tensor([index]), scores[None].to(metric.scores.device))

    def on_train_epoch_end(self) -> None:
        """Keep the adapter of this epoch.

        Raises:
            UserError: its weights are no finite numbers.
        """
        state = self.trained()
        for name, value in state.items():
            if not torch.isfinite(value).all():
                raise UserError(
                    f"the adapter's {name} became NaN or infinite in epoch {self.current_epoch}: "
                    f"lower lora.lr={self.settings.lora.lr}"
                )
        if self.folder is not None and self.global_rank == 0:
            adapter.save(self.folder, state, self.adapted.peft_config["default"])

    def refuse_other_training(self, checkpoint: Mapping[str, Any]) -> None:
        """Refuse to continue a checkpoint of other adapters.

        Raises:
            UserError: names the settings that differ.
        """
        changes = differences(_flat(checkpoint["hyper_parameters"]), _flat(dict(self.hparams)))
        if changes:
            raise UserError(f"the checkpoint was made with {'; '.join(changes)}: {START_OVER}")

    def _losses(self, samples: Sequence[Sample]) -> Tensor:
        return self.answering.losses(
            [sample.asked for sample in samples], [sample.number for sample in samples]
        )

    def _check(self, values: Tensor, what: str, places: Sequence[tuple[Annotations, int]]) -> None:
        bad = (~torch.isfinite(values)).nonzero()
        if len(bad):
            video, step = places[int(bad[0])]
            raise UserError(
                f"the {what} became NaN or infinite in epoch {self.current_epoch} at step {step} of"
                f" {video.key} ({video.name}): lower lora.lr={self.settings.lora.lr}, or set"
                " backbone.dtype=bfloat16 or float32"
            )


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{key}.{inner}" if inner else key: item
        for key, value in values.items()
        for inner, item in (value.items() if isinstance(value, Mapping) else [("", value)])
    }
