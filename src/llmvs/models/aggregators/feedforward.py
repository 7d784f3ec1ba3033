"""The same layers without self-attention (an ablation): no step sees another one."""

from torch import Tensor, nn

from llmvs.config.schema import HeadConfig
from llmvs.models.aggregators.base import Aggregator


class FeedForward(Aggregator):
    """`head.layers` layers that each change every step by itself."""

    def __init__(self, config: HeadConfig) -> None:
        """One `Layer` after the other, by their numbers."""
        super().__init__(config)
        for i in range(config.layers):
            self.add_module(str(i), Layer(config))

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """[N, M] -> [N, M], whatever the lengths."""
        for layer in self.children():
            steps = layer(steps)
        return steps


class Layer(nn.Module):
    """What a post-norm transformer layer does to every step alone: x -> LayerNorm(x + MLP(x)), [..,
    M] -> [.., M].
    """

    def __init__(self, config: HeadConfig) -> None:
        """Two matrices, M -> feed-forward width -> M, as in a self-attention layer of the same
        settings.
        """
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(config.dim, config.feedforward),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feedforward, config.dim),
            nn.Dropout(config.dropout),
        )
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, steps: Tensor) -> Tensor:
        """[.., M] -> [.., M]."""
        return self.norm(steps + self.mlp(steps))
