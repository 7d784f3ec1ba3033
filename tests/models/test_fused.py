"""The optimizer is fused in every precision, clipped or not, and does what an unfused one does."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor

from llmvs import EmbeddingDataModule, LLMVSModule
from tests.toys import FOLD, WIDTH, assert_same_weights, make_cache, make_dataset, quiet_trainer

DATASET = make_dataset()
HEAD = {"dim": 32, "feedforward": 32, "layers": 1, "dropout": 0.0}
OPTIM = {"lr": 3e-3, "epochs": 3}


class Unfused(LLMVSModule):
    """The same with PyTorch's plain AdamW."""

    def configure_optimizers(self) -> Any:
        made: Any = super().configure_optimizers()
        for group in made["optimizer"].param_groups:
            group["fused"] = False
        made["optimizer"]._step_supports_amp_scaling = False
        return made


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def train(
    module: LLMVSModule, precision: Any, clip: float | None, scale: float, place: Path
) -> tuple[dict[str, Tensor], Any]:
    """The weights after two epochs, and the optimizer."""
    settings: dict[str, Any] = {}
    if precision != "32-true":
        scaler = torch.amp.GradScaler("cpu", init_scale=scale) if precision[0] == "1" else None
        settings["plugins"] = [MixedPrecision(precision, "cpu", scaler)]
    trainer = quiet_trainer(place, gradient_clip_val=clip, **settings)
    cache = make_cache(place / "cache", DATASET)
    trainer.fit(module, EmbeddingDataModule(DATASET, FOLD, cache, batch_videos=3))
    return {n: v.clone() for n, v in module.trained().items()}, trainer.optimizers[0]


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_fused_whatever_the_precision(precision: str, clip: float | None, tmp_path: Path) -> None:
    fused, optimizer = train(
        LLMVSModule(WIDTH, HEAD, OPTIM, seed=1), precision, clip, 2.0**10, tmp_path
    )
    assert all(group["fused"] for group in optimizer.param_groups)
    plain, _ = train(Unfused(WIDTH, HEAD, OPTIM, seed=1), precision, clip, 2.0**10, tmp_path)
    assert_same_weights(fused, plain)


@pytest.mark.parametrize("clip", [None, 0.05])
def test_a_step_that_overflows_fp16_is_left_out(clip: float | None, tmp_path: Path) -> None:
    module = LLMVSModule(WIDTH, HEAD, OPTIM, seed=1)
    before = {name: value.clone() for name, value in module.trained().items()}
    after, optimizer = train(module, "16-mixed", clip, 2.0**120, tmp_path)
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(group["fused"] for group in optimizer.param_groups)
