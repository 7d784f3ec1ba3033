"""Other papers' networks as aggregators: against loops over steps, by their size, alone and packed."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from llmvs.config.schema import HeadConfig, OptimConfig
from llmvs.models.aggregators import make_aggregator
from llmvs.models.aggregators.base import Aggregator
from llmvs.models.aggregators.csta import CSTA
from llmvs.models.aggregators.dot_product import DotProduct
from llmvs.models.aggregators.pglsum import PGLSUM
from llmvs.models.aggregators.vasnet import VASNet
from llmvs.models.datamodule import EmbeddingDataModule
from llmvs.models.head import Head
from llmvs.models.module import LLMVSModule
from llmvs.models.storage import load_head, save_head
from tests.toys import FOLD, make_cache, make_dataset, quiet_trainer

PEERS = ("vasnet", "pglsum", "csta")
M = 32


def draw(name: str, dropout: float = 0.0) -> Aggregator:
    torch.manual_seed(0)
    made = make_aggregator(HeadConfig(dim=M, aggregator=name, dropout=dropout))
    for parameter in made.parameters():  # norms and biases that show when they are left out
        if parameter.dim() == 1:
            torch.nn.init.uniform_(parameter, 0.2, 1.2)
    return made.eval()


def video(n_steps: int, seed: int = 3) -> Tensor:
    return torch.randn(n_steps, M, generator=torch.Generator().manual_seed(seed))


def array(tensor: Tensor) -> NDArray:
    return tensor.detach().double().numpy()


def softmax(row: NDArray) -> NDArray:
    powers = np.exp(row - row.max())
    return powers / powers.sum()


def norm(rows: NDArray, layer: torch.nn.LayerNorm) -> NDArray:
    centred = rows - rows.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return scaled * array(layer.weight) + array(layer.bias)


def place(t: int, column: int, n_steps: int) -> float:
    """PGL-SUM's absolute position by its formula."""
    if column >= 2 * (n_steps // 2):
        return 0.0
    angle = t / 10000 ** (2 * (column // 2) / M)
    return math.cos(angle) if column % 2 else math.sin(angle)


def by_loops(layer: DotProduct, rows: NDArray) -> tuple[NDArray, NDArray]:
    """The attention of one video step by step, and its weights' mean over heads."""
    q, k, v = (rows @ array(part.weight).T for part in (layer.query, layer.key, layer.value))
    n_steps, size = len(rows), q.shape[1] // layer.heads
    mixed, mean = np.zeros_like(q), np.zeros((n_steps, n_steps))
    for head in range(layer.heads):
        own = slice(head * size, (head + 1) * size)
        for t in range(n_steps):
            energies = np.array(
                [
                    layer.scale * float(q[t, own] @ k[i, own])
                    + (place(t, i, n_steps) if layer.positions else 0)
                    for i in range(n_steps)
                ]
            )
            weights = softmax(energies)
            mean[t] += weights / layer.heads
            for i in range(n_steps):
                mixed[t, own] += weights[i] * v[i, own]
    return mixed @ array(layer.out.weight).T, mean


@pytest.mark.parametrize("n_steps", [1, 2, 9])
def test_vasnet_equals_its_equations(n_steps: int) -> None:
    made, steps = draw("vasnet"), video(n_steps)
    assert isinstance(made, VASNet)
    assert (made.mix.heads, made.mix.scale, made.mix.positions) == (1, 0.06, False)
    mixed, weights = by_loops(made.mix, array(steps))
    np.testing.assert_allclose(
        array(made.aggregate(steps)), norm(array(steps) + mixed, made.norm), atol=1e-5
    )
    np.testing.assert_allclose(
        array(made.attention(steps)), (np.eye(n_steps) + weights) / 2, atol=1e-6
    )


@pytest.mark.parametrize("n_steps", [1, 2, 3, 5, 6, 9, 16])  # also fewer steps than parts
def test_pglsum_equals_its_equations(n_steps: int) -> None:
    made, steps = draw("pglsum"), video(n_steps)
    assert isinstance(made, PGLSUM)
    rows = array(steps)
    mixed, weights = by_loops(made.whole, rows)
    mixed = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    size, near = math.ceil(n_steps / 4), np.zeros((n_steps, n_steps))
    for number in range(4):
        own = slice(number * size, (number + 1) * size)
        if len(rows[own]):
            part = made.parts[number]
            assert isinstance(part, DotProduct)
            local, near[own, own] = by_loops(part, rows[own])
            mixed[own] += local / np.linalg.norm(local, axis=1, keepdims=True)
    np.testing.assert_allclose(
        array(made.aggregate(steps)), norm(rows + mixed, made.norm), atol=1e-5
    )
    want = (np.eye(n_steps) + (weights + near) / 2) / 2
    np.testing.assert_allclose(array(made.attention(steps)), want, atol=1e-6)


def convolved(layer: torch.nn.Conv2d, picture: NDArray) -> NDArray:
    """[C, H, W] -> [C', H', W'], stride 2, zeros around, pixel by pixel."""
    weight = array(layer.weight)
    reach = weight.shape[2] // 2
    wide = np.pad(picture, ((0, 0), (reach, reach), (reach, reach)))
    height, width = (-(-side // 2) for side in picture.shape[1:])
    found = np.zeros((len(weight), height, width))
    for y in range(height):
        for x in range(width):
            seen = wide[:, 2 * y : 2 * y + 2 * reach + 1, 2 * x : 2 * x + 2 * reach + 1]
            found[:, y, x] = np.einsum("ochw,chw->o", weight, seen)
    return found


def pooled(rows: NDArray, n: int) -> NDArray:
    """Means of n runs of rows, which may share rows (adaptive average pooling)."""
    edges = [(i * len(rows) // n, -(-(i + 1) * len(rows) // n)) for i in range(n)]
    return np.stack([rows[first:last].mean(axis=0) for first, last in edges])


@pytest.mark.parametrize("n_steps", [1, 2, 9, 20])
def test_csta_equals_its_equations(n_steps: int) -> None:
    made, steps = draw("csta"), video(n_steps)
    assert isinstance(made, CSTA)
    rows = np.concatenate([array(made.row)[None], array(steps)])
    keys = rows @ array(made.key.weight).T + array(made.key.bias)
    picture = keys[None]
    for layer, scale in ((made.cnn[i], made.cnn[i + 1]) for i in (0, 3, 6)):
        assert isinstance(layer, torch.nn.Conv2d)
        picture = convolved(layer, picture)
        picture = (picture - picture.mean()) / np.sqrt(picture.var() + 1e-5)
        shape = (-1, 1, 1)
        picture = picture * array(scale.weight).reshape(shape) + array(scale.bias).reshape(shape)
        picture = np.maximum(picture, 0)
    found = pooled(picture.mean(axis=2).T, len(rows)) + keys
    found = (found - found.mean()) / np.sqrt(found.var() + 1e-5)
    found = found * float(made.norm.weight.detach()) + float(made.norm.bias.detach())
    for t in range(len(rows)):
        for i in range(M // 2):
            angle = t / 10000 ** (i / (M // 2))
            found[t, i] += math.sin(angle)
            found[t, M // 2 + i] += math.cos(angle)
    over_time = np.stack([softmax(column) for column in found.T], axis=1)
    over_dimensions = np.stack([softmax(row) for row in found])
    values = rows @ array(made.value.weight).T + array(made.value.bias)
    want = pooled(values * (over_time + over_dimensions), n_steps)
    np.testing.assert_allclose(array(made.aggregate(steps)), want, atol=1e-5)
    assert made.attention(steps) is None


def test_their_sizes_follow_from_the_width() -> None:
    def size(name: str, width: int) -> int:
        with torch.device("meta"):
            made = make_aggregator(HeadConfig(dim=width, aggregator=name))
        return sum(parameter.numel() for parameter in made.parameters())

    for width in (16, 1024):
        assert size("vasnet", width) == 4 * width**2 + 2 * width
        assert size("pglsum", width) == 8 * width**2 + 2 * width
        cnn = (49 * 16 + 32) + (9 * 16 * 32 + 64) + (9 * 32 * width + 2 * width)
        assert size("csta", width) == 2 * (width**2 + width) + width + cnn + 2
    # With the two-layer regressor of the papers, their authors' networks of width 1024:
    regressor = 1024**2 + 3 * 1024 + 1024 + 1
    assert size("pglsum", 1024) + regressor == 9_443_329
    assert size("vasnet", 1024) + regressor == 5_249_025


@pytest.mark.parametrize("name", PEERS)
def test_two_videos_packed_are_each_alone(name: str) -> None:
    made, rows = draw(name), [video(n, seed=n) for n in (13, 1, 3, 40)]
    together = made(torch.cat(rows), torch.tensor([13, 1, 3, 40])).split([13, 1, 3, 40])
    for one, found in zip(rows, together, strict=True):
        torch.testing.assert_close(found, made(one, torch.tensor([len(one)])), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", PEERS)
def test_a_step_sees_the_others_of_its_video(name: str) -> None:
    made, steps = draw(name), video(12)
    changed = steps.clone()
    changed[11] += 3
    assert (made.aggregate(steps)[:11] - made.aggregate(changed)[:11]).abs().max() > 1e-4


@pytest.mark.parametrize("name", PEERS)
def test_gradients_reach_every_weight_and_are_finite(name: str) -> None:
    head = Head(12, HeadConfig(dim=M, aggregator=name, dropout=0.5)).train()
    rows = torch.randn(30, 12, generator=torch.Generator().manual_seed(1))
    for lengths in ([30], [1, 29], [2, 3, 25]):
        head.zero_grad()
        head(rows, torch.tensor(lengths)).square().sum().backward()
        for parameter_name, parameter in head.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.isfinite().all(), parameter_name


@pytest.mark.parametrize("name", PEERS)
def test_scores_under_autocast_are_near_those_without(name: str) -> None:
    torch.manual_seed(0)
    head, rows = Head(12, HeadConfig(dim=M, aggregator=name)).eval(), torch.randn(20, 12)
    exact = head(rows, torch.tensor([5, 15]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = head(rows, torch.tensor([5, 15]))
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.03, rtol=0)


@pytest.mark.parametrize("name", PEERS)
def test_a_saved_head_scores_alike(tmp_path: Path, name: str) -> None:
    head = Head(12, HeadConfig(dim=M, aggregator=name)).eval()
    save_head(tmp_path, head.state_dict(), head.input_dim, head.config)
    rows, lengths = torch.randn(9, 12), torch.tensor([2, 7])
    assert torch.equal(load_head(tmp_path)(rows, lengths), head(rows, lengths))


@pytest.mark.parametrize("name", PEERS)
def test_a_few_epochs_of_training_lower_the_loss(tmp_path: Path, name: str) -> None:
    dataset = make_dataset()
    data = EmbeddingDataModule(dataset, FOLD, make_cache(tmp_path, dataset), batch_videos=1)
    data.setup()
    config = HeadConfig(dim=M, aggregator=name, dropout=0.0)
    module = LLMVSModule(data.input_dim, config, OptimConfig(lr=1e-3, clip=1.0, epochs=8), seed=0)

    def loss() -> float:
        part = data.parts["train"]
        with torch.no_grad():
            return float(
                torch.cat([module.eval().losses(part[i]) for i in range(len(part))]).mean()
            )

    before = loss()
    module.train()
    trainer = quiet_trainer(tmp_path, max_epochs=8)
    trainer.fit(module, datamodule=data)
    assert loss() < 0.9 * before
