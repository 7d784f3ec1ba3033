"""Train the head on one fold, or go on where an earlier attempt stopped."""

import re
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import Config, HardwareConfig
from llmvs.console import is_first_process, say
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Fold
from llmvs.datasets.video import Array
from llmvs.errors import UserError
from llmvs.evaluation.correlation import Correlation
from llmvs.evaluation.metric import VideoScores
from llmvs.evaluation.protocols import protocols
from llmvs.models.datamodule import START_OVER, EmbeddingDataModule, Extra
from llmvs.models.module import JudgedModule, LLMVSModule
from llmvs.models.storage import save_head
from llmvs.training.callbacks import AtomicCheckpointIO, EpochProgress, KeepEpochs, TellEpochs
from llmvs.training.loggers import Diary, silence

CHECKPOINT = "last.ckpt"


@dataclass(frozen=True)
class Epoch:
    """The epoch that one rule chooses."""

    epoch: int
    """Counted from 0."""
    means: dict[str, dict[str, Correlation]]
    """Part (`val`, `test`) -> protocol -> mean tau and rho over its videos; NaN where a video's
    scores are constant.
    """
    loss: dict[str, float]
    """Part -> mean squared error, averaged over videos."""
    scores: dict[str, Array]
    """Video -> float32 [T] step scores, for the val and the test videos."""
    undefined: dict[str, dict[str, list[str]]]
    """Part -> protocol -> videos whose scores have no ranking; empty where all have one."""


@dataclass(frozen=True)
class Fit:
    """What a training leaves."""

    epochs: dict[str, Epoch]
    """Rule (`last`, `test`, and `val` where videos are held out) -> the epoch it chooses."""
    selection: str
    """The configured rule, whose weights are in the folder."""
    videos: dict[str, list[Annotations]]
    """Part -> its videos as they were used: trimmed where their embeddings end early."""
    history: list[dict[str, float]]
    """One row of logged figures per epoch."""
    seconds: float
    """Wall time of the training, all attempts together."""
    started_at: int
    """The epoch at which this attempt took over; 0: a fresh start, `len(history)`: nothing was left
    to do.
    """

    @property
    def selected(self) -> Epoch:
        """The epoch of the configured rule."""
        return self.epochs[self.selection]


def fit(
    config: Config,
    dataset: Dataset,
    fold: Fold,
    cache: EmbeddingCache,
    folder: Path,
    tick: Callable[[float], None] | None = None,
    diary: Diary | None = None,
    extra: Sequence[Extra] = (),
) -> Fit:
    """Train on `fold.train` and all videos of `extra`; model.safetensors, config.json, last.ckpt,
    logs/metrics.csv go into `folder`.

    A checkpoint in the folder is continued (`config.resume`) and ends, on a CPU, with the same
    weights to the bit as an uninterrupted training. With `selection=val` the fold must hold videos
    out. Every rank of a run that torchrun or SLURM has launched calls this and gets the result;
    otherwise the ranks are started here. `tick` is told the share of the epochs that is done, in
    place of a progress bar (with one device). The curves go into `diary`; without one, into one
    that ends with the training.

    Raises:
        UserError: embeddings, checkpoint or settings do not fit together, the loss became NaN, the
            folder cannot be written.
        KeyboardInterrupt: Ctrl-C; the checkpoint stays.
    """
    if config.selection == "val" and not fold.val:
        raise UserError(
            f"selection=val: fold {fold.index} of {dataset.name} holds no videos out: use"
            " selection=last"
        )
    data = EmbeddingDataModule(
        dataset,
        fold,
        cache,
        inputs=config.head.inputs,
        incomplete=config.data.incomplete,
        batch_videos=config.optim.batch_videos,
        seed=config.seed,
        extra=extra,
    )
    data.setup()
    judges = protocols(dataset)
    metrics = {part: VideoScores(data.videos[part], judges) for part in data.judged}
    module = LLMVSModule(data.input_dim, config.head, config.optim, config.seed, metrics)
    state, started_at = carry_out(config, module, data, folder, tick, diary)
    if is_first_process():
        last = {
            name.removeprefix("head."): value
            for name, value in state["state_dict"].items()
            if name.startswith("head.")
        }
        weights, made_from = _kept(state)["weights"] or last, dict(data.cache.identity)
        save_head(folder, weights, data.input_dim, config.head, identity=made_from)
    return outcome(state, config.selection, data.videos, started_at)


def carry_out(
    config: Config,
    module: JudgedModule,
    data: L.LightningDataModule,
    folder: Path,
    tick: Callable[[float], None] | None = None,
    diary: Diary | None = None,
) -> tuple[dict[str, Any], int]:
    """Train `optim.epochs` epochs, or go on where an earlier attempt stopped; see `fit`.

    Returns:
        The checkpoint after the last epoch, which is where started ranks leave the outcome, and the
        epoch of the start.
    """
    checkpoint = folder / CHECKPOINT
    started_at = _epochs_done(checkpoint, config.selection, module, data) if config.resume else 0
    if not config.resume and is_first_process():
        checkpoint.unlink(missing_ok=True)
    if started_at < config.optim.epochs:
        with nullcontext(diary) if diary else Diary(config, folder) as opened:
            _train(config, module, data, folder, tick, opened, resume=started_at > 0)
    return _load(checkpoint), started_at


