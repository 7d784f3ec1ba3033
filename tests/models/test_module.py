"""The loss, the gradients of shared batches, the schedule, and what a checkpoint must agree with."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from llmvs.config.schema import HeadConfig, OptimConfig
from llmvs.errors import UserError
from llmvs.models.batch import GlobalBatches, Share
from llmvs.models.datamodule import EmbeddingDataModule
from llmvs.models.losses import ranking, squared_error
from llmvs.models.module import LLMVSModule
from tests.toys import FOLD, WIDTH, make_cache, make_dataset

HEAD = HeadConfig(dim=64, feedforward=32, layers=2, dropout=0.0)
LOSSES = [OptimConfig(), OptimConfig(ranking=0.5)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingDataModule:
    dataset = make_dataset()
    module = EmbeddingDataModule(
        dataset, FOLD, make_cache(tmp_path_factory.mktemp("cache"), dataset), batch_videos=4
    )
    module.setup()
    return module


def gradients(module: LLMVSModule) -> dict[str, Tensor]:
    found = {
        name: parameter.grad.clone()
        for name, parameter in module.head.named_parameters()
        if parameter.grad is not None
    }
    module.zero_grad()
    return found


def share_gradients(
    module: LLMVSModule, data: EmbeddingDataModule, share: Share
) -> dict[str, Tensor]:
    batch = data.parts["train"][share]
    (module.losses(batch) * batch.weight).sum().backward()
    return gradients(module)


def one_by_one(
    module: LLMVSModule, data: EmbeddingDataModule, which: list[int]
) -> dict[str, Tensor]:
    """The released code's way: a video at a time without padding, gradients accumulated."""
    for i in which:
        part = data.parts["train"]
        gtscore, length = part.gtscores[i], torch.tensor([len(part.gtscores[i])])
        scores = module.head(part.embeddings[i].float(), length)
        loss = torch.nn.functional.mse_loss(scores, gtscore)
        if module.optim.ranking:
            loss = (
                loss
                + module.optim.ranking * ranking(scores, gtscore, length, module.optim).squeeze()
            )
        (loss / len(which)).backward()
    return gradients(module)


def assert_close(found: dict[str, Tensor], want: dict[str, Tensor]) -> None:
    assert found.keys() == want.keys()
    size = torch.cat([value.flatten() for value in want.values()]).norm()
    difference = torch.cat([(found[name] - want[name]).flatten() for name in want]).norm()
    assert difference / size < 1e-5


def test_the_error_of_a_video_is_over_its_own_steps() -> None:
    scores, lengths = torch.tensor([0.5, 1.0, 0.0, 0.0, 0.3]), torch.tensor([2, 3])
    found = squared_error(scores, torch.zeros(5), lengths, OptimConfig())
    torch.testing.assert_close(found, torch.tensor([0.625, 0.03]))


def brute_force(scores: NDArray, gtscore: NDArray, margin: float) -> float:
    """The ranking loss of one video [T] as its definition reads, in float64."""
    costs = []
    for s_i, g_i in zip(scores, gtscore, strict=True):
        for s_j, g_j in zip(scores, gtscore, strict=True):
            if g_i - g_j > margin:
                costs.append(np.log1p((s_j / (1 - s_j)) / (s_i / (1 - s_i))))
    return float(np.mean(costs)) if costs else 0.0


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.5])
def test_the_ranking_loss_and_its_gradient_equal_a_brute_force(margin: float) -> None:
    rng = np.random.default_rng(5)
    lengths = (9, 4, 1, 6)
    scores = torch.from_numpy(rng.uniform(0.02, 0.98, 20)).requires_grad_()
    gtscore = torch.from_numpy(rng.integers(0, 16, 20) / 15)  # ties, as with 15 annotators
    gtscore[-6:] = 0.4  # a video without a pair
    found = ranking(scores, gtscore, torch.tensor(lengths), OptimConfig(ranking_margin=margin))
    [gradients] = torch.autograd.grad(found.sum(), scores)
    split = (value.split(lengths) for value in (scores.detach(), gtscore, gradients))
    for row, (video, truth, gradient) in enumerate(zip(*split, strict=True)):
        s, g = video.numpy(), truth.numpy()
        assert found[row].item() == pytest.approx(brute_force(s, g, margin), abs=1e-12)
        slopes = [
            (brute_force(s + step, g, margin) - brute_force(s - step, g, margin)) / 2e-6
            for step in 1e-6 * np.eye(len(s))
        ]
        np.testing.assert_allclose(gradient, slopes, atol=1e-7)
    assert found[2] == found[3] == 0


