"""Self-attention over the steps of a video (paper, section 3.3): post-norm transformer layers."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from llmvs.config.schema import HeadConfig
from llmvs.models.aggregators.base import Aggregator
from llmvs.models.aggregators.blockwise import blockwise_attention

AT_ONCE = 1_500
"""Steps of a video up to which a CPU keeps whole [T, T] matrices for dropout: faster there."""


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

    def attention(self, video: Tensor) -> Tensor:
        """Follow attention through all layers (attention rollout; Abnar and Zuidema, Quantifying
        Attention Flow in Transformers, ACL 2020): every layer passes half of a step on as it is,
        and mixes the other half by its attention, the mean over heads.

        Returns:
            [T, T] rows that sum to 1.
        """
        lengths = torch.tensor([len(video)])
        flow = torch.eye(len(video), device=video.device)
        for layer in self.layers:
            assert isinstance(layer, PackedLayer)
            flow = (flow + layer.weights(video) @ flow) / 2
            video = layer(video, lengths)
        return flow


class PackedLayer(nn.TransformerEncoderLayer):
    """PyTorch's layer, computed on packed steps: only the attention goes video by video."""

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        """[N, M] -> [N, M]."""
        steps = self.norm1(steps + self.dropout1(self._attend(steps, lengths)))
        inner = self.dropout(self.activation(self.linear1(steps)))
        return self.norm2(steps + self.dropout2(self.linear2(inner)))

    def weights(self, video: Tensor) -> Tensor:
        """The attention weights of one video, [T, M] -> [T, T], the mean over heads."""
        q, k, _ = self._projected(video)
        total = torch.zeros(len(video), len(video), device=video.device)
        for one_q, one_k in zip(q.unbind(1), k.unbind(1), strict=True):  # one head's at a time
            total += torch.softmax(one_q @ one_k.T / self.self_attn.head_dim**0.5, dim=-1)
        return total / self.self_attn.num_heads

    def _projected(self, steps: Tensor) -> tuple[Tensor, ...]:
        """[N, M] -> queries, keys and values, each [N, H, M / H]."""
        own = self.self_attn
        projected = linear(steps, own.in_proj_weight, own.in_proj_bias)
        return projected.view(len(steps), 3, own.num_heads, own.head_dim).unbind(1)

    def _attend(self, steps: Tensor, lengths: Tensor) -> Tensor:
        own = self.self_attn
        q, k, v = self._projected(steps)
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
        if dropout and len(video[0]) > AT_ONCE and not q.is_cuda:
            one = blockwise_attention(one_q[0], one_k[0], one_v[0], dropout)[None]
        else:
            one = scaled_dot_product_attention(one_q, one_k, one_v, dropout_p=dropout)
        mixed.append(one[0].transpose(0, 1))
    return torch.cat(mixed)
