"""Self-attention over the steps of a video (paper, section 3.3): post-norm transformer layers."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from llmvs.config.schema import HeadConfig
from llmvs.models.aggregators.base import Aggregator


class Attention(Aggregator):
    """`head.layers` transformer layers, whose weights have the names that
    `torch.nn.TransformerEncoder` gives them.
    """

    def __init__(self, config: HeadConfig) -> None:
        """Draw one layer and copy it, as PyTorch's encoder does."""
        super().__init__(config)
        layer = PackedLayer(config.dim, config.heads, config.feedforward, config.dropout)
        self.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(config.layers))

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """[N, M] -> [N, M]."""
        for layer in self.layers:
            steps = layer(steps, lengths)
        return steps


class PackedLayer(nn.TransformerEncoderLayer):
    """PyTorch's layer, computed on packed steps: only the attention goes video by video."""

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        """[N, M] -> [N, M]."""
        steps = self.norm1(steps + self.dropout1(self._attend(steps, lengths)))
        inner = self.dropout(self.activation(self.linear1(steps)))
        return self.norm2(steps + self.dropout2(self.linear2(inner)))

    def _attend(self, steps: Tensor, lengths: Tensor) -> Tensor:
        own = self.self_attn
        projected = linear(steps, own.in_proj_weight, own.in_proj_bias)
        q, k, v = projected.view(len(steps), 3, own.num_heads, own.head_dim).unbind(1)
        mixed = attend(q, k, v, lengths, own.dropout if self.training else 0.0)
        return own.out_proj(mixed.flatten(1))


def attend(q: Tensor, k: Tensor, v: Tensor, lengths: Tensor, dropout: float) -> Tensor:
    """Attend within every video: the one place where a kernel for packed sequences would go.

    Args:
        q: [N, H, M / H] queries of the packed steps, by attention head.
        k: keys, of the same shape.
        v: values, of the same shape.
        lengths: int64 [B] steps of every video.
        dropout: probability with which an attention weight is dropped.

    Returns:
        [N, H, M / H].
    """
    sizes = lengths.tolist()
    mixed = []
    for video in zip(q.split(sizes), k.split(sizes), v.split(sizes), strict=True):
        one_q, one_k, one_v = (part.transpose(0, 1)[None] for part in video)  # [1, H, T, M / H]
        one = scaled_dot_product_attention(one_q, one_k, one_v, dropout_p=dropout)
        mixed.append(one[0].transpose(0, 1))
    return torch.cat(mixed)
