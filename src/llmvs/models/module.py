"""Training of the head: the loss, the optimizer and its schedule, and what is logged. Lightning
around `head.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn.functional import softplus
from torch.optim.lr_scheduler import CosineAnnealingLR
from torchmetrics import Metric

from llmvs.cache.embeddings import differences
from llmvs.config.schema import HeadConfig, OptimConfig
from llmvs.errors import UserError
from llmvs.evaluation.metric import Verdict, VideoScores
from llmvs.models.datamodule import START_OVER, Batch
from llmvs.models.head import Head, Standardize


def video_errors(scores: Tensor, gtscore: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of every video over its real steps: [B, T], [B, T], bool [B, T] -> [B]."""
    squared = (scores - gtscore).square().masked_fill(~mask, 0)
    return squared.sum(dim=1) / mask.sum(dim=1)


def video_rankings(scores: Tensor, gtscore: Tensor, mask: Tensor, margin: float) -> Tensor:
    """Pairwise logistic ranking loss of every video: [B, T], [B, T], bool [B, T] -> [B].

    A pair (i, j) is two real steps of one video with gtscore_i - gtscore_j > margin. With z =
    logit(score), what the head gives before its sigmoid, it costs log(1 + exp(z_j - z_i)): little
    where step i is ahead, log 2 where the two tie (RankNet, Burges et al. 2005). A video's loss is
    the mean over its pairs, 0 where it has none. Scores within 1e-6 of 0 or 1 are taken as 1e-6 and
    1 - 1e-6.
    """
    z = scores.logit(eps=1e-6).masked_fill(~mask, 0)
    behind = z[:, None, :] - z[:, :, None]
    pairs = (
        (gtscore[:, :, None] - gtscore[:, None, :] > margin) & mask[:, :, None] & mask[:, None, :]
    )
    costs = softplus(behind).masked_fill(~pairs, 0)
    return costs.sum(dim=(1, 2)) / pairs.sum(dim=(1, 2)).clamp(min=1)


class NotFinite(UserError):
    """The training of the head broke down: a loss or a score is NaN or infinite."""


class JudgedModule(L.LightningModule):
    """Has the scores of every judged part judged after an epoch. What is trained, and what gives
    scores, is a subclass's matter.
    """

    judged_every = 1
    """Epochs from one judging to the next."""

    def __init__(self, seed: int, metrics: Mapping[str, VideoScores] | None = None) -> None:
        """Take the metrics.

        Args:
            seed: of dropout.
            metrics: part -> metric, in the order of the validation loaders; None to train without
                judging.
        """
        super().__init__()
        self.seed = seed
        self.metrics = torch.nn.ModuleDict(_as_modules(metrics or {}))
        self.verdicts: dict[str, Verdict] = {}
        """Part -> what the latest judging found."""

    def trained(self) -> dict[str, Tensor]:
        """The weights that the training changes, by name."""
        raise NotImplementedError

    def on_train_epoch_start(self) -> None:
        """Dropout is a function of (seed, epoch, rank): a resumed run needs no generator state."""
        state = np.random.SeedSequence(
            [self.seed, self.current_epoch, self.global_rank]
        ).generate_state(2, np.uint32)
        torch.manual_seed((int(state[0]) << 32 | int(state[1])) >> 1)
        self.log("lr", self.optimizers().param_groups[0]["lr"])  # type: ignore[union-attr]

    def on_validation_epoch_end(self) -> None:
        """Gather from all ranks."""
        for part, metric in self._metrics():
            self.verdicts[part] = metric.verdict()
            metric.reset()

    def on_train_epoch_end(self) -> None:
        """Log what the judging found here, so that an epoch is one line of the logs."""
        for part, verdict in self.verdicts.items():
            self.log(f"{part}/loss", verdict.loss)
            for protocol, (tau, rho) in verdict.means.items():
                self.log_dict({f"{part}/{protocol}/tau": tau, f"{part}/{protocol}/rho": rho})

    def _metrics(self) -> list[tuple[str, VideoScores]]:
        return list(self.metrics.items())  # type: ignore[arg-type]


