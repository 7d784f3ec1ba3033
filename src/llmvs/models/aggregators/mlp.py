"""No aggregation (an ablation of the paper): the score MLP sees each step by itself."""

from torch import Tensor

from llmvs.models.aggregators.base import Aggregator


class NoLayers(Aggregator):
    """Hand the steps on unchanged."""

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """[N, M] -> [N, M], the same."""
        return steps
