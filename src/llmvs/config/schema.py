"""Every setting of an experiment, typed, with the paper's value as its default. What a head reads
is set in `inputs`, what is trained in `training`.

The docstring under a field is its help text: one sentence, units included. `llmvs.config.load`
reads YAML files and `key=value` overrides into these classes; nothing downstream sees anything
else.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from omegaconf import MISSING

from llmvs.config.affects import (
    LARGEST_SEED,
    MANY,
    NOTHING,
    TRAINING,
    check_numbers,
    registered,
    require,
    setting,
)
from llmvs.config.inputs import (
    BackboneConfig,
    CaptionConfig,
    DataConfig,
    ExamplesConfig,
    ExtractConfig,
    PromptConfig,
)
from llmvs.config.training import HeadConfig, Inputs, LoraConfig, MethodConfig, OptimConfig

__all__ = [
    "BackboneConfig",
    "CaptionConfig",
    "Config",
    "DataConfig",
    "ExamplesConfig",
    "ExtractConfig",
    "HardwareConfig",
    "HeadConfig",
    "Inputs",
    "LogConfig",
    "LoraConfig",
    "MethodConfig",
    "OptimConfig",
    "PromptConfig",
    "SlurmConfig",
]


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


AUTO = "auto"


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
    tf32: bool = setting(True, TRAINING)
    """Whether a GPU rounds the operands of `32-true`'s matrix products to TF32 in training: an
    order of magnitude faster, and finer than the paper's 16 bit. On a CPU it means nothing.
    """
    launcher: Literal["local", "slurm"] = setting("local", NOTHING)
    """Where the runs of `crossval`, `ablate` and `sweep` are trained: on this machine, `workers` of
    them side by side, or each as a job in the queue of a SLURM cluster.
    """
    workers: str = setting("auto", NOTHING)
    """How many of those runs this machine trains side by side: a number, or `auto`: with `devices`
    above 1 one per device, else as many as cores and memory bear: on a GPU up to 4 of a head up to
    width 256 and up to 2 of a wider one, on a CPU where that is surely faster. Each has one device.
    """

    def __post_init__(self) -> None:
        check_numbers(self)
        self.workers = str(self.workers)
        number = self.workers.isdecimal() and 0 < int(self.workers) <= MANY
        require(number or self.workers == AUTO, "workers", self.workers, "auto, or a number from 1")


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
    selection: Literal["val", "last", "test", "inner"] = setting("val", TRAINING)
    """Which epoch is reported: best on the held-out `val` part, the `last`, best on `test` (as
    published figures mostly are), or best in `inner` folds of the training videos, all of which
    are then trained on.
    """
    selection_by: list[str] = setting(["loss"], TRAINING)
    """What makes an epoch the best: `loss`, or a rank correlation `paper` or `per_annotator` (its
    tau; its rho: `paper/rho`). The first one decides; others stand beside it as rows of their own.
    The released code chooses by rho; why ours is `loss`: docs/results.md.
    """
    selection_looks: int = setting(1, TRAINING, within=(1, 1000))
    """Evaluations per epoch that can be chosen, evenly spread over its steps (the released code:
    2).
    """
    selection_folds: int = setting(4, TRAINING, within=(2, 1000))
    """Inner folds of `selection=inner`, each one more training of the run."""
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
    by name: `trainer.callbacks=[timer]` or `trainer.callbacks.early_stopping.monitor=val/loss`.
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
            registered("llmvs.training.trainer", "check_trainer", self)
        self._check_selection()
        if self.selection_by != ["loss"]:
            registered("llmvs.evaluation.criteria", "check_criteria", self.selection_by)
        if self.data.transfer:
            require(
                self.selection not in ("val", "inner"),
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

    def _check_selection(self) -> None:
        """What does not go with a choice of the epoch."""
        with_lora = "with method.lora=true"
        require(
            self.selection_looks == 1 or not self.method.lora,
            "selection_looks",
            self.selection_looks,
            f"1 {with_lora}",
        )
        require(
            self.selection_looks == 1 or self.optim.average == 1,
            "selection_looks",
            self.selection_looks,
            f"1 with optim.average={self.optim.average}: weights are averaged at an epoch's end",
        )
        require(
            self.selection != "inner" or not self.method.lora,
            "selection",
            self.selection,
            f"val, last or test {with_lora}",
        )
