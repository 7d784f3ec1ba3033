"""Every setting of an experiment, typed, with the paper's value as its default.

The docstring under a field is its help text: one sentence, units included. `llmvs.config.load`
reads YAML files and `key=value` overrides into these classes; nothing downstream sees anything
else.
"""

import importlib
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from omegaconf import MISSING

from llmvs.config.affects import (
    CAPTIONS,
    EMBEDDINGS,
    NOTHING,
    TRAINING,
    check_numbers,
    require,
    setting,
)
from llmvs.errors import UserError

LARGEST_SEED = 2**32 - 1
"""What numpy and Lightning take."""
MANY = 1_000_000
"""No count of epochs, videos or steps is larger."""

Inputs = Literal["qa", "q", "a", "v", "qav"]
"""What the head reads of a step, see `HeadConfig.inputs`."""


@dataclass
class DataConfig:
    """Which videos, what people said of them, and how they are split."""

    dataset: str = setting(MISSING, TRAINING)
    """Which dataset: `demo`, `summe`, `tvsum`, `mrhisum`, or one of your own: a `folder`, or an h5
    file in the `eccv16` layout (docs/own_data.md).
    """
    root: str = setting("", NOTHING, place=True)
    """Folder of the dataset's files (annotations, videos); empty: data/DATASET."""
    splits: Literal["paper", "disjoint"] = setting("paper", TRAINING)
    """`paper`: five overlapping 80/20 splits, as published; `disjoint`: five folds that test every
    video once.
    """
    val_fraction: float = setting(0.2, TRAINING)
    """Share of a fold's training videos held out to choose the epoch (only with `selection=val`).
    """
    incomplete: Literal["refuse", "trim"] = setting("refuse", TRAINING)
    """A scored video whose embeddings end before its annotations: `refuse` it, or `trim` it to the
    steps it has.
    """
    absent: Literal["refuse", "skip"] = setting("refuse", TRAINING)
    """A video whose annotations, clip, captions or embeddings cannot be found: `refuse` the run and
    name all of them, or `skip` them: they are in no fold, and every table says how many.
    """
    extra: list[str] = setting([], TRAINING)
    """Other datasets, all of whose videos train too: `[tvsum]` in data/tvsum, or `[tvsum=DIR]` (the
    field's `augmented` setting).
    """
    transfer: bool = setting(False, TRAINING)
    """Train on the datasets of `extra` alone (the field's `transfer` setting)."""

    def __post_init__(self) -> None:
        check_numbers(self, "data")
        if self.dataset != MISSING and not self.root:
            self.root = f"data/{self.dataset}"
        require(
            bool(self.extra) or not self.transfer,
            "data.transfer",
            self.transfer,
            "false, or name training datasets in data.extra",
        )
        require(
            0 < self.val_fraction < 1,
            "data.val_fraction",
            self.val_fraction,
            "a share between 0 and 1",
        )


