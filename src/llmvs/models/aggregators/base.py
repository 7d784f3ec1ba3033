"""What an aggregator is: packed steps of several videos in, packed steps out."""

import torch
from torch import Tensor, nn

from llmvs.config.schema import HeadConfig


class Aggregator(nn.Module):
    """Let the steps of a video see each other; no step sees another video's.

    A subclass overrides `aggregate`, which sees one video at a time, or, where all videos can be
    computed at once, `forward`. Its matrices get Xavier-uniform initial weights from the head.
    """

    def __init__(self, config: HeadConfig) -> None:
        """Take the head's settings: `dim` is M, the width of a step here."""
        super().__init__()
        self.config = config

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Aggregate every video by itself.

        Args:
            steps: [N, M] the steps of B videos, one video's behind the other's.
            lengths: int64 [B] steps of every video; N is their sum.

        Returns:
            [N, M] in the same order.
        """
        return torch.cat([self.aggregate(video) for video in steps.split(lengths.tolist())])

    def attention(self, video: Tensor) -> Tensor | None:
        """Say what every step of a video leans on.

        Args:
            video: [T, M] steps.

        Returns:
            [T, T]: row t says how much of step t's output comes from every step, and sums to 1;
            None where no step sees another one, or not by weights over steps.
        """
        return None

    def aggregate(self, video: Tensor) -> Tensor:
        """Aggregate the steps of one video: [T, M] -> [T, M]."""
        raise NotImplementedError