def test_the_ranking_loss_of_a_pair_by_hand() -> None:
    def loss(first: float, second: float, margin: float = 0.0) -> float:
        scores, gtscore = torch.tensor([first, second]), torch.tensor([0.8, 0.5])
        settings = OptimConfig(ranking_margin=margin)
        return ranking(scores, gtscore, torch.tensor([2]), settings).item()

    assert loss(0.5, 0.5) == pytest.approx(np.log(2))
    assert loss(0.75, 0.5) == pytest.approx(np.log(1 + 1 / 3))  # odds 3 against 1
    assert loss(0.5, 0.75) == pytest.approx(np.log(1 + 3))
    assert loss(0.1, 0.9, margin=0.31) == 0
    assert loss(1.0, 0.0) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(loss(0.0, 1.0))


@pytest.mark.parametrize("optim", LOSSES, ids=["errors", "rankings"])
def test_a_packed_batch_has_the_gradients_of_its_videos_one_by_one(
    data: EmbeddingDataModule, optim: OptimConfig
) -> None:
    module = LLMVSModule(WIDTH, HEAD, optim, seed=0).train()
    [first, second] = GlobalBatches(len(FOLD.train), 4, seed=0)
    for share in (first, second):
        assert_close(share_gradients(module, data, share), one_by_one(module, data, share.which))


@pytest.mark.parametrize("optim", LOSSES, ids=["errors", "rankings"])
@pytest.mark.parametrize("world_size", [2, 3, 8])
def test_the_average_over_ranks_is_the_gradient_of_one_rank(
    data: EmbeddingDataModule, world_size: int, optim: OptimConfig
) -> None:
    module = LLMVSModule(WIDTH, HEAD, optim, seed=0).train()
    steps = zip(
        *(GlobalBatches(len(FOLD.train), 4, 0, rank, world_size) for rank in range(world_size)),
        strict=True,
    )
    for whole, shares in zip(GlobalBatches(len(FOLD.train), 4, 0), steps, strict=True):
        ranks = [share_gradients(module, data, share) for share in shares]
        mean = {name: torch.stack([rank[name] for rank in ranks]).mean(dim=0) for name in ranks[0]}
        assert_close(mean, share_gradients(module, data, whole))


def test_initial_weights_depend_on_the_seed_alone() -> None:
    def draw(seed: int) -> dict[str, Tensor]:
        torch.rand(3)
        return LLMVSModule(WIDTH, HEAD, OptimConfig(), seed).head.state_dict()

    first, again, other = draw(1), draw(1), draw(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["project.0.weight"], other["project.0.weight"])


def test_hyperparameters_are_plain_values() -> None:
    module = LLMVSModule(WIDTH, HEAD, OptimConfig(), seed=3)
    assert dict(module.hparams) == {
        "input_dim": WIDTH,
        "head": asdict(HEAD),
        "optim": asdict(OptimConfig()),
        "seed": 3,
    }
    assert type(module.hparams["head"]) is dict


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            LLMVSModule(
                WIDTH, HeadConfig(dim=32, feedforward=32, layers=2, dropout=0.0), OptimConfig(), 0
            ),
            r"head.dim=64 \(expected 32\)",
        ),
        (LLMVSModule(7, HEAD, OptimConfig(), 0), r"input_dim=12 \(expected 7\)"),
        (LLMVSModule(WIDTH, HEAD, OptimConfig(lr=1.0), 0), r"optim.lr=0.000119 \(expected 1.0\)"),
        (LLMVSModule(WIDTH, HEAD, OptimConfig(), 5), r"seed=0 \(expected 5\)"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(changed: LLMVSModule, says: str) -> None:
    module = LLMVSModule(WIDTH, HEAD, OptimConfig(), 0)
    checkpoint = {"hyper_parameters": dict(module.hparams)}
    module.refuse_other_training(checkpoint)
    with pytest.raises(UserError, match=f"made with {says}: start over") as caught:
        changed.refuse_other_training(checkpoint)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_older_than_a_setting_goes_on_with_its_default() -> None:
    module = LLMVSModule(WIDTH, HEAD, OptimConfig(), 0)
    older = asdict(HEAD)
    del older["positions"]
    checkpoint = {"hyper_parameters": {**module.hparams, "head": older}}
    module.refuse_other_training(checkpoint)
    placed = LLMVSModule(WIDTH, replace(HEAD, positions="sinusoidal"), OptimConfig(), 0)
    with pytest.raises(UserError, match=r"head.positions=none \(expected sinusoidal\)"):
        placed.refuse_other_training(checkpoint)