@dataclass
class BackboneConfig:
    """The frozen pair of models: a captioner (image-text-to-text) and a scorer (causal LM)."""

    captioner: str = setting("llava-hf/llava-1.5-7b-hf", CAPTIONS)
    """Captioner: a hub id, a folder in Hugging Face format, a folder with an adapter in peft's
    form, or `builtin:NAME`.
    """
    captioner_revision: str | None = setting(None, CAPTIONS)
    """Git revision of the captioner on the hub; None: the newest."""
    scorer: str = setting("meta-llama/Llama-2-13b-chat-hf", EMBEDDINGS)
    """Scorer: a hub id, a folder in Hugging Face format, a folder with an adapter in peft's form, a
    GGUF file (`model.gguf`, or `AUTHOR/NAME/model.gguf` on the hub), or `builtin:NAME`.
    """
    scorer_revision: str | None = setting(None, EMBEDDINGS)
    """Git revision of the scorer on the hub; None: the newest."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = setting("auto", CAPTIONS, EMBEDDINGS)
    """Number format of both models; `auto`: as the checkpoint was published."""
    quantize: Literal["none", "8bit", "4bit"] = setting("none", CAPTIONS, EMBEDDINGS)
    """Load both models with fewer bits per weight (needs bitsandbytes)."""
    device_map: str | None = setting(None, NOTHING)
    """How accelerate spreads a model that is too large for one GPU, such as `auto`; None: all on
    one device.
    """


@dataclass
class CaptionConfig:
    """Stage 1: one sentence per step (paper, section 3.1)."""

    kind: Literal["general", "regions"] = setting("general", CAPTIONS)
    """`general`: one question about the frame; `regions`: one about its centre and one about its
    background (paper, ablations).
    """
    prompt: str = setting("Provide a detailed one-sentence description of this image.", CAPTIONS)
    """What the captioner is asked about every frame."""
    centre_prompt: str = setting(
        "Describe in one sentence what is in the centre of this image.", CAPTIONS
    )
    """The first question of `kind=regions`."""
    background_prompt: str = setting(
        "Describe in one sentence the background of this image.", CAPTIONS
    )
    """The second question of `kind=regions`."""
    max_tokens: int = setting(77, CAPTIONS, within=(1, MANY))
    """Most tokens of one caption."""
    batch: int = setting(16, NOTHING, within=(1, MANY))
    """Frames captioned at once; changes speed and memory, not captions."""

    def __post_init__(self) -> None:
        check_numbers(self, "caption")


@dataclass
class PromptConfig:
    """Stage 2: how the scorer is asked about a window of captions (paper, section 3.2)."""

    window: int = setting(7, EMBEDDINGS)
    """Captions in a window, odd; the LLM judges the centre one."""
    style: Literal["numeric", "summary"] = setting("numeric", EMBEDDINGS)
    """`numeric`: how important is the centre frame, 0 to 10; `summary`: what do the frames show, in
    one sentence.
    """
    max_tokens: int = setting(5, EMBEDDINGS, within=(1, MANY))
    """Most tokens of one answer (a summary needs about 40)."""
    template: dict[str, Any] = setting({}, EMBEDDINGS)
    """What the scorer's chat template is told beside the messages, such as
    `{enable_thinking: true}`; a template that knows `enable_thinking` is told false otherwise.
    """

    def __post_init__(self) -> None:
        check_numbers(self, "prompt")
        require(
            1 <= self.window <= 15 and self.window % 2 == 1,
            "prompt.window",
            self.window,
            "an odd number of captions, 1 to 15",
        )


@dataclass
class ExamplesConfig:
    """The worked examples in the scorer's prompt."""

    source: Literal["fixed", "fold"] = setting("fixed", EMBEDDINGS)
    """`fixed`: windows written by us, one cache for all folds; `fold`: drawn from the fold's
    training videos, as in the paper.
    """
    count: int = setting(3, EMBEDDINGS, within=(0, 8))
    """How many examples."""
    seed: int = setting(0, EMBEDDINGS, within=(0, LARGEST_SEED))
    """Which training windows are drawn (only with `source=fold`)."""

    def __post_init__(self) -> None:
        check_numbers(self, "examples")


