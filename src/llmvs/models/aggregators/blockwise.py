"""Attention with dropout in memory that grows with the steps, not with their square.

PyTorch's kernels do this on a GPU, and on a CPU without dropout; with dropout its CPU path keeps
several [T, T] matrices until the backward pass. Here a block of queries at a time sees all keys,
and the backward pass computes every block again (Rabe and Staats, Self-attention Does Not Need
O(n^2) Memory, 2021), with the same dropout from the same seed.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK_BYTES = 1 << 24
"""Size of one block's weights [H, block, T]: what a core's cache does not lose at once."""


def blockwise_attention(q: Tensor, k: Tensor, v: Tensor, dropout: float) -> Tensor:
    """Attend over one video, as `scaled_dot_product_attention` does.

    Args:
        q: [H, T, M / H] queries.
        k: keys, of the same shape.
        v: values, of the same shape.
        dropout: probability with which an attention weight is dropped; drawn from a seed that
            torch's global generator gives.

    Returns:
        [H, T, M / H].
    """
    seed = int(torch.randint(1 << 62, (1,)).item())
    mixed: Tensor = _Blockwise.apply(q, k, v, dropout, seed)  # type: ignore[no-untyped-call]
    return mixed


class _Blockwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, dropout: float, seed: int) -> Tensor:
        mixed = torch.empty_like(v)
        kept = _Kept(q, k, dropout, seed)
        for rows in kept.blocks():
            mixed[:, rows] = kept.weights(rows).mul_(kept.mask(rows)).to(v.dtype) @ v
        mixed /= 1 - dropout
        ctx.save_for_backward(q, k, v, mixed)
        ctx.dropout, ctx.seed = dropout, seed
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, mixed = ctx.saved_tensors
        (grad,) = gradients
        scale = q.shape[-1] ** -0.5
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        # What the weights of a row, each times its gradient, sum to: [H, T, 1].
        along = (grad.float() * mixed.float()).sum(dim=-1, keepdim=True)
        grad = grad / (1 - ctx.dropout)
        kept = _Kept(q, k, ctx.dropout, ctx.seed)
        for rows in kept.blocks():
            weights, mask, upper = kept.weights(rows), kept.mask(rows), grad[:, rows]
            grad_v += (weights * mask).to(v.dtype).mT @ upper
            inner = (upper @ v.mT).float().mul_(mask).sub_(along[:, rows])
            scores = inner.mul_(weights).mul_(scale).to(q.dtype)
            grad_q[:, rows] = scores @ k
            grad_k += scores.mT @ q[:, rows]
        return grad_q, grad_k, grad_v, None, None


class _Kept:
    """The blocks of one pass, the same in both directions."""

    def __init__(self, q: Tensor, k: Tensor, dropout: float, seed: int) -> None:
        self.q, self.k, self.dropout = q, k, dropout
        self.generator = torch.Generator(q.device).manual_seed(seed)

    def blocks(self) -> list[slice]:
        """Rows of queries, in order."""
        n_heads, n_steps, _ = self.q.shape
        size = max(16, BLOCK_BYTES // (4 * n_heads * n_steps))
        return [slice(start, start + size) for start in range(0, n_steps, size)]

    def weights(self, rows: slice) -> Tensor:
        """float32 [H, block, T], rows that sum to 1."""
        scores = (self.q[:, rows] * self.q.shape[-1] ** -0.5) @ self.k.mT
        return torch.softmax(scores.float(), dim=-1)

    def mask(self, rows: slice) -> Tensor:
        """float32 [H, block, T], 0 where a weight is dropped, else 1: the next block's, since the
        generator goes on from block to block.
        """
        n_heads, n_steps, _ = self.q.shape
        n_rows = len(range(*rows.indices(n_steps)))
        drawn = torch.empty(n_heads, n_rows, n_steps, device=self.q.device)
        return drawn.bernoulli_(1 - self.dropout, generator=self.generator)
