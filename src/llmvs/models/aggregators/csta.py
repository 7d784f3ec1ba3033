"""CSTA (Son et al., CNN-based SpatioTemporal Attention for Video Summarization, CVPR 2024) as an
aggregator, **with a small untrained CNN in the place of its GoogLeNet**.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d

from llmvs.config.schema import HeadConfig
from llmvs.models.aggregators.base import Aggregator
from llmvs.models.positions import sinusoids

CHANNELS = (16, 32)
"""Of the first two convolutions; the third has M."""


class CSTA(Aggregator):
    """Weigh every number of every step by a map that a 2-D CNN draws of the steps, stacked like the
    rows of a picture.

    One more row, which is learnt, stands above the steps. Keys of all rows go through the CNN, are
    added to what it gives, normalized, and told their places; a softmax over time and one over the
    dimensions make two maps of it, whose sum weighs the rows' values. Then T rows are averaged out
    of the T + 1. The regressor is the head's score MLP, as for every aggregator. Of the settings,
    `head.dim` and `head.dropout` (the paper: 1024, .6) matter here.

    The paper's CNN is GoogLeNet as trained on ImageNet (6 M weights), which would have to be
    downloaded. Ours has three convolutions and is trained from nothing, so a figure made with it is
    not one of the published CSTA. In place of batch normalization, whose running means would let
    videos see each other, every video is normalized by itself.
    """

    def __init__(self, config: HeadConfig) -> None:
        """Keys, values, the CNN and the learnt row."""
        super().__init__(config)
        self.row = nn.Parameter(torch.zeros(config.dim))
        self.key = nn.Linear(config.dim, config.dim)
        self.value = nn.Linear(config.dim, config.dim)
        self.cnn = _cnn(config.dim)
        self.norm = nn.GroupNorm(1, 1)  # over the whole map, with one scale and one shift
        self.dropout = nn.Dropout(config.dropout)

    def aggregate(self, video: Tensor) -> Tensor:
        """[T, M] -> [T, M]."""
        rows = torch.cat([self.row[None], video])  # [T + 1, M]
        keys = self.key(rows)
        drawn = self.cnn(keys[None, None]).mean(dim=3)  # [1, M, fewer rows]
        drawn = adaptive_avg_pool1d(drawn, len(rows))[0].T
        found = self.norm((drawn + keys)[None, None])[0, 0]
        found = found + sinusoids(len(rows), self.config.dim, video.device)
        weights = self.dropout(found.softmax(dim=0)) + self.dropout(found.softmax(dim=1))
        return adaptive_avg_pool1d((self.value(rows) * weights).T[None], len(video))[0].T


def _cnn(dim: int) -> nn.Sequential:
    """[1, 1, R, M] -> [1, M, R / 8, M / 8], both rounded up."""
    first, second = CHANNELS
    return nn.Sequential(
        nn.Conv2d(1, first, 7, stride=2, padding=3, bias=False),
        nn.GroupNorm(1, first),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False),
        nn.GroupNorm(1, second),
        nn.ReLU(),
        nn.Conv2d(second, dim, 3, stride=2, padding=1, bias=False),
        nn.GroupNorm(1, dim),
        nn.ReLU(),
    )