@dataclass
class ExtractConfig:
    """From video files to the embedding cache."""

    fps: float | None = setting(2.0, CAPTIONS, TRAINING)
    """Steps per second of video; None: `every_nth_frame` decides."""
    every_nth_frame: int | None = setting(None, CAPTIONS, TRAINING, within=(1, MANY))
    """A step every so many frames (the benchmarks: 15); None: `fps` decides."""
    captions: str | None = setting(None, EMBEDDINGS, place=True)
    """Folder of JSON Lines files named after the videos that replace the caption stage; None:
    caption the frames.
    """
    embeddings: str | None = setting(None, EMBEDDINGS, place=True)
    """Folder of embeddings made earlier (imported ones, say), used as they are; None: extract what
    is missing.
    """
    refresh: Literal["missing", "always", "never"] = setting("missing", NOTHING)
    """Make what is `missing`; make everything again (`always`); or refuse to run when something is
    missing (`never`).
    """
    engine: Literal["auto", "naive", "expand", "cascade"] = setting("auto", EMBEDDINGS)
    """How the scorer runs: prompt by prompt (`naive`) or in batches behind a prefix computed once;
    `auto`: the fastest that fits.
    """
    tokens_per_batch: int = setting(8192, NOTHING, within=(1, 1000 * MANY))
    """Most tokens of queries that the scorer reads at once; changes speed and memory only; halved
    by itself when the GPU runs out of it.
    """
    readout: Literal["rmsnorm", "linear"] = setting("rmsnorm", EMBEDDINGS)
    """Where the scorer is read: after the final norm, or after the output layer (paper, table of
    ablations).
    """
    keep: Literal["pooled", "tokens"] = setting("pooled", EMBEDDINGS)
    """`pooled`: the maximum over the tokens; `tokens`: every token's vector too (about 300 times
    the size).
    """

    def __post_init__(self) -> None:
        check_numbers(self, "extract")
        if self.fps is not None:
            require(self.fps > 0, "extract.fps", self.fps, "more than 0 steps per second")
            require(self.fps <= 1000, "extract.fps", self.fps, "at most 1000 steps per second")
        if (self.fps is None) == (self.every_nth_frame is None):
            raise ValueError(
                f"extract.fps={self.fps} and extract.every_nth_frame={self.every_nth_frame}: set"
                " one and make the other null"
            )


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
        _registered("llmvs.models.aggregators", "check_aggregator", self.aggregator)
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
            _registered("llmvs.models.losses", "check_losses", self.losses)
        require(
            self.ranking > 0 or any(self.losses.values()), "optim.losses", self.losses, "a weight"
        )
        require(self.lr > 0, "optim.lr", self.lr, "more than 0")


