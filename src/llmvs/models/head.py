"""The trained network (paper, section 3.3): one score per step from the embeddings of a whole
video. Pure torch.

    embedding [D] -> Linear -> LayerNorm -> self-attention over the T steps (post-norm, no
    positions) -> score MLP -> sigmoid

`HeadConfig` can standardize the embeddings, add positions, and put another aggregator in the
self-attention's place (`aggregators/`). Several videos are computed at once as packed steps, one
video's behind the other's: nothing is padded, and only what mixes steps looks at single videos.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from llmvs.config.schema import HeadConfig, Inputs
from llmvs.errors import UserError
from llmvs.models.aggregators import make_aggregator
from llmvs.models.positions import packed_sinusoids


def step_embeddings(q: Tensor, a: Tensor, inputs: Inputs, v: Tensor | None = None) -> Tensor:
    """What the head reads of one video (paper, section 3.3; with v: ours).

    Args:
        q: [T, D] query embeddings.
        a: [T, D] answer embeddings.
        inputs: `qa`: the elementwise maximum of both; `q`, `a` or `v`: that one; `qav`: `qa`, and
            behind it v scaled to its length step by step. The head's first matrix then projects
            each and adds them, and neither drowns the other.
        v: [T, D_v] visual features; only `v` and `qav` need them.

    Returns:
        [T, D] in the dtype of q and a (a maximum is exact in any), with `v` float32 [T, D_v], with
        `qav` float32 [T, D + D_v].

    Raises:
        UserError: visual features are needed and not given, or the head reads an h5 file's.
    """
    if inputs == "features":
        raise UserError(
            "head.inputs=features: this head reads the features of a dataset's h5 file, not what"
            " language models make of a video: call `model.head(features, lengths)` with those"
        )
    text = q if inputs == "q" else a if inputs == "a" else torch.maximum(q, a)
    if "v" not in inputs:
        return text
    if v is None:
        raise UserError(
            f"head.inputs={inputs}: this head reads visual features, and none are given"
        )
    v = v.float()
    if inputs == "v":
        return v
    text = text.float()
    return torch.cat(
        [text, v * text.norm(dim=1, keepdim=True) / v.norm(dim=1, keepdim=True).clamp(min=1e-12)],
        dim=1,
    )


class Standardize(nn.Module):
    """Shift and scale of every dimension, taken from the training steps: [.., D] -> [.., D]."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, input_dim: int) -> None:
        """Nothing is changed before `fit`."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(input_dim))
        self.register_buffer("deviation", torch.ones(input_dim))

    def fit(self, embeddings: Sequence[Tensor]) -> None:
        """Take mean and deviation over all steps of some videos, each [T, D]; a dimension that
        never changes is only shifted.
        """
        count, mean, squares = 0, self.mean.double(), torch.zeros_like(self.mean).double()
        for video in embeddings:  # one in memory at a time
            steps = video.to(mean.device).double()
            own = steps.mean(dim=0)
            apart, both = own - (own if count == 0 else mean), count + len(steps)
            squares += (steps - own).square().sum(dim=0) + apart**2 * (count * len(steps) / both)
            mean = own - apart * (count / both)
            count = both
        deviation = (squares / count).sqrt()
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))

    def forward(self, steps: Tensor) -> Tensor:
        """In fp32 also under autocast: the mean may be far larger than what differs."""
        with torch.autocast(steps.device.type, enabled=False):
            return (steps.float() - self.mean) / self.deviation


class Head(nn.Module):
    """Global aggregation: 88.8 M parameters at D = 5120 and the paper's settings."""

    def __init__(self, input_dim: int, config: HeadConfig) -> None:
        """Draw initial weights from torch's global generator: Xavier-uniform for every matrix.

        Args:
            input_dim: D, the width of a step's embedding.
            config: the network's parts and sizes.
        """
        super().__init__()
        self.input_dim = input_dim
        self.config = config
        self.standardize = Standardize(input_dim) if config.standardize else nn.Identity()
        self.project = nn.Sequential(nn.Linear(input_dim, config.dim), nn.LayerNorm(config.dim))
        self.encoder = make_aggregator(config)
        self.score = _score_mlp(config.dim)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Score every step of every video.

        Args:
            steps: [N, D] the embeddings of B videos, one video's steps behind the other's.
            lengths: int64 [B] steps of every video, on any device; N is their sum.

        Returns:
            float32 [N] in [0, 1], also under autocast.
        """
        steps = self.encoder(self._projected(steps, lengths), lengths)
        *hidden, last = self.score
        for layer in hidden:
            steps = layer(steps)
        with torch.autocast(
            steps.device.type, enabled=False
        ):  # the loss is a difference of small numbers
            return last(steps.float()).squeeze(-1).sigmoid()

    def attention(self, steps: Tensor) -> Tensor | None:
        """Say on which steps the score of every step leans, see `Aggregator.attention`.

        Args:
            steps: [T, D] the embeddings of one video.

        Returns:
            [T, T] rows that sum to 1; None where no step sees another one.
        """
        projected = self._projected(steps, torch.tensor([len(steps)]))
        found: Tensor | None = self.encoder.attention(projected)
        return found

    def _projected(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """[N, D] -> [N, M]: what the aggregator takes."""
        steps = self.project(self.standardize(steps))
        if self.config.positions == "sinusoidal":
            steps = steps + packed_sinusoids(lengths, self.config.dim, steps.device)
        return steps


def _score_mlp(dim: int) -> nn.Sequential:
    """Score MLP: dim -> dim/2 -> dim/4 -> dim/8 -> dim/16 -> 1, a LayerNorm after the first and the
    third layer.
    """
    half, quarter, eighth, sixteenth = (dim // 2**power for power in range(1, 5))
    return nn.Sequential(
        nn.Linear(dim, half),
        nn.LayerNorm(half),
        nn.ReLU(),
        nn.Linear(half, quarter),
        nn.ReLU(),
        nn.Linear(quarter, eighth),
        nn.LayerNorm(eighth),
        nn.ReLU(),
        nn.Linear(eighth, sixteenth),
        nn.ReLU(),
        nn.Linear(sixteenth, 1),
    )
