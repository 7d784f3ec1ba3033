"""The settings of what is trained: the head, its optimization, or adapters of a frozen model."""

from dataclasses import dataclass
from typing import Literal

from llmvs.config.affects import (
    MANY,
    NOTHING,
    TRAINING,
    check_numbers,
    registered,
    require,
    setting,
)

MethodName = Literal[
    "head",
    "scorer",
    "captioner",
    "position",
    "caption_novelty",
    "caption_ridge",
    "embedding_ridge",
    "visual_novelty",
]
"""What gives a step its score, see `MethodConfig.model`."""
TUNED = ("scorer", "captioner")
"""Methods whose model can be fine-tuned."""
Inputs = Literal["qa", "q", "a", "v", "qav"]
"""What the head reads of a step, see `HeadConfig.inputs`."""


SMALL_HEAD = 256
"""Width of a head up to which one thread is as fast as several: its runs go side by side."""


@dataclass
class HeadConfig:
    """Stage 3: the trained network (paper, section 3.3)."""

    inputs: Inputs = setting("qa", TRAINING)
    """A step's embedding: pooled tokens of query (`q`) or answer (`a`), their maximum (`qa`), its
    visual feature (`v`), or all (`qav`).
    """
    aggregator: str = setting("attention", TRAINING)
    """`attention`: steps see each other; `feedforward`: the same layers without self-attention;
    `mlp`: no layers, only the score MLP; or another name in `llmvs.models.aggregators.AGGREGATORS`.
    """
    standardize: bool = setting(False, TRAINING)
    """Whether every dimension of the embeddings is first brought to mean 0 and deviation 1 over the
    training steps (the paper: no).
    Where tokens that all prompts share hide what differs, a head does not learn without it."""
    positions: Literal["none", "sinusoidal"] = setting("none", TRAINING)
    """Whether a step knows its place in the video: `sinusoidal` adds fixed waves of its index (the
    paper: none).
    """
    dim: int = setting(2048, TRAINING, within=(1, 65_536))
    """Width M."""
    layers: int = setting(3, TRAINING, within=(1, 1000))
    """Layers of the aggregator (`mlp` has none)."""
    heads: int = setting(2, TRAINING, within=(1, 65_536))
    """Attention heads per layer."""
    feedforward: int = setting(2048, TRAINING, within=(1, MANY))
    """Width of the feed-forward part of a layer."""
    dropout: float = setting(0.1, TRAINING)
    """Dropout probability in the aggregator's layers."""

    def __post_init__(self) -> None:
        registered("llmvs.models.aggregators", "check_aggregator", self.aggregator)
        check_numbers(self, "head")
        require(0 <= self.dropout < 1, "head.dropout", self.dropout, "a probability from 0 up to 1")
        require(
            self.dim % self.heads == 0,
            "head.dim",
            self.dim,
            f"a multiple of head.heads={self.heads}",
        )
        require(
            self.dim % 16 == 0,
            "head.dim",
            self.dim,
            "a multiple of 16 (the score MLP halves it four times)",
        )


