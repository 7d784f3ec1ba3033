"""PGL-SUM (Apostolidis et al., Combining Global and Local Attention with Positional Encoding for
Video Summarization, ISM 2021) as an aggregator.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from llmvs.config.schema import HeadConfig
from llmvs.models.aggregators.base import Aggregator
from llmvs.models.aggregators.dot_product import DotProduct

SEGMENTS = 4
"""Parts of a video that have an attention of their own."""
GLOBAL_HEADS = 8
LOCAL_HEADS = 4


class PGLSUM(Aggregator):
    """Mix the steps by an attention over the whole video and by one over their part of it: 8 M² + 2
    M weights.

    Each part's attention has weights of its own and a fourth of the width; all of them know the
    place of a step. Both mixtures are brought to length 1 and added to the step, then normalized.
    The regressor is the head's score MLP, as for every aggregator. Of the settings, `head.dim` and
    `head.dropout` (the paper: 1024, .5) matter here.
    """

    def __init__(self, config: HeadConfig) -> None:
        """One global attention and `SEGMENTS` local ones."""
        super().__init__(config)
        self.whole = DotProduct(config.dim, config.dim, GLOBAL_HEADS, 1.0, config.dropout, True)
        self.parts = nn.ModuleList(
            DotProduct(
                config.dim, config.dim // SEGMENTS, LOCAL_HEADS, 1.0, config.dropout, positions=True
            )
            for _ in range(SEGMENTS)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.dim)

    def aggregate(self, video: Tensor) -> Tensor:
        """[T, M] -> [T, M]."""
        local = torch.cat(
            [part(steps) for part, steps in zip(self.parts, _segments(video), strict=False)]
        )
        mixed = normalize(self.whole(video), dim=1) + normalize(local, dim=1)
        normal: Tensor = self.norm(self.dropout(video + mixed))
        return normal

    def attention(self, video: Tensor) -> Tensor:
        """[T, T]: half of a step passes as it is, a quarter is mixed over the whole video, a
        quarter over its part.
        """
        blocks = []
        for part, steps in zip(self.parts, _segments(video), strict=False):
            assert isinstance(part, DotProduct)
            blocks.append(part.weights(steps))
        mixed = (self.whole.weights(video) + torch.block_diag(*blocks)) / 2
        return (torch.eye(len(video), device=video.device) + mixed) / 2


def _segments(video: Tensor) -> tuple[Tensor, ...]:
    """The parts of a video, each of T / `SEGMENTS` steps rounded up but the last: fewer parts where
    there are too few steps.
    """
    return video.split(-(-len(video) // SEGMENTS))
