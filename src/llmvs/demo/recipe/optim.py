"""One step after the other: Muon and AdamW, a warm-up and a cosine, progress on stderr."""

import ctypes
import logging
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

logger = logging.getLogger(__name__)


_EVERY = 50


def keep_memory() -> None:
    """Have the C library keep what is freed for the next step: fresh pages cost a fifth of the time
    on a CPU (glibc only).
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


class Muon(torch.optim.Optimizer):
    """Momentum whose every matrix is made orthogonal before it is taken (Jordan et al. 2024),
    scaled to AdamW's length.

    As `torch.optim.Muon`, but in 32 bits, which CPUs multiply several times faster than the 16 it
    is bound to, and with matrices of one shape in one go.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move all matrices that have a gradient."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike[matrix.shape].append(matrix)
            for shape, matrices in alike.items():
                moved = []
                for matrix in matrices:
                    past = (
                        self.state[matrix]
                        .setdefault("past", torch.zeros_like(matrix))
                        .mul_(0.95)
                        .add_(matrix.grad)
                    )
                    moved.append(matrix.grad.add(past, alpha=0.95))  # type: ignore[union-attr]
                for matrix, step in zip(matrices, orthogonal(torch.stack(moved)), strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).add_(
                        step, alpha=-0.2 * group["lr"] * math.sqrt(max(shape))
                    )


def orthogonal(matrices: Tensor) -> Tensor:
    """[N, R, C] with all singular values near 1: five Newton-Schulz steps."""
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return x.mT if tall else x


class Teacher:
    """Takes a loss, moves the weights of a module: the matrices of its layers by Muon, all else by
    AdamW.
    """

    def __init__(self, name: str, module: nn.Module, steps: int, lr: float = 3e-3) -> None:
        """For `steps` steps; the learning rate warms up to `lr` and falls to nothing."""
        self.name, self.steps, self.lr, self.taken, self.shown, self.start = (
            name,
            steps,
            lr,
            0,
            math.nan,
            0.0,
        )
        self.parameters = list(module.parameters())
        inner = [
            value
            for name, value in module.named_parameters()
            if ".layers." in name and value.ndim == 2
        ]
        known = {id(value) for value in inner}
        self.optimizers = (
            Muon(inner, lr, 0.03),
            torch.optim.AdamW(
                [value for value in self.parameters if id(value) not in known],
                lr=lr,
                weight_decay=0.03,
                betas=(0.9, 0.98),
            ),
        )

    def step(self, loss: Tensor, shown: float | None = None) -> None:
        """One step down `loss`; `shown` is what the progress line averages (default: the loss)."""
        self.start = self.start or time.monotonic()
        lr = (
            self.lr
            * min(1.0, (self.taken + 1) / 50)
            * (0.5 + 0.5 * math.cos(math.pi * self.taken / self.steps))
            + 1e-6
        )
        for optimizer in self.optimizers:
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = lr
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.taken += 1
        value = float(loss.detach()) if shown is None else shown
        self.shown = value if math.isnan(self.shown) else 0.95 * self.shown + 0.05 * value
        if self.taken % _EVERY == 0 or self.taken == self.steps:
            left = (time.monotonic() - self.start) / self.taken * (self.steps - self.taken)
            logger.info(
                "%s: %d/%d, loss %.3f, %.0f min to go",
                self.name,
                self.taken,
                self.steps,
                self.shown,
                left / 60,
            )
