"""The gradients of a batch on a GPU whose memory may not hold all of its videos at once.

They are computed inside the training step, before Lightning's backward pass, which only hands them
over: so a step can be done again without having touched a parameter's gradient, and without another
rank having been told of it.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from llmvs.errors import UserError
from llmvs.memory import exhausted
from llmvs.models.batch import Batch

logger = logging.getLogger(__name__)

Gradients = list[Tensor | None]
"""One per parameter; None where the loss does not depend on it."""


class InParts:
    """Differentiates a batch at once or, from the first that the memory did not hold, in parts.

    The gradients are the same but for rounding. Dropout draws other masks: a part's come before
    those of the next part, where the whole batch draws them layer by layer.
    """

    def __init__(self) -> None:
        """Begin with whole batches."""
        self.parts = 1
        """How many parts a batch is computed in; doubled where one does not fit."""

    def differentiate(
        self,
        batch: Batch,
        losses: Callable[[Batch], Tensor],
        parameters: Sequence[nn.Parameter],
        factor: Tensor,
    ) -> tuple[Tensor, Gradients]:
        """Compute what a batch costs, and how that changes with the parameters.

        Args:
            batch: some videos, with their weights.
            losses: gives one number per video of a batch.
            parameters: what is trained.
            factor: [] what every gradient is multiplied by, from the loss on.

        Returns:
            [B] the losses, and the gradients of their weighted sum.

        Raises:
            UserError: a single video does not fit.
        """
        before = self.parts
        while (found := self._attempt(batch, losses, parameters, factor)) is None:
            # Here nothing holds on to the failed attempt any more.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        if self.parts > before:
            logger.warning(
                "the GPU is out of memory: going on with the videos of a batch in %s parts, whose"
                " gradients are added up: the same training, more slowly",
                self.parts,
            )
        return found

    def _attempt(
        self,
        batch: Batch,
        losses: Callable[[Batch], Tensor],
        parameters: Sequence[nn.Parameter],
        factor: Tensor,
    ) -> tuple[Tensor, Gradients] | None:
        """None: a part does not fit, and the next attempt has smaller ones."""
        found: list[Tensor] = []
        total: Gradients = [None] * len(parameters)
        for part in batch.parts(self.parts):
            try:
                of_part = losses(part)
                gradients = _gradients((of_part * part.weight).sum(), parameters, factor)
                total = [_added(*pair) for pair in zip(total, gradients, strict=True)]
            except Exception as error:
                if not exhausted(error):
                    raise
                _refuse_single(part, error)
                self.parts *= 2
                return None
            found.append(of_part.detach())
        return torch.cat(found), total


def _gradients(loss: Tensor, parameters: Sequence[nn.Parameter], factor: Tensor) -> Gradients:
    # Every operation's backward has the type that autocast chose for it; it is not chosen again.
    with torch.autocast(loss.device.type, enabled=False):
        return list(torch.autograd.grad(loss, parameters, factor, allow_unused=True))


def _added(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    if total is None or more is None:
        return total if more is None else more
    return total.add_(more)


def _refuse_single(part: Batch, error: Exception) -> None:
    if len(part.keys) == 1:
        raise UserError(
            f"{part.keys[0]} ({part.names[0]}), {int(part.lengths[0])} steps: the GPU is out of"
            " memory with this video alone: reduce head.dim or head.feedforward, or set"
            " precision=bf16-mixed (or 16-mixed), or accelerator=cpu"
        ) from error


def takes_gradients(trainer: Trainer) -> bool:
    """Whether a trainer takes gradients as they are: it keeps them in the parameters, and does not
    look for them behind the loss.
    """
    strategy, wrapped = trainer.strategy, trainer.strategy.model
    looks = isinstance(wrapped, DistributedDataParallel) and (
        wrapped.find_unused_parameters or wrapped.static_graph
    )
    kept = isinstance(strategy, SingleDeviceStrategy | DDPStrategy)
    return kept and not looks and trainer.lightning_module.automatic_optimization


def factor_of_loss(trainer: Trainer, device: torch.device) -> Tensor:
    """[] what a trainer multiplies a loss by before its backward pass."""
    factor = torch.ones((), device=device) / trainer.accumulate_grad_batches
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return factor if scaler is None else scaler.scale(factor)


def hand_over(gradients: Gradients, parameters: Sequence[nn.Parameter], shared: bool) -> None:
    """Add gradients to those of the parameters, as a backward pass does.

    Args:
        gradients: of the parameters.
        parameters: what is trained.
        shared: whether several ranks average them: then by a backward pass, which
            `DistributedDataParallel` takes part in.
    """
    if shared:
        _Known.apply(gradients, *parameters).backward()  # type: ignore[no-untyped-call]
        return
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = _added(parameter.grad, gradient)


class _Known(torch.autograd.Function):
    """A number whose gradients are known."""

    @staticmethod
    def forward(ctx: Any, gradients: Gradients, *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients
        return parameters[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        return (None, *gradients)