def _epochs_done(
    path: Path, selection: str, module: JudgedModule, data: L.LightningDataModule
) -> int:
    """How far an earlier attempt came; 0 without one. Refuses one that was made otherwise."""
    if not path.exists():
        return 0
    state = _load(path)
    kept = _kept(state)
    if kept["selection"] != selection:
        raise UserError(
            f"{path}: keeps the weights of selection={kept['selection']} (expected {selection}):"
            f" {START_OVER}"
        )
    try:
        module.on_load_checkpoint(state)
        data.load_state_dict(state[type(data).__qualname__])
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return len(kept["history"])


def _load(path: Path) -> dict[str, Any]:
    """A checkpoint by memory map: what is not used of it is not read."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        state["hyper_parameters"], _kept(state)
    except Exception as error:  # torch.load raises what its pieces raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path}: not a checkpoint of this training, or damaged ({reason[:120]}): delete it"
        ) from error
    return state


def _kept(state: dict[str, Any]) -> dict[str, Any]:
    return state["callbacks"][KeepEpochs.__qualname__]


def _train(
    config: Config,
    module: JudgedModule,
    data: L.LightningDataModule,
    folder: Path,
    tick: Callable[[float], None] | None,
    diary: Diary,
    resume: bool,
) -> None:
    checkpoint = folder / CHECKPOINT
    with warnings.catch_warnings(), _threads(config):
        silence()
        trainer = _trainer(
            config,
            module.judged_every,
            folder,
            diary.loggers(),
            TellEpochs(tick) if tick else EpochProgress(diary.title),
        )
        try:
            trainer.fit(
                module, datamodule=data, ckpt_path=checkpoint if resume else None, weights_only=True
            )
        except SystemExit:  # Lightning's answer to Ctrl-C, which it then goes on ignoring
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None
        except torch.multiprocessing.ProcessRaisedException as error:
            raise _from_rank(error) from error
        except OSError as error:
            raise UserError(
                f"{folder}: cannot be written ({error.strerror or error}): choose another folder or"
                " free some space"
            ) from error


def _trainer(
    config: Config, judged_every: int, folder: Path, log: list[Logger], progress: Callback
) -> L.Trainer:
    try:
        return L.Trainer(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy=_strategy(config),
            precision=_precision(config),
            max_epochs=config.optim.epochs,
            gradient_clip_val=config.optim.clip or None,
            callbacks=[
                KeepEpochs(folder / CHECKPOINT, config.selection, config.log.checkpoint_seconds),
                progress,
            ],
            logger=log,
            plugins=[AtomicCheckpointIO()],
            default_root_dir=folder,
            check_val_every_n_epoch=judged_every,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"accelerator={config.accelerator} devices={config.devices}"
            f" num_nodes={config.num_nodes} precision={config.precision}: {reason}"
        ) from error


def _strategy(config: HardwareConfig) -> str | DDPStrategy:
    """Ranks that torchrun, SLURM or the user start on each node run this program themselves; others
    are spawned from here.

    Not forked: extraction may have used CUDA or OpenMP in this process already, which a forked rank
    cannot use again.
    """
    if config.devices * config.num_nodes == 1:
        return "auto"
    launched = config.num_nodes > 1 or TorchElasticEnvironment.detect() or SLURMEnvironment.detect()
    return QuietDDP(start_method="popen" if launched else "spawn")


def _precision(config: HardwareConfig) -> Any:
    """fp16 needs a GPU. Lightning would turn to bf16, which is coarser than fp16 and slow on most
    CPUs; fp32 is neither.
    """
    on_cpu = config.accelerator == "cpu" or (
        config.accelerator == "auto" and not torch.accelerator.is_available()
    )
    if config.precision == "16-mixed" and on_cpu:
        say("precision=16-mixed needs a GPU: training in 32-true on this CPU")
        return "32-true"
    return config.precision


@contextmanager
def _threads(config: Config) -> Iterator[None]:
    """One thread for a small head: its matrices gain nothing from more, and lose several times over
    where cores are shared.
    """
    before = torch.get_num_threads()
    if config.head.dim <= 128:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class QuietDDP(DDPStrategy):
    """Spawned ranks say no more than this process does."""

    def setup_environment(self) -> None:
        """The first thing a rank runs."""
        silence()
        super().setup_environment()


def _from_rank(error: Exception) -> Exception:
    """The UserError that stopped a spawned rank, or the error as it is."""
    lines = re.findall(
        r"^llmvs\.[\w.]+: (.*)$", str(error), re.MULTILINE
    )  # every error class of the package is a UserError
    return UserError(lines[-1]) if lines else error


def outcome(
    state: dict[str, Any], selection: str, videos: dict[str, list[Annotations]], started_at: int
) -> Fit:
    """What a training left, from its last checkpoint."""
    kept = _kept(state)
    epochs = {rule: _epoch(record) for rule, record in kept["kept"].items()}
    chosen = epochs[selection]
    for keys in list(chosen.undefined.get(selection, {}).values())[:1]:
        say(
            f"selection={selection}: tau is undefined in every epoch, because the scores of"
            f" {', '.join(keys)} are constant; epoch {chosen.epoch} is kept"
        )
    return Fit(epochs, selection, videos, kept["history"], kept["spent"], started_at)


def _epoch(record: dict[str, Any]) -> Epoch:
    means = {
        part: {name: Correlation(*row) for name, row in rows.items()}
        for part, rows in record["means"].items()
    }
    scores = {key: values.clone().numpy() for key, values in record["scores"].items()}
    return Epoch(record["epoch"], means, record["loss"], scores, record["undefined"])
