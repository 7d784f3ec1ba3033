"""What the head's training minimizes: losses by name, each one number per video.

A loss is one function `(scores [N], gtscore [N], lengths [B], settings) -> [B]` on packed steps and
one line in `LOSSES`; its settings stand in `llmvs.config.schema.OptimConfig`. `optim.losses` weighs
them by their names.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import softplus

from llmvs.config.schema import OptimConfig
from llmvs.errors import UserError, nearest

Loss = Callable[[Tensor, Tensor, Tensor, OptimConfig], Tensor]
"""(scores [N] in [0, 1], gtscore [N], lengths int64 [B], settings) -> [B], one loss per video."""


def squared_error(
    scores: Tensor,
    gtscore: Tensor,
    lengths: Tensor,
    settings: OptimConfig,  # noqa: ARG001
) -> Tensor:
    """Take the mean squared error over every video's steps (paper, section 3.4): [B]."""
    squared = (scores - gtscore).square()
    return torch.stack([video.mean() for video in squared.split(lengths.tolist())])


def ranking(scores: Tensor, gtscore: Tensor, lengths: Tensor, settings: OptimConfig) -> Tensor:
    """Take the pairwise logistic ranking loss of every video: [B].

    A pair (i, j) is two steps of one video with gtscore_i - gtscore_j > `ranking_margin`. With z =
    logit(score), what the head gives before its sigmoid, it costs log(1 + exp(z_j - z_i)): little
    where step i is ahead, log 2 where the two tie (RankNet, Burges et al. 2005). A video's loss is
    the mean over its pairs, 0 where it has none. Scores within 1e-6 of 0 or 1 are taken as 1e-6 and
    1 - 1e-6.
    """
    sizes = lengths.tolist()
    logits = scores.logit(eps=1e-6).split(sizes)
    costs = []
    for z, truth in zip(logits, gtscore.split(sizes), strict=True):
        pairs = truth[:, None] - truth[None, :] > settings.ranking_margin
        behind = softplus(z[None, :] - z[:, None]).masked_fill(~pairs, 0)
        costs.append(behind.sum() / pairs.sum().clamp(min=1))
    return torch.stack(costs)


LOSSES: dict[str, Loss] = {
    "mse": squared_error,
    "ranking": ranking,
}
"""Name in `optim.losses` -> the loss."""


def total_loss(scores: Tensor, gtscore: Tensor, lengths: Tensor, settings: OptimConfig) -> Tensor:
    """Add up the losses of every video with their weights: [N], [N], [B] -> [B]."""
    weights = dict(settings.losses)
    weights["ranking"] = weights.get("ranking", 0.0) + settings.ranking
    parts = [
        LOSSES[name](scores, gtscore, lengths, settings) * weight
        for name, weight in weights.items()
        if weight
    ]
    return torch.stack(parts).sum(dim=0)


def check_losses(weights: Mapping[str, float]) -> None:
    """Refuse names that are not in `LOSSES`.

    Raises:
        UserError: names the nearest.
    """
    for name, weight in weights.items():
        if name not in LOSSES:
            raise UserError(f"optim.losses.{name}={weight}: no such loss{nearest(name, LOSSES)}")
