"""One step after the other: AdamW, a warm-up and a cosine, progress on stderr."""

import math
import time

import torch
from torch import Tensor, nn

from llmvs.console import say

_EVERY = 50


class Teacher:
    """Takes a loss, moves the weights of a module."""

    def __init__(self, name: str, module: nn.Module, steps: int, lr: float = 1.5e-3) -> None:
        """For `steps` steps; the learning rate warms up to `lr` and falls to nothing."""
        self.name, self.steps, self.lr, self.taken, self.shown, self.start = name, steps, lr, 0, math.nan, 0.0
        self.parameters = list(module.parameters())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=lr, weight_decay=0.03, betas=(0.9, 0.98))

    def step(self, loss: Tensor, shown: float | None = None) -> None:
        """One step down `loss`; `shown` is what the progress line averages (default: the loss)."""
        self.start = self.start or time.monotonic()
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * min(1.0, (self.taken + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * self.taken / self.steps)) + 1e-6
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.taken += 1
        value = float(loss.detach()) if shown is None else shown
        self.shown = value if math.isnan(self.shown) else 0.95 * self.shown + 0.05 * value
        if self.taken % _EVERY == 0 or self.taken == self.steps:
            left = (time.monotonic() - self.start) / self.taken * (self.steps - self.taken)
            say(f"{self.name}: {self.taken}/{self.steps}, loss {self.shown:.3f}, {left / 60:.0f} min to go")