class LLMVSModule(JudgedModule):
    """AdamW on the mean over videos of `losses` (paper, section 3.4), the cosine stepping once per
    epoch.
    """

    def __init__(
        self,
        input_dim: int,
        head: HeadConfig,
        optim: OptimConfig,
        seed: int,
        metrics: Mapping[str, VideoScores] | None = None,
    ) -> None:
        """Initial weights and dropout depend on `seed` alone, not on the state of the random
        generators.

        Args:
            input_dim: D, the width of a step's embedding.
            head: the network's sizes.
            optim: how it is trained.
            seed: of initial weights and dropout.
            metrics: part -> metric, in the order of the validation loaders; None to train without
                judging.
        """
        super().__init__(seed, metrics)
        self.save_hyperparameters(
            {"input_dim": input_dim, "head": asdict(head), "optim": asdict(optim), "seed": seed}
        )
        self.optim = optim
        torch.manual_seed(seed)
        self.head = Head(input_dim, head)

    def trained(self) -> dict[str, Tensor]:
        """The head's weights."""
        return self.head.state_dict()

    def on_fit_start(self) -> None:
        """Every rank holds all training videos, so all standardize alike."""
        if isinstance(self.head.standardize, Standardize):
            self.head.standardize.fit(self.trainer.datamodule.parts["train"].embeddings)  # type: ignore[attr-defined]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; cosine from `lr` down to `min_lr` at epoch `t_max`. Past `t_max` it climbs back,
        as in the released recipe.
        """
        # Under mixed precision Lightning refuses to clip the gradients of a fused optimizer.
        fused = self.device.type in ("cpu", "cuda") and self.trainer.precision == "32-true"
        optimizer = torch.optim.AdamW(
            self.head.parameters(),
            lr=self.optim.lr,
            weight_decay=self.optim.weight_decay,
            fused=fused,
        )
        cosine = CosineAnnealingLR(
            optimizer, T_max=self.optim.t_max or self.optim.epochs, eta_min=self.optim.min_lr
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cosine, "interval": "epoch"}}

    def losses(self, batch: Batch) -> Tensor:
        """[B] loss of every video: `video_errors` plus `optim.ranking` times `video_rankings`."""
        scores = self.head(batch.embeddings, batch.mask)
        losses = video_errors(scores, batch.gtscore, batch.mask)
        if self.optim.ranking:
            losses = losses + self.optim.ranking * video_rankings(
                scores, batch.gtscore, batch.mask, self.optim.ranking_margin
            )
        return losses

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """This rank's part of the mean over the global batch.

        Raises:
            NotFinite: the loss is not a finite number.
        """
        losses = self.losses(batch)
        self._check(losses, "loss", "train", batch)
        loss = (losses * batch.weight).sum()
        self.log(
            "train/loss",
            loss,
            on_step=False,
            on_epoch=True,
            batch_size=batch.videos,
            sync_dist=self.trainer.world_size > 1,
        )
        return loss

    def _check(self, values: Tensor, what: str, part: str, batch: Batch) -> None:
        bad = (~torch.isfinite(values)).reshape(len(values), -1).any(dim=1)
        if bad.any():
            video = self.trainer.datamodule.parts[part].videos[int(batch.video[bad.cpu()][0])]  # type: ignore[attr-defined]
            raise NotFinite(
                f"the {what} became NaN or infinite in epoch {self.current_epoch}, optimizer step"
                f" {self.global_step}, at {video.key} ({video.name}): lower"
                f" optim.lr={self.optim.lr}, or train with precision=32-true"
            )

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score in fp32 whatever the precision of the training: 16-bit activations make scores that
        tie.

        Raises:
            NotFinite: a score is not a finite number.
        """
        with torch.autocast(self.device.type, enabled=False):
            scores = self.head(batch.embeddings, batch.mask)
        part, metric = self._metrics()[dataloader_idx]
        self._check(scores, "score", part, batch)
        metric.update(batch.video, scores)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another head or another training.

        Raises:
            UserError: names the settings that differ.
        """
        made_with = checkpoint["hyper_parameters"]
        # A setting that is newer than the checkpoint had its default's effect.
        made_with = made_with | {
            "head": asdict(HeadConfig()) | made_with["head"],
            "optim": asdict(OptimConfig()) | made_with["optim"],
        }
        changes = differences(dict(_flat(made_with)), dict(_flat(dict(self.hparams))))
        if changes:
            raise UserError(f"the checkpoint was made with {'; '.join(changes)}: {START_OVER}")


def _as_modules(metrics: Mapping[str, VideoScores]) -> dict[str, Metric]:
    return dict(metrics)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
