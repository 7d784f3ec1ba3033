"""VASNet (Fajtl et al., Summarizing Videos with Attention, ACCV 2018 workshops) as an
aggregator.
"""

import torch
from torch import Tensor, nn

from llmvs.config.schema import HeadConfig
from llmvs.models.aggregators.base import Aggregator
from llmvs.models.aggregators.dot_product import DotProduct

SCALE = 0.06
"""What a query's product with a key is multiplied by."""


class VASNet(Aggregator):
    """Mix the steps by one attention of one head, add the mixture to the step, normalize: 4 M² + 2
    M weights.

    Its regressor, a second layer and a sigmoid, is the head's score MLP, as for every aggregator:
    rows of a table then differ in how steps see each other, and in nothing else. Of the settings,
    `head.dim` and `head.dropout` (the paper: 1024, .5) matter here.

    The weights of a step's mixture sum to 1, as in the paper's equations; the authors' code
    normalizes over the other axis.
    """

    def __init__(self, config: HeadConfig) -> None:
        """One attention as wide as a step."""
        super().__init__(config)
        self.mix = DotProduct(config.dim, config.dim, 1, SCALE, config.dropout, positions=False)
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.dim)

    def aggregate(self, video: Tensor) -> Tensor:
        """[T, M] -> [T, M]."""
        normal: Tensor = self.norm(self.dropout(video + self.mix(video)))
        return normal

    def attention(self, video: Tensor) -> Tensor:
        """[T, T]: half of a step passes as it is, half is mixed, as in attention rollout."""
        return (torch.eye(len(video), device=video.device) + self.mix.weights(video)) / 2
