"""Training of the head: the optimizer and its schedule, and what a step does. Lightning around
`head.py` and `losses.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import Parameter
from torch.optim.lr_scheduler import CosineAnnealingLR

from llmvs.cache.fingerprint import differences
from llmvs.config.schema import HeadConfig, OptimConfig
from llmvs.errors import UserError
from llmvs.models.averaging import MeanWeights
from llmvs.models.batch import START_OVER, Batch
from llmvs.models.evaluated import EvaluatedModule
from llmvs.models.head import Head, Standardize
from llmvs.models.in_parts import (
    Gradients,
    InParts,
    factor_of_loss,
    hand_over,
    takes_gradients,
)
from llmvs.models.losses import total_loss

FIRST_MATRIX = "head.project.0.weight"
MEAN = "mean_weights"
"""In a checkpoint: the mean of the last epochs' weights."""
COMPILED = "_orig_mod."
"""What `torch.compile(head)` puts into the names of the head's weights."""


class NotFinite(UserError):
    """The training of the head broke down: a loss or a score is NaN or infinite."""


class LLMVSModule(EvaluatedModule):
    """AdamW on the mean over videos of the losses (paper, section 3.4), the cosine stepping once
    per epoch.

    >>> module = LLMVSModule(input_dim=64, head={"dim": 128, "layers": 2}, optim={"lr": 1e-3})
    >>> module.head.config.heads, module.optim.batch_videos, module.optim.lr
    (2, 10, 0.001)
    """

    def __init__(
        self,
        input_dim: int | None = None,
        head: HeadConfig | Mapping[str, Any] | None = None,
        optim: OptimConfig | Mapping[str, Any] | None = None,
        seed: int = 1112,
    ) -> None:
        """Initial weights and dropout depend on `seed` alone, not on the state of the random
        generators.

        Args:
            input_dim: D, the width of a step's embedding; None: that of the trainer's data module.
            head: the network's settings, by the names of `HeadConfig`; the rest as in the paper.
            optim: how it is trained, by the names of `OptimConfig`; the rest as in the paper.
            seed: of initial weights and dropout.

        Raises:
            ValueError: a setting that makes no sense.
        """
        super().__init__(seed)
        self._unsettled: list[tuple[Tensor, str, list[str], int]] = []
        self.head_config = head if isinstance(head, HeadConfig) else HeadConfig(**(head or {}))
        self.optim = optim if isinstance(optim, OptimConfig) else OptimConfig(**(optim or {}))
        self.mean = MeanWeights()
        """Over the last `optim.average` epochs; empty before them."""
        self._own: dict[str, Tensor] = {}
        """The head's own weights, while those of the mean are evaluated."""
        self._in_parts = InParts()
        self._gradients: Gradients | None = None
        """Of this step, where they are known before the backward pass."""
        self._save_hyperparameters(input_dim)
        if input_dim is not None:
            self._build(input_dim)

    def _save_hyperparameters(self, input_dim: int | None) -> None:
        self.save_hyperparameters(
            {
                "input_dim": input_dim,
                "head": asdict(self.head_config),
                "optim": asdict(self.optim),
                "seed": self.seed,
            }
        )

    def _build(self, input_dim: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.head = Head(input_dim, self.head_config)

    def trained(self) -> dict[str, Tensor]:
        """The head's weights; from the first of the averaged epochs on their mean."""
        return self.mean.weights or self._weights()

    def _weights(self) -> dict[str, Tensor]:
        return {name.replace(COMPILED, ""): value for name, value in self.head.state_dict().items()}

    def setup(self, stage: str) -> None:
        """Build the head where its input's width was not known before, and make the metrics.

        Raises:
            UserError: neither the module nor its data know the width.
        """
        if not hasattr(self, "head"):
            input_dim = getattr(getattr(self.trainer, "datamodule", None), "input_dim", None)
            if input_dim is None:
                raise UserError(
                    "input_dim=None: train with an EmbeddingDataModule, or say how wide a step's"
                    " embedding is"
                )
            self._build(input_dim)
            self._save_hyperparameters(input_dim)
        super().setup(stage)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A compiled head's weights are saved under their own names."""
        weights = checkpoint["state_dict"]
        checkpoint["state_dict"] = {n.replace(COMPILED, ""): w for n, w in weights.items()}
        if self.mean.count:
            checkpoint[MEAN] = self.mean.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the mean of the weights; who does not train gets the mean itself.

        Raises:
            UserError: another training's checkpoint.
        """
        super().on_load_checkpoint(checkpoint)
        if MEAN not in checkpoint:
            return
        if self._trainer is not None and self.trainer.state.fn == "fit":
            self.mean.restore(checkpoint[MEAN], self.device)
        else:
            mean = checkpoint[MEAN]["weights"]
            checkpoint["state_dict"] |= {f"head.{name}": value for name, value in mean.items()}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Set the weights, building the head first where its input's width was not known before;
        a compiled head takes those of a plain one.
        """
        weights = {name.replace(COMPILED, ""): value for name, value in state_dict.items()}
        if not hasattr(self, "head"):
            self._build(weights[FIRST_MATRIX].shape[1])
        own = {name.replace(COMPILED, ""): name for name in self.state_dict()}
        named = {own.get(name, name): value for name, value in weights.items()}
        return super().load_state_dict(named, strict=strict, assign=assign)

    def on_fit_start(self) -> None:
        """Every rank holds all training videos, so all standardize alike.

        Raises:
            UserError: the trainer's data does not say what the training steps are.
        """
        if isinstance(self.head.standardize, Standardize):
            data = getattr(self.trainer, "datamodule", None)
            steps = getattr(data, "training_steps", None)
            if steps is None:
                raise UserError("head.standardize=true: train with an EmbeddingDataModule")
            self.head.standardize.fit(steps())

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; cosine from `lr` down to `min_lr` at epoch `t_max`. Past `t_max` it climbs back,
        as in the released recipe.
        """
        optimizer = torch.optim.AdamW(
            self.head.parameters(),
            lr=self.optim.lr,
            weight_decay=self.optim.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )
        if self.trainer.gradient_clip_val:
            # A fused optimizer says that it undoes the scaling of fp16's gradients itself, and
            # Lightning then refuses to clip them, also in bf16, which has none. Without this mark
            # GradScaler treats it as any other: unscaled, clipped, then its step.
            optimizer._step_supports_amp_scaling = False  # noqa: SLF001
        cosine = CosineAnnealingLR(
            optimizer, T_max=self.optim.t_max or self.optim.epochs, eta_min=self.optim.min_lr
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cosine, "interval": "epoch"}}

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Score packed steps, see `Head.forward`: [N, D], [B] -> [N]."""
        scores: Tensor = self.head(steps, lengths)
        return scores

    def losses(self, batch: Batch) -> Tensor:
        """[B] what every video costs: the sum of `optim.losses`."""
        scores = self.head(batch.steps, batch.lengths)
        return total_loss(scores, batch.gtscore, batch.lengths, self.optim)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """This rank's part of the mean over the global batch. On a GPU that does not hold the batch
        at once, it is computed in parts, with the same gradients.

        Raises:
            NotFinite: the loss is not a finite number.
            UserError: a GPU does not hold a single video.
        """
        known = self.may_run_out(batch.steps) and takes_gradients(self.trainer)
        losses = self._differentiated(batch) if known else self.losses(batch)
        self._check(losses.split(1), "loss", batch)
        loss = (losses * batch.weight).sum()
        self.log(
            "train/loss",
            loss,
            on_step=False,
            on_epoch=True,
            batch_size=batch.n_videos,
            sync_dist=self.trainer.world_size > 1,
        )
        return loss.requires_grad_() if known else loss

    @staticmethod
    def may_run_out(values: Tensor) -> bool:
        """Whether a value's device says so when its memory does not suffice, and can go on."""
        return values.is_cuda

    def _differentiated(self, batch: Batch) -> Tensor:
        """[B] the losses; their gradients are kept for the backward pass."""
        factor = factor_of_loss(self.trainer, batch.steps.device)
        losses, self._gradients = self._in_parts.differentiate(
            batch, self.losses, self._trained_parameters(), factor
        )
        return losses

    def _trained_parameters(self) -> list[Parameter]:
        return [parameter for parameter in self.head.parameters() if parameter.requires_grad]

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Run the backward pass, or hand over the gradients where they are known."""
        if self._gradients is None:
            super().backward(loss, *args, **kwargs)
            return
        gradients, self._gradients = self._gradients, None
        hand_over(gradients, self._trained_parameters(), self.trainer.world_size > 1)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """At the end of one of the last epochs, take its weights into the mean."""
        epochs = self.trainer.max_epochs or 0
        ends = batch_idx + 1 == self.trainer.num_training_batches
        if ends and self.optim.average > 1 and self.current_epoch >= epochs - self.optim.average:
            self.mean.add(self._weights())

    def on_validation_start(self) -> None:
        """While it trains: evaluate the mean of the weights, once there is one."""
        if self.mean.count and self.trainer.state.fn == "fit":
            self._own = {name: value.clone() for name, value in self._weights().items()}
            self._set(self.mean.weights)

    def on_validation_end(self) -> None:
        """Go on training the head's own weights."""
        if self._own:
            self._set(self._own)
            self._own = {}

    def on_train_end(self) -> None:
        """What is tested or used from now on is the mean."""
        if self.mean.count:
            self._set(self.mean.weights)

    def _set(self, weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in self._weights().items():
                value.copy_(weights[name])

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score the videos for the metric of their part; without metrics, log the mean loss.

        Raises:
            NotFinite: a score is not a finite number.
        """
        found = self._metrics()
        self._evaluation_step(batch, found[dataloader_idx][0] if found else "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Score the videos for the metric of the test part; without it, log the mean loss.

        Raises:
            NotFinite: a score is not a finite number.
        """
        self._evaluation_step(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Score every step: video key -> float32 [T] in [0, 1]."""
        scores = (video.cpu() for video in self._scores(batch))
        return dict(zip(batch.keys, scores, strict=True))

    def _scores(self, batch: Batch) -> Sequence[Tensor]:
        """Every video's scores, in fp32 whatever the precision of the training: 16-bit activations
        make scores that tie.
        """
        with torch.autocast(self.device.type, enabled=False):
            return self.head(batch.steps, batch.lengths).split(batch.lengths.tolist())

    def _evaluation_step(self, batch: Batch, part: str) -> None:
        scores = self._scores(batch)
        self._check(scores, "score", batch)
        self.settle()  # the metric waits for the scores anyway
        if part in self.metrics:
            metric = dict(self._metrics())[part]
            for position, video in zip(batch.position, scores, strict=True):
                metric.update(position[None], video[None])
        else:
            losses = total_loss(torch.cat(list(scores)), batch.gtscore, batch.lengths, self.optim)
            self.log(
                f"{part}/loss",
                losses.mean(),
                batch_size=len(losses),
                sync_dist=self.trainer.world_size > 1,
            )

    def _check(self, values: Sequence[Tensor], what: str, batch: Batch) -> None:
        """Every video's values must be finite: found out at once, or, where that would keep a GPU
        waiting at every step, at the end of the epoch.
        """
        finite = torch.stack([torch.isfinite(value).all() for value in values])
        where = [f"{key} ({name})" for key, name in zip(batch.keys, batch.names, strict=True)]
        self._unsettled.append((finite, what, where, self.global_step))
        if not self.waits_for_looks(finite):
            self.settle()

    @staticmethod
    def waits_for_looks(values: Tensor) -> bool:
        """Whether looking at a value keeps its device waiting."""
        return values.is_cuda

    def settle(self) -> None:
        """Refuse to go on from a loss or a score that was not finite.

        Raises:
            NotFinite: names the first.
        """
        unsettled, self._unsettled = self._unsettled, []
        if not unsettled or torch.cat([finite for finite, *_ in unsettled]).all():
            return
        for finite, what, where, step in unsettled:
            if not finite.all():
                video = int(finite.logical_not().nonzero()[0])
                raise NotFinite(
                    f"the {what} became NaN or infinite in epoch {self.current_epoch}, optimizer"
                    f" step {step}, at {where[video]}: lower optim.lr={self.optim.lr}, or train"
                    " with precision=32-true"
                )

    def on_train_epoch_end(self) -> None:
        """Go on from finite losses.

        Raises:
            NotFinite: one is not.
        """
        self.settle()

    def refuse_other_training(self, checkpoint: Mapping[str, Any]) -> None:
        """Refuse to continue a checkpoint of another head or another training.

        Raises:
            UserError: names the settings that differ.
        """
        made_with = checkpoint["hyper_parameters"]
        # A setting that is newer than the checkpoint had its default's effect.
        made_with = made_with | {
            "head": asdict(HeadConfig()) | made_with["head"],
            "optim": asdict(OptimConfig()) | made_with["optim"],
        }
        mine = dict(self.hparams)
        if mine["input_dim"] is None:  # known once the data is there
            mine["input_dim"] = made_with["input_dim"]
        changes = differences(dict(_flat(made_with)), dict(_flat(mine)))
        if changes:
            raise UserError(f"the checkpoint was made with {'; '.join(changes)}: {START_OVER}")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
