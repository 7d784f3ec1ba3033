"""Every setting of an experiment, typed, with the paper's value as its default.

The docstring under a field is its help text: one sentence, units included. `llmvs.config.load`
reads YAML files and `key=value` overrides into these classes; nothing downstream sees anything
else.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from omegaconf import MISSING

Inputs = Literal["qa", "q", "a", "v", "qav"]
"""What the head reads of a step, see `HeadConfig.inputs`."""


@dataclass
class DataConfig:
    """Which videos, what people said of them, and how they are split."""

    dataset: str = MISSING
    """Which dataset: `demo`, `summe`, `tvsum`, `mrhisum`, or a `folder` of your own
    (docs/own_data.md).
    """
    root: str = "data/${data.dataset}"
    """Folder of the dataset's files (annotations, videos)."""
    splits: Literal["paper", "disjoint"] = "paper"
    """`paper`: five overlapping 80/20 splits, as published; `disjoint`: five folds that test every
    video once.
    """
    val_fraction: float = 0.2
    """Share of a fold's training videos held out to choose the epoch (only with `selection=val`).
    """
    incomplete: Literal["refuse", "trim"] = "refuse"
    """A scored video whose embeddings end before its annotations: `refuse` it, or `trim` it to the
    steps it has.
    """
    extra: list[str] = field(default_factory=list)
    """Other datasets, all of whose videos train too: `[tvsum]` in data/tvsum, or `[tvsum=DIR]` (the
    field's `augmented` setting).
    """
    transfer: bool = False
    """Train on the datasets of `extra` alone (the field's `transfer` setting)."""

    def __post_init__(self) -> None:
        _require(
            bool(self.extra) or not self.transfer,
            "data.transfer",
            self.transfer,
            "false, or name training datasets in data.extra",
        )
        _require(
            0 < self.val_fraction < 1,
            "data.val_fraction",
            self.val_fraction,
            "a share between 0 and 1",
        )


@dataclass
class BackboneConfig:
    """The frozen pair of models: a captioner (image-text-to-text) and a scorer (causal LM)."""

    captioner: str = "llava-hf/llava-1.5-7b-hf"
    """Captioner: a hub id, a folder in Hugging Face format, or `builtin:NAME`."""
    captioner_revision: str | None = None
    """Git revision of the captioner on the hub; None: the newest."""
    scorer: str = "meta-llama/Llama-2-13b-chat-hf"
    """Scorer: a hub id, a folder in Hugging Face format, or `builtin:NAME`."""
    scorer_revision: str | None = None
    """Git revision of the scorer on the hub; None: the newest."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Number format of both models; `auto`: as the checkpoint was published."""
    quantize: Literal["none", "8bit", "4bit"] = "none"
    """Load both models with fewer bits per weight (needs bitsandbytes)."""
    device_map: str | None = None
    """How accelerate spreads a model that is too large for one GPU, such as `auto`; None: all on
    one device.
    """


@dataclass
class CaptionConfig:
    """Stage 1: one sentence per step (paper, section 3.1)."""

    kind: Literal["general", "regions"] = "general"
    """`general`: one question about the frame; `regions`: one about its centre and one about its
    background (paper, ablations).
    """
    prompt: str = "Provide a detailed one-sentence description of this image."
    """What the captioner is asked about every frame."""
    centre_prompt: str = "Describe in one sentence what is in the centre of this image."
    """The first question of `kind=regions`."""
    background_prompt: str = "Describe in one sentence the background of this image."
    """The second question of `kind=regions`."""
    max_tokens: int = 77
    """Most tokens of one caption."""
    batch: int = 16
    """Frames captioned at once; changes speed and memory, not captions."""

    def __post_init__(self) -> None:
        _require(self.max_tokens >= 1, "caption.max_tokens", self.max_tokens, "at least 1 token")
        _require(self.batch >= 1, "caption.batch", self.batch, "at least 1 frame")


@dataclass
class PromptConfig:
    """Stage 2: how the scorer is asked about a window of captions (paper, section 3.2)."""

    window: int = 7
    """Captions in a window, odd; the centre one is judged."""
    style: Literal["numeric", "summary"] = "numeric"
    """`numeric`: how important is the centre frame, 0 to 10; `summary`: what do the frames show, in
    one sentence.
    """
    max_tokens: int = 5
    """Most tokens of one answer (a summary needs about 40)."""

    def __post_init__(self) -> None:
        _require(
            1 <= self.window <= 15 and self.window % 2 == 1,
            "prompt.window",
            self.window,
            "an odd number of captions, 1 to 15",
        )
        _require(self.max_tokens >= 1, "prompt.max_tokens", self.max_tokens, "at least 1 token")


