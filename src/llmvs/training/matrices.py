"""How exactly a GPU multiplies fp32 matrices while a head is trained."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

ROUNDED, EXACT = "high", "highest"
"""Torch's names: operands rounded to TF32 (10 bits of mantissa, more than 16-bit training keeps),
or whole fp32, which an H100 multiplies an order of magnitude slower.
"""


class Tf32(Callback):
    """Rounds the operands of fp32 matrix products to TF32 while a GPU trains; what scores are
    ranked by is multiplied in whole fp32, and other work of the process is left as it was.
    """

    def __init__(self) -> None:
        self._before = EXACT

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Remember what was set; every rank does."""
        self._before = torch.get_float32_matmul_precision()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Round."""
        self._set(trainer, ROUNDED)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Score exactly."""
        self._set(trainer, EXACT)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Go on training."""
        self._set(trainer, ROUNDED)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Set what was set before."""
        torch.set_float32_matmul_precision(self._before)

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """The same after an error."""
        torch.set_float32_matmul_precision(self._before)

    def _set(self, trainer: L.Trainer, how: str) -> None:
        if on_gpu(trainer):
            torch.set_float32_matmul_precision(how)


def on_gpu(trainer: Any) -> bool:
    """Whether it trains on a GPU of NVIDIA's."""
    found: bool = trainer.strategy.root_device.type == "cuda"
    return found