@dataclass
class OptimConfig:
    """How the head is trained: AdamW on the mean squared error to `gtscore`, and on the order of
    the steps where that is asked for.
    """

    lr: float = setting(1.19e-4, TRAINING)
    """Peak learning rate (the paper: 1.19e-4 on SumMe, 7e-5 on TVSum)."""
    weight_decay: float = setting(0.01, TRAINING, within=(0, MANY))
    """AdamW's weight decay."""
    epochs: int = setting(200, TRAINING, within=(1, MANY))
    """Passes over the training videos."""
    batch_videos: int = setting(10, TRAINING, within=(1, MANY))
    """Videos per optimizer step, shared out over all devices."""
    clip: float = setting(0.01, TRAINING, within=(0, MANY))
    """Largest norm of the gradient; 0: not clipped."""
    t_max: int | None = setting(None, TRAINING, within=(1, MANY))
    """Epochs of the cosine's way down to `min_lr`; None: all of them."""
    min_lr: float = setting(1e-6, TRAINING, within=(0, MANY))
    """Learning rate at the bottom of the cosine."""
    average: int = setting(1, TRAINING, within=(1, MANY))
    """Epochs at the end over which the weights are averaged; the average is what is evaluated and
    kept from then on. 1: none, as in the paper.
    """
    ranking: float = setting(0.0, TRAINING, within=(0, MANY))
    """Weight of the pairwise ranking loss, added to the squared error; 0: none, as in the paper."""
    ranking_margin: float = setting(0.05, TRAINING, within=(0, MANY))
    """Two steps of a video are ranked where their gtscores differ by more than this."""
    losses: dict[str, float] = setting({"mse": 1.0}, TRAINING)
    """Weights of the losses in `llmvs.models.losses.LOSSES`, by their names; their sum is what the
    training minimizes.
    """

    def __post_init__(self) -> None:
        check_numbers(self, "optim")
        if not self.losses.keys() <= {"mse", "ranking"}:
            registered("llmvs.models.losses", "check_losses", self.losses)
        require(
            self.ranking > 0 or any(self.losses.values()), "optim.losses", self.losses, "a weight"
        )
        require(self.lr > 0, "optim.lr", self.lr, "more than 0")
        require(
            self.average <= self.epochs,
            "optim.average",
            self.average,
            f"at most optim.epochs={self.epochs}",
        )


@dataclass
class MethodConfig:
    """What gives a step its score."""

    model: MethodName = setting("head", TRAINING)
    """The trained `head`; or, without one, the number that the `scorer` answers about the window or
    the `captioner` about the frame; or a baseline that costs nothing (`llmvs.methods.simple`).
    """
    lora: bool = setting(False, TRAINING)
    """Fine-tune that scorer or captioner on the fold's training videos, by low-rank adapters;
    false: as it is (zero-shot).
    """

    def __post_init__(self) -> None:
        require(
            not self.lora or self.model in TUNED,
            "method.lora",
            self.lora,
            f"false with method.model={self.model}: {' or '.join(TUNED)} can be fine-tuned",
        )


@dataclass
class LoraConfig:
    """How a scorer or captioner is fine-tuned (`method.lora=true`); the paper does not publish its
    settings.
    """

    rank: int = setting(8, TRAINING, within=(1, 65_536))
    """Rank of every adapter."""
    alpha: int = setting(16, TRAINING, within=(1, MANY))
    """An adapter's output is scaled by alpha / rank."""
    dropout: float = setting(0.05, TRAINING)
    """Dropout probability before an adapter."""
    targets: str = setting("q_proj k_proj v_proj o_proj", TRAINING)
    """Linear layers with an adapter, by the last part of their names, or `all-linear`; never those
    of the vision tower.
    """
    lr: float = setting(2e-4, TRAINING)
    """Peak learning rate of AdamW; a cosine leads down to 0."""
    epochs: int = setting(3, TRAINING, within=(1, MANY))
    """Passes over the chosen steps of the training videos."""
    batch_steps: int = setting(16, TRAINING, within=(1, MANY))
    """Steps per optimizer step, shared out over all devices."""
    at_once: int = setting(4, NOTHING, within=(1, MANY))
    """Steps in the model at once; changes memory and speed, not the result but for rounding."""
    steps_per_video: int | None = setting(64, TRAINING, within=(1, MANY))
    """Most steps of a video that are learnt from, spread evenly over its length; None: all."""

    def __post_init__(self) -> None:
        check_numbers(self, "lora")
        require(0 <= self.dropout < 1, "lora.dropout", self.dropout, "a probability from 0 up to 1")
        require(self.lr > 0, "lora.lr", self.lr, "more than 0")
        require(
            bool(self.targets.split()),
            "lora.targets",
            repr(self.targets),
            "names of layers, such as `q_proj v_proj`",
        )
