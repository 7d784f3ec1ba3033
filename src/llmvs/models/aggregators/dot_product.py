"""Dot-product attention as VASNet and PGL-SUM have it: no biases, a scale of their own."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from llmvs.models.positions import pairwise_sinusoids


class DotProduct(nn.Module):
    """Mix the steps of one video by how their projections match: 4 M W weights."""

    def __init__(
        self, dim: int, width: int, heads: int, scale: float, dropout: float, positions: bool
    ) -> None:
        """Queries, keys, values and output, each one matrix for all heads.

        Args:
            dim: M, the width of a step.
            width: W of queries, keys and values, over all heads.
            heads: that share W evenly.
            scale: what a query's product with a key is multiplied by.
            dropout: probability with which an attention weight is dropped.
            positions: whether the place of a step is added to the products
                (`pairwise_sinusoids`).
        """
        super().__init__()
        self.dim, self.heads, self.scale = dim, heads, scale
        self.dropout, self.positions = dropout, positions
        self.query = nn.Linear(dim, width, bias=False)
        self.key = nn.Linear(dim, width, bias=False)
        self.value = nn.Linear(dim, width, bias=False)
        self.out = nn.Linear(width, dim, bias=False)

    def forward(self, video: Tensor) -> Tensor:
        """[T, M] -> [T, M]."""
        q, k, v = (self._by_head(part(video)) for part in (self.query, self.key, self.value))
        mixed = scaled_dot_product_attention(
            q[None],
            k[None],
            v[None],
            attn_mask=self._places(q),
            dropout_p=self.dropout if self.training else 0.0,
            scale=self.scale,
        )
        found: Tensor = self.out(mixed[0].transpose(0, 1).flatten(1))
        return found

    def weights(self, video: Tensor) -> Tensor:
        """The attention weights of one video, [T, M] -> [T, T], the mean over heads."""
        q, k = self._by_head(self.query(video)), self._by_head(self.key(video))
        places = self._places(q)
        total = torch.zeros(len(video), len(video), device=video.device)
        for one_q, one_k in zip(q, k, strict=True):  # one head's at a time
            energies = one_q @ one_k.T * self.scale
            total += torch.softmax(energies if places is None else energies + places, dim=-1)
        return total / self.heads

    def _by_head(self, steps: Tensor) -> Tensor:
        """[T, W] -> [H, T, W / H]."""
        return steps.unflatten(1, (self.heads, -1)).transpose(0, 1)

    def _places(self, q: Tensor) -> Tensor | None:
        """[T, T] in the queries' number format."""
        if not self.positions:
            return None
        return pairwise_sinusoids(q.shape[1], self.dim, q.device).to(q.dtype)