@dataclass
class ExamplesConfig:
    """The worked examples in the scorer's prompt."""

    source: Literal["fixed", "fold"] = "fixed"
    """`fixed`: windows written by us, one cache for all folds; `fold`: drawn from the fold's
    training videos, as in the paper.
    """
    count: int = 3
    """How many examples."""
    seed: int = 0
    """Which training windows are drawn (only with `source=fold`)."""

    def __post_init__(self) -> None:
        _require(0 <= self.count <= 8, "examples.count", self.count, "0 to 8 examples")


@dataclass
class ExtractConfig:
    """From video files to the embedding cache."""

    fps: float | None = 2.0
    """Steps per second of video; None: `every_nth_frame` decides."""
    every_nth_frame: int | None = None
    """A step every so many frames (the benchmarks: 15); None: `fps` decides."""
    captions: str | None = None
    """Folder of JSON Lines files named after the videos that replace the caption stage; None:
    caption the frames.
    """
    embeddings: str | None = None
    """Folder of embeddings made earlier (imported ones, say), used as they are; None: extract what
    is missing.
    """
    refresh: Literal["missing", "always", "never"] = "missing"
    """Make what is `missing`; make everything again (`always`); or refuse to run when something is
    missing (`never`).
    """
    engine: Literal["auto", "naive", "expand", "cascade"] = "auto"
    """How the scorer runs: prompt by prompt (`naive`) or in batches behind a prefix computed once;
    `auto`: the fastest that fits.
    """
    tokens_per_batch: int = 8192
    """Most tokens of queries that the scorer reads at once; changes speed and memory only; halved
    by itself when the GPU runs out of it.
    """
    readout: Literal["rmsnorm", "linear"] = "rmsnorm"
    """Where the scorer is read: after the final norm, or after the output layer (paper, table of
    ablations).
    """
    keep: Literal["pooled", "tokens"] = "pooled"
    """`pooled`: the maximum over the tokens; `tokens`: every token's vector too (about 300 times
    the size).
    """

    def __post_init__(self) -> None:
        _require(
            self.fps is None or 0 < self.fps <= 1000,
            "extract.fps",
            self.fps,
            "more than 0 steps per second",
        )
        _require(
            self.every_nth_frame is None or self.every_nth_frame >= 1,
            "extract.every_nth_frame",
            self.every_nth_frame,
            "at least 1",
        )
        _require(
            self.tokens_per_batch >= 1,
            "extract.tokens_per_batch",
            self.tokens_per_batch,
            "at least 1 token",
        )
        if (self.fps is None) == (self.every_nth_frame is None):
            raise ValueError(
                f"extract.fps={self.fps} and extract.every_nth_frame={self.every_nth_frame}: set"
                " one and make the other null"
            )


