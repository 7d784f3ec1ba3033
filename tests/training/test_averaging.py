"""The mean of the last epochs' weights: right, evaluated, resumed exactly, the same on two ranks."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.load import load_config
from llmvs.config.schema import HeadConfig, OptimConfig
from llmvs.errors import UserError
from llmvs.models.datamodule import EmbeddingDataModule
from llmvs.models.module import LLMVSModule
from llmvs.models.storage import load_head
from llmvs.training.fit import fit
from tests.toys import FOLD, embed, make_cache, make_config, make_dataset, quiet_trainer
from tests.training.test_fit import assert_same, interrupted, weights

DATASET = make_dataset()
AVERAGED = OptimConfig(lr=3e-3, epochs=4, batch_videos=3, clip=1.0, average=3)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingCache:
    torch.set_num_threads(1)
    return make_cache(tmp_path_factory.mktemp("cache"), DATASET)


def test_what_is_kept_and_evaluated_is_the_mean_of_the_last_epochs(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    original = LLMVSModule.on_train_batch_end

    def note(self: LLMVSModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx + 1 == self.trainer.num_training_batches:
            seen.append({name: value.clone() for name, value in self.head.state_dict().items()})
        original(self, outputs, batch, batch_idx)

    monkeypatch.setattr(LLMVSModule, "on_train_batch_end", note)
    plain = fit(make_config(selection="last"), DATASET, FOLD, cache, tmp_path / "plain")
    own = seen.copy()
    seen.clear()
    config = make_config(selection="last", optim=AVERAGED)
    found = fit(config, DATASET, FOLD, cache, tmp_path / "mean")
    for a, b in zip(own, seen, strict=True):  # the training itself is the same
        assert all(torch.equal(a[name], b[name]) for name in a)
    kept = weights(tmp_path / "mean")
    for name, value in kept.items():
        wanted = torch.stack([epoch[name] for epoch in own[1:]]).double().mean(0)
        torch.testing.assert_close(value.double(), wanted, atol=1e-7, rtol=1e-5)
    head = load_head(tmp_path / "mean")
    for key, scores in found.selected.scores.items():
        made = embed(DATASET.annotations[key])
        with torch.inference_mode():
            again = head(torch.maximum(made.q.float(), made.a.float()), torch.tensor([len(scores)]))
        assert np.array_equal(again.numpy(), scores)
    assert found.history[0]["val/loss"] == plain.history[0]["val/loss"]
    assert found.history[3]["val/loss"] != plain.history[3]["val/loss"]


@pytest.mark.parametrize("selection", ["val", "last"])
def test_resume_gives_the_same_bits(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: str
) -> None:
    config = make_config(selection=selection, optim=AVERAGED)
    whole = fit(config, DATASET, FOLD, cache, tmp_path / "whole")
    for epoch in (1, 2, 3):
        folder = tmp_path / str(epoch)
        interrupted(monkeypatch, epoch, config, cache, folder)
        found = fit(config, DATASET, FOLD, cache, folder)
        assert found.started_at == epoch
        assert_same(folder, tmp_path / "whole")
        np.testing.assert_equal(asdict(found)["epochs"], asdict(whole)["epochs"])
    again = LLMVSModule.load_from_checkpoint(tmp_path / "whole" / "last.ckpt", weights_only=True)
    if selection == "last":
        kept = weights(tmp_path / "whole")
        assert all(torch.equal(kept[name], value) for name, value in again.trained().items())


def test_a_plain_trainer_ends_with_the_mean(cache: EmbeddingCache, tmp_path: Path) -> None:
    module = LLMVSModule(optim=AVERAGED, head={"dim": 64, "feedforward": 32, "layers": 1})
    data = EmbeddingDataModule(DATASET, FOLD, cache, batch_videos=3)
    trainer = quiet_trainer(tmp_path, max_epochs=4, use_distributed_sampler=False)
    trainer.fit(module, datamodule=data)
    assert module.mean.count == 3
    mean = module.mean.weights
    assert all(torch.equal(mean[name], value) for name, value in module.head.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["optim.average=13"], "optim.average=13: must be at most optim.epochs=12"),
        (
            ["optim.average=2", "trainer.callbacks=[early_stopping]"],
            "optim.average=2: cannot be used with trainer.callbacks=early_stopping",
        ),
        (
            ["selection=inner", "trainer.max_steps=9"],
            "selection=inner: cannot be used with trainer.max_steps",
        ),
        (["optim.average=2", "selection_looks=2"], "selection_looks=2: must be 1 with"),
    ],
)
def test_what_does_not_go_together_is_one_line(settings: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        load_config(["summe", "small_head", *settings])


@pytest.mark.slow
def test_two_ranks_average_like_one(cache: EmbeddingCache, tmp_path: Path) -> None:
    head = HeadConfig(dim=64, feedforward=32, layers=1, dropout=0.0)
    config = make_config(head=head, selection="last", optim=AVERAGED)
    fit(config, DATASET, FOLD, cache, tmp_path / "one")
    fit(replace(config, devices=2), DATASET, FOLD, cache, tmp_path / "two")
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name, value in one.items():
        if name.endswith("in_proj_bias"):  # keys' biases have no gradient but rounding
            value[64:128] = two[name][64:128]
        torch.testing.assert_close(two[name], value, atol=1e-5, rtol=1e-4)
