"""A GPU rounds the operands of fp32 products in training only; a CPU never does."""

from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch

from llmvs.training.matrices import Tf32
from llmvs.training.trainer import make_trainer
from tests.toys import make_config


def how() -> str:
    return torch.get_float32_matmul_precision()


@pytest.mark.parametrize(("device", "rounded"), [("cuda", "high"), ("cpu", "highest")])
def test_scores_are_multiplied_exactly(device: str, rounded: str) -> None:
    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device(device)))
    module = L.LightningModule()
    callback = Tf32()
    callback.setup(trainer, module, "fit")
    callback.on_train_start(trainer, module)
    assert how() == rounded
    callback.on_validation_start(trainer, module)
    assert how() == "highest"
    callback.on_validation_end(trainer, module)
    assert how() == rounded
    callback.on_exception(trainer, module, RuntimeError())
    assert how() == "highest"
    callback.on_train_start(trainer, module)
    callback.teardown(trainer, module, "fit")
    assert how() == "highest"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, True), ({"tf32": False}, False), ({"precision": "bf16-mixed"}, False)],
)
def test_it_is_a_setting(changes: dict[str, Any], expected: bool, tmp_path: Any) -> None:
    trainer = make_trainer(make_config(**changes), 1, tmp_path, [], [])
    assert any(isinstance(one, Tf32) for one in trainer.callbacks) is expected
