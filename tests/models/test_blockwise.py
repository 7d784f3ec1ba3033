"""Attention with dropout block by block: the same as with whole matrices, without keeping them."""

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from llmvs.config.schema import HeadConfig
from llmvs.models.aggregators import attention, blockwise, make_aggregator
from llmvs.models.aggregators.blockwise import blockwise_attention


def drawn(n_steps: int) -> tuple[list[Tensor], Tensor]:
    """Queries, keys and values of two heads, and a gradient."""
    torch.manual_seed(0)
    return [torch.randn(2, n_steps, 8, requires_grad=True) for _ in range(3)], torch.randn(
        2, n_steps, 8
    )


def gradients(mixed: Tensor, parts: list[Tensor], upper: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(mixed, parts, upper))


@pytest.mark.parametrize("n_steps", [1, 16, 17, 150])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_values_and_gradients_are_those_of_whole_matrices(
    n_steps: int, dropout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blockwise, "BLOCK_BYTES", 1)  # blocks of 16 queries
    (q, k, v), upper = drawn(n_steps)
    torch.manual_seed(5)
    mixed = blockwise_attention(q, k, v, dropout)
    found = gradients(mixed, [q, k, v], upper)

    torch.manual_seed(5)
    seed = int(torch.randint(1 << 62, (1,)).item())
    blocks = blockwise._Kept(q, k, dropout, seed)
    mask = torch.cat([blocks.mask(rows) for rows in blocks.blocks()], dim=1)
    assert mask.shape == (2, n_steps, n_steps)
    whole = (torch.softmax(q @ k.mT / 8**0.5, dim=-1) * mask / (1 - dropout)) @ v
    torch.testing.assert_close(mixed, whole, rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(found, gradients(whole, [q, k, v], upper), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_as_many_weights_are_dropped_as_asked_and_others_each_time() -> None:
    (q, k, _), _ = drawn(400)
    first, second = (blockwise._Kept(q, k, 0.25, seed).mask(slice(0, 400)) for seed in (1, 2))
    assert first.mean().item() == pytest.approx(0.75, abs=0.005)
    assert (first != second).float().mean().item() == pytest.approx(2 * 0.25 * 0.75, abs=0.01)


def test_a_long_video_keeps_no_square_and_is_the_same_after_the_same_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attention, "AT_ONCE", 300)
    layers = make_aggregator(HeadConfig(dim=16, feedforward=16, layers=2, heads=2, dropout=0.5))

    def run(sizes: list[int]) -> tuple[Tensor, int]:
        kept: list[int] = []
        torch.manual_seed(1)
        steps = torch.randn(sum(sizes), 16)

        def note(one: Tensor) -> Tensor:
            kept.append(one.numel())
            return one

        with saved_tensors_hooks(note, lambda one: one):
            return layers(steps, torch.tensor(sizes)), max(kept)

    once, largest = run([400, 5])
    assert largest <= 405 * 16 * 3
    assert torch.equal(once, run([400, 5])[0])
    assert run([300])[1] == 2 * 300 * 300  # below the limit the whole matrix is kept
    layers.eval()
    monkeypatch.setattr(attention, "AT_ONCE", 10**6)
    quiet = layers(torch.ones(400, 16), torch.tensor([400]))
    monkeypatch.setattr(attention, "AT_ONCE", 1)
    assert torch.equal(quiet, layers(torch.ones(400, 16), torch.tensor([400])))