@dataclass
class MethodConfig:
    """What gives a step its score."""

    model: Literal["head", "scorer", "captioner"] = setting("head", TRAINING)
    """The trained `head`; or, without one, the number that the `scorer` answers about the window or
    the `captioner` about the frame.
    """
    lora: bool = setting(False, TRAINING)
    """Fine-tune that scorer or captioner on the fold's training videos, by low-rank adapters;
    false: as it is (zero-shot).
    """

    def __post_init__(self) -> None:
        require(
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


@dataclass
class LogConfig:
    """What is recorded beside the result."""

    wandb: Literal["offline", "online", "disabled"] = setting("offline", NOTHING)
    """Weights & Biases: `offline` keeps its files in the run's folder; ignored where wandb is not
    installed.
    """
    project: str = setting("llmvs", NOTHING)
    """Weights & Biases project."""
    checkpoint_seconds: float = setting(30.0, NOTHING, within=(0, MANY))
    """Least time between two checkpoints to resume from, in seconds."""
    loggers: list[Literal["csv", "wandb", "tensorboard", "mlflow"]] = setting(
        ["csv", "wandb"], NOTHING
    )
    """Where the curves go, all in the run's folder: `csv` (always written), `wandb`, `tensorboard`,
    `mlflow` (or where MLFLOW_TRACKING_URI says).
    """

    def __post_init__(self) -> None:
        check_numbers(self, "log")


@dataclass
class SlurmConfig:
    """What a job of `launcher=slurm` asks the cluster for; every run is a job of its own."""

    partition: str | None = setting(None, NOTHING)
    """Queue that jobs wait in; None: the cluster's own choice."""
    account: str | None = setting(None, NOTHING)
    """Account that is charged; None: the user's own."""
    minutes: int = setting(240, NOTHING, within=(1, MANY))
    """Longest time of a job, in minutes; one that needs longer is queued again, up to 3 times, and
    goes on from its checkpoint.
    """
    gpus: int = setting(1, NOTHING)
    """GPUs of a job: 1, or 0 for a CPU."""
    cpus: int = setting(4, NOTHING, within=(1, MANY))
    """CPU cores of a job."""
    memory: float | None = setting(None, NOTHING)
    """Memory of a job, in GB; None: the cluster's own choice."""
    parallel: int = setting(256, NOTHING, within=(1, MANY))
    """Most jobs that run at once."""
    options: list[str] = setting([], NOTHING)
    """Further options of sbatch, such as `[qos=long,exclude=node7]`."""
    setup: list[str] = setting([], NOTHING)
    """Shell commands that a job begins with, such as `module load cuda`."""

    def __post_init__(self) -> None:
        check_numbers(self, "slurm")
        require(self.gpus in (0, 1), "slurm.gpus", self.gpus, "0 or 1: a run is trained on one")
        require(self.memory is None or self.memory > 0, "slurm.memory", self.memory, "above 0 GB")
        for option in self.options:
            require("=" in option, "slurm.options", option, "name=value, as in qos=long")


@dataclass
class HardwareConfig:
    """Where it runs. The result does not depend on how many devices share the work."""

    accelerator: str = setting("auto", NOTHING)
    """Lightning's accelerator: `auto`, `cpu`, `gpu`, ..."""
    devices: int = setting(1, NOTHING, within=(1, 10_000))
    """Processes (GPUs) per node."""
    num_nodes: int = setting(1, NOTHING, within=(1, 10_000))
    """Nodes."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = setting("32-true", TRAINING)
    """Number format of the head's training; scoring is always fp32. `16-mixed` (the paper's) needs
    a GPU: on a CPU it means `32-true`.
    """
    launcher: Literal["local", "slurm"] = setting("local", NOTHING)
    """Where the runs of `crossval`, `ablate` and `sweep` are trained: on this machine, `devices` of
    them side by side, or each as a job in the queue of a SLURM cluster.
    """

    def __post_init__(self) -> None:
        check_numbers(self)


@dataclass
class Config(HardwareConfig):
    """One experiment. A run's folder is `runs/experiment/fold<fold>/seed<seed>`, and nothing else
    decides it.
    """

    experiment: str = setting(MISSING, NOTHING)
    """Name of the experiment; where not given, made of the names of the layers and the overrides.
    """
    fold: int = setting(0, TRAINING, within=(0, MANY))
    """Which split, counted from 0."""
    seed: int = setting(1112, TRAINING, within=(0, LARGEST_SEED))
    """Seed of initial weights, shuffling and dropout (the released code: 1112)."""
    selection: Literal["val", "last", "test"] = setting("val", TRAINING)
    """Which epoch is reported: best on the held-out `val` part, the `last`, or best on `test` (as
    published figures mostly are).
    """
    resume: bool = setting(True, NOTHING)
    """Reuse a finished run and go on with an interrupted one; false: start over, replacing what the
    folder holds.
    """
    runs: str = setting("runs", NOTHING, place=True)
    """Folder of all runs."""
    cache: str = setting("cache", NOTHING, place=True)
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
    trainer: dict[str, Any] = setting({}, TRAINING)
    """Further arguments of Lightning's `Trainer`, such as `trainer.profiler=simple`, and callbacks
    by name: `trainer.callbacks=[early_stopping]` or `trainer.callbacks.early_stopping.patience=5`.
    """
    slurm: SlurmConfig = field(default_factory=SlurmConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.experiment != MISSING:
            require(
                re.fullmatch(r"[^./\\\x00-\x1f](?!.*\.\.)[^/\\\x00-\x1f]{0,199}", self.experiment)
                is not None,
                "experiment",
                repr(self.experiment),
                "a name of 1 to 200 characters without / and .., not beginning with a dot",
            )
        if self.method.model == "scorer":
            require(
                self.prompt.style == "numeric",
                "prompt.style",
                self.prompt.style,
                "numeric with method.model=scorer",
            )
        if self.trainer:
            _registered("llmvs.training.trainer", "check_trainer", self)
        if self.data.transfer:
            require(
                self.selection != "val",
                "selection",
                self.selection,
                "last or test with data.transfer=true: no video is held out",
            )
        if self.data.extra:
            require(
                self.method.model == "head",
                "data.extra",
                self.data.extra,
                "empty with method.model other than head",
            )
            require(
                self.examples.source == "fixed",
                "data.extra",
                self.data.extra,
                "empty with examples.source=fold",
            )
        if "v" in self.head.inputs and self.extract.captions is not None:
            raise ValueError(
                f"head.inputs={self.head.inputs}: the captioner makes the visual features, and"
                f" extract.captions={self.extract.captions} replaces it: choose head.inputs=qa, or"
                " leave extract.captions out"
            )


def _registered(module: str, check: str, value: Any) -> None:
    """Have a registry of a higher floor, which is reached by its name, check a name."""
    try:
        getattr(importlib.import_module(module), check)(value)
    except UserError as error:
        raise ValueError(str(error)) from None