@dataclass
class HeadConfig:
    """Stage 3: the trained network (paper, section 3.3)."""

    inputs: Inputs = "qa"
    """A step's embedding: pooled tokens of query (`q`) or answer (`a`), their maximum (`qa`), its
    visual feature (`v`), or all (`qav`).
    """
    aggregator: Literal["attention", "feedforward", "mlp"] = "attention"
    """`attention`: steps see each other; `feedforward`: the same layers without self-attention;
    `mlp`: no layers, only the score MLP.
    """
    standardize: bool = False
    """Whether every dimension of the embeddings is first brought to mean 0 and deviation 1 over the
    training steps (the paper: no).
    Where tokens that all prompts share hide what differs, a head does not learn without it."""
    positions: Literal["none", "sinusoidal"] = "none"
    """Whether a step knows its place in the video: `sinusoidal` adds fixed waves of its index (the
    paper: none).
    """
    dim: int = 2048
    """Width M."""
    layers: int = 3
    """Layers of the aggregator (`mlp` has none)."""
    heads: int = 2
    """Attention heads per layer."""
    feedforward: int = 2048
    """Width of the feed-forward part of a layer."""
    dropout: float = 0.1
    """Dropout probability in the aggregator's layers."""

    def __post_init__(self) -> None:
        for name in ("dim", "layers", "heads", "feedforward"):
            _require(getattr(self, name) >= 1, f"head.{name}", getattr(self, name), "at least 1")
        _require(
            0 <= self.dropout < 1, "head.dropout", self.dropout, "a probability from 0 up to 1"
        )
        _require(
            self.dim % self.heads == 0,
            "head.dim",
            self.dim,
            f"a multiple of head.heads={self.heads}",
        )
        _require(
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

    lr: float = 1.19e-4
    """Peak learning rate (the paper: 1.19e-4 on SumMe, 7e-5 on TVSum)."""
    weight_decay: float = 0.01
    """AdamW's weight decay."""
    epochs: int = 200
    """Passes over the training videos."""
    batch_videos: int = 10
    """Videos per optimizer step, shared out over all devices."""
    clip: float = 0.01
    """Largest norm of the gradient; 0: not clipped."""
    t_max: int | None = None
    """Epochs of the cosine's way down to `min_lr`; None: all of them."""
    min_lr: float = 1e-6
    """Learning rate at the bottom of the cosine."""
    ranking: float = 0.0
    """Weight of the pairwise ranking loss, added to the squared error; 0: none, as in the paper."""
    ranking_margin: float = 0.05
    """Two steps of a video are ranked where their gtscores differ by more than this."""

    def __post_init__(self) -> None:
        _require(self.lr > 0, "optim.lr", self.lr, "more than 0")
        for name in ("weight_decay", "clip", "min_lr", "ranking", "ranking_margin"):
            _require(getattr(self, name) >= 0, f"optim.{name}", getattr(self, name), "0 or more")
        _require(self.epochs >= 1, "optim.epochs", self.epochs, "at least 1")
        _require(self.batch_videos >= 1, "optim.batch_videos", self.batch_videos, "at least 1")
        _require(
            self.t_max is None or self.t_max >= 1,
            "optim.t_max",
            self.t_max,
            "at least 1 epoch, or null",
        )


@dataclass
class MethodConfig:
    """What gives a step its score."""

    model: Literal["head", "scorer", "captioner"] = "head"
    """The trained `head`; or, without one, the number that the `scorer` answers about the window or
    the `captioner` about the frame.
    """
    lora: bool = False
    """Fine-tune that scorer or captioner on the fold's training videos, by low-rank adapters;
    false: as it is (zero-shot).
    """

    def __post_init__(self) -> None:
        _require(
            not (self.lora and self.model == "head"),
            "method.lora",
            self.lora,
            "false with method.model=head (it is trained anyway)",
        )

    @property
    def zero_shot(self) -> bool:
        """Whether nothing is trained."""
        return self.model != "head" and not self.lora


@dataclass
class LoraConfig:
    """How a scorer or captioner is fine-tuned (`method.lora=true`); the paper does not publish its
    settings.
    """

    rank: int = 8
    """Rank of every adapter."""
    alpha: int = 16
    """An adapter's output is scaled by alpha / rank."""
    dropout: float = 0.05
    """Dropout probability before an adapter."""
    targets: str = "q_proj k_proj v_proj o_proj"
    """Linear layers with an adapter, by the last part of their names, or `all-linear`; never those
    of the vision tower.
    """
    lr: float = 2e-4
    """Peak learning rate of AdamW; a cosine leads down to 0."""
    epochs: int = 3
    """Passes over the chosen steps of the training videos."""
    batch_steps: int = 16
    """Steps per optimizer step, shared out over all devices."""
    at_once: int = 4
    """Steps in the model at once; changes memory and speed, not the result but for rounding."""
    steps_per_video: int | None = 64
    """Most steps of a video that are learnt from, spread evenly over its length; None: all."""

    def __post_init__(self) -> None:
        for name in ("rank", "alpha", "epochs", "batch_steps", "at_once"):
            _require(getattr(self, name) >= 1, f"lora.{name}", getattr(self, name), "at least 1")
        _require(
            0 <= self.dropout < 1, "lora.dropout", self.dropout, "a probability from 0 up to 1"
        )
        _require(self.lr > 0, "lora.lr", self.lr, "more than 0")
        _require(
            bool(self.targets.split()),
            "lora.targets",
            repr(self.targets),
            "names of layers, such as `q_proj v_proj`",
        )
        steps = self.steps_per_video
        _require(steps is None or steps >= 1, "lora.steps_per_video", steps, "at least 1, or null")


@dataclass
class LogConfig:
    """What is recorded beside the result."""

    wandb: Literal["offline", "online", "disabled"] = "offline"
    """Weights & Biases: `offline` keeps its files in the run's folder; ignored where wandb is not
    installed.
    """
    project: str = "llmvs"
    """Weights & Biases project."""
    checkpoint_seconds: float = 30.0
    """Least time between two checkpoints to resume from, in seconds."""


@dataclass
class SlurmConfig:
    """What a job of `launcher=slurm` asks the cluster for; every run is a job of its own."""

    partition: str | None = None
    """Queue that jobs wait in; None: the cluster's own choice."""
    account: str | None = None
    """Account that is charged; None: the user's own."""
    minutes: int = 240
    """Longest time of a job, in minutes; one that needs longer is queued again, up to 3 times, and
    goes on from its checkpoint.
    """
    gpus: int = 1
    """GPUs of a job: 1, or 0 for a CPU."""
    cpus: int = 4
    """CPU cores of a job."""
    memory: float | None = None
    """Memory of a job, in GB; None: the cluster's own choice."""
    parallel: int = 256
    """Most jobs that run at once."""
    options: list[str] = field(default_factory=list)
    """Further options of sbatch, such as `[qos=long,exclude=node7]`."""
    setup: list[str] = field(default_factory=list)
    """Shell commands that a job begins with, such as `module load cuda`."""

    def __post_init__(self) -> None:
        for name in ("minutes", "cpus", "parallel"):
            _require(getattr(self, name) >= 1, f"slurm.{name}", getattr(self, name), "at least 1")
        _require(self.gpus in (0, 1), "slurm.gpus", self.gpus, "0 or 1: a run is trained on one")
        _require(self.memory is None or self.memory > 0, "slurm.memory", self.memory, "above 0 GB")
        for option in self.options:
            _require("=" in option, "slurm.options", option, "name=value, as in qos=long")


@dataclass
class HardwareConfig:
    """Where it runs. The result does not depend on how many devices share the work."""

    accelerator: str = "auto"
    """Lightning's accelerator: `auto`, `cpu`, `gpu`, ..."""
    devices: int = 1
    """Processes (GPUs) per node."""
    num_nodes: int = 1
    """Nodes."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Number format of the head's training; scoring is always fp32. `16-mixed` (the paper's) needs
    a GPU: on a CPU it means `32-true`.
    """
    launcher: Literal["local", "slurm"] = "local"
    """Where the runs of `crossval`, `ablate` and `sweep` are trained: on this machine, `devices` of
    them side by side, or each as a job in the queue of a SLURM cluster.
    """

    def __post_init__(self) -> None:
        _require(self.devices >= 1, "devices", self.devices, "at least 1")
        _require(self.num_nodes >= 1, "num_nodes", self.num_nodes, "at least 1")


@dataclass
class Config(HardwareConfig):
    """One experiment. A run's folder is `runs/experiment/fold<fold>/seed<seed>`, and nothing else
    decides it.
    """

    experiment: str = MISSING
    """Name of the experiment; where not given, made of the names of the layers and the overrides.
    """
    fold: int = 0
    """Which split, counted from 0."""
    seed: int = 1112
    """Seed of initial weights, shuffling and dropout (the released code: 1112)."""
    selection: Literal["val", "last", "test"] = "val"
    """Which epoch is reported: best on the held-out `val` part, the `last`, or best on `test` (as
    published figures mostly are).
    """
    resume: bool = True
    """Reuse a finished run and go on with an interrupted one; false: start over, replacing what the
    folder holds.
    """
    runs: str = "runs"
    """Folder of all runs."""
    cache: str = "cache"
    """Folder of everything that is made once and reused: rendered clips, built models, captions,
    embeddings.
    """
    data: DataConfig = field(default_factory=DataConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    caption: CaptionConfig = field(default_factory=CaptionConfig)
    prompt: PromptConfig = field(default_factory=PromptConfig)
    examples: ExamplesConfig = field(default_factory=ExamplesConfig)
    extract: ExtractConfig = field(default_factory=ExtractConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    method: MethodConfig = field(default_factory=MethodConfig)
    lora: LoraConfig = field(default_factory=LoraConfig)
    log: LogConfig = field(default_factory=LogConfig)
    slurm: SlurmConfig = field(default_factory=SlurmConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method.model == "scorer":
            _require(
                self.prompt.style == "numeric",
                "prompt.style",
                self.prompt.style,
                "numeric with method.model=scorer",
            )
        _require(self.fold >= 0, "fold", self.fold, "0 or more")
        if self.data.transfer:
            _require(
                self.selection != "val",
                "selection",
                self.selection,
                "last or test with data.transfer=true: no video is held out",
            )
        if self.data.extra:
            _require(
                self.method.model == "head",
                "data.extra",
                self.data.extra,
                "empty with method.model other than head",
            )
            _require(
                self.examples.source == "fixed",
                "data.extra",
                self.data.extra,
                "empty with examples.source=fold",
            )
        _require(self.seed >= 0, "seed", self.seed, "0 or more")
        if "v" in self.head.inputs and self.extract.captions is not None:
            raise ValueError(
                f"head.inputs={self.head.inputs}: the captioner makes the visual features, and"
                f" extract.captions={self.extract.captions} replaces it: choose head.inputs=qa, or"
                " leave extract.captions out"
            )


def _require(ok: bool, key: str, value: Any, allowed: str) -> None:
    if not ok:
        raise ValueError(f"{key}={value}: must be {allowed}")
