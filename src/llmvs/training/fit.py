"""Train the head on one fold, or go on where an earlier attempt stopped."""

import logging
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.cache.fingerprint import differences
from llmvs.config.schema import Config
from llmvs.config.settings import making_embeddings
from llmvs.console import is_first_process
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Fold
from llmvs.datasets.video import Array
from llmvs.errors import UserError
from llmvs.evaluation.criteria import words
from llmvs.evaluation.protocol import Values
from llmvs.evaluation.protocols import by_name
from llmvs.files import regular
from llmvs.memory import enough_memory
from llmvs.models.batch import START_OVER
from llmvs.models.datamodule import EmbeddingDataModule, OtherDataset
from llmvs.models.evaluated import EvaluatedModule
from llmvs.models.module import MEAN, LLMVSModule
from llmvs.models.sources import Source
from llmvs.models.storage import save_head
from llmvs.training.callbacks import EpochProgress, KeepEpochs, TellEpochs
from llmvs.training.loggers import RunLoggers, silence
from llmvs.training.selection import Selection, of_this_version, selection_of
from llmvs.training.trainer import errors_in_one_line, few_threads, make_trainer

logger = logging.getLogger(__name__)

CHECKPOINT = "last.ckpt"


@dataclass(frozen=True)
class Epoch:
    """The epoch that one rule chooses."""

    epoch: int
    """Counted from 0."""
    means: dict[str, dict[str, Values]]
    """Part (`val`, `test`) -> protocol -> mean tau and rho over its videos; NaN where a video's
    scores are constant.
    """
    loss: dict[str, float]
    """Part -> mean squared error, averaged over videos."""
    scores: dict[str, Array]
    """Video -> float32 [T] step scores, for the val and the test videos."""
    undefined: dict[str, dict[str, list[str]]]
    """Part -> protocol -> videos whose scores have no ranking; empty where all have one."""
    look: int = 1
    """Which evaluation of that epoch, counted from 1."""


@dataclass(frozen=True)
class Fit:
    """What a training leaves."""

    epochs: dict[str, Epoch]
    """Rule (`last`, `test`, and `val` where videos are held out; by every criterion) -> the epoch
    it chooses.
    """
    selection: Selection
    """What was configured; the weights of its rule are in the folder."""
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
        return self.epochs[self.selection.rule]


def fit(
    config: Config,
    dataset: Dataset,
    fold: Fold,
    cache: Source | None,
    folder: Path,
    progress: Callable[[float], None] | None = None,
    loggers: RunLoggers | None = None,
    other_datasets: Sequence[OtherDataset] = (),
    epochs: Mapping[str, int] | None = None,
) -> Fit:
    """Train on `fold.train` and all videos of `other_datasets`; model.safetensors, config.json,
    last.ckpt, logs/metrics.csv go into `folder`.

    A checkpoint in the folder is continued (`config.resume`) and ends, on a CPU, with the same
    weights to the bit as an uninterrupted training. With `selection=val` the fold must hold videos
    out. Every rank of a run that torchrun or SLURM has launched calls this and gets the result;
    otherwise the ranks are started here.

    Args:
        config: the run.
        dataset: gives the videos.
        fold: which of them train, hold out and test.
        cache: their embeddings; None: the ranks make them
            (`trainer.callbacks=[refresh_embeddings]`).
        folder: of the run.
        progress: told the share of the epochs that is done, in place of a progress bar (with one
            device).
        loggers: where the curves go; None: into some that end with the training.
        other_datasets: see `EmbeddingDataModule`.
        epochs: with `selection=inner`: row -> the epoch that was chosen for it.

    Raises:
        UserError: embeddings, checkpoint or settings do not fit together, the loss became NaN, the
            folder cannot be written.
        KeyboardInterrupt: Ctrl-C; the checkpoint stays.
    """
    _refuse_nothing_held_out(config, dataset, fold)
    data = EmbeddingDataModule(
        dataset,
        fold,
        cache,
        inputs=config.head.inputs,
        incomplete=config.data.incomplete,
        batch_videos=config.optim.batch_videos,
        seed=config.seed,
        memory_gb=config.data.memory_gb,
        other_datasets=other_datasets,
    )
    with enough_memory(f"{folder}: embeddings and head", smaller(config)):
        data.setup()
        width = data.input_dim if data.parts else None
        module = LLMVSModule(width, config.head, config.optim, config.seed)
    selection = selection_of(config, dataset, epochs)
    state, started_at = carry_out(config, selection, module, data, folder, progress, loggers)
    if not data.parts:  # the ranks have made the embeddings, and this process has not seen them
        data.use(EmbeddingCache(Path(state[type(data).__qualname__]["cache"])))
        data.setup()
    if is_first_process():
        _save(folder, config, state, data)
    return outcome(state, selection, data.videos, started_at)


def _refuse_nothing_held_out(config: Config, dataset: Dataset, fold: Fold) -> None:
    if config.selection == "val" and not fold.val:
        raise UserError(
            f"selection=val: fold {fold.index} of {dataset.name} holds no videos out: use"
            " selection=last"
        )


def _save(folder: Path, config: Config, state: dict[str, Any], data: EmbeddingDataModule) -> None:
    """Write the head of the epoch that the configured rule chose."""
    last = {
        name.removeprefix("head."): value
        for name, value in state["state_dict"].items()
        if name.startswith("head.")
    }
    last = state[MEAN]["weights"] if MEAN in state else last
    weights, made_from = _kept(state)["weights"] or last, dict(data.cache.identity)
    making = making_embeddings(config)
    save_head(folder, weights, data.input_dim, config.head, making, made_from)


def smaller(config: Config) -> str:
    """Say what makes a training smaller, for an error about memory."""
    if config.method.lora:
        return f"reduce lora.batch_steps={config.lora.batch_steps}, or set backbone.quantize"
    return (
        f"reduce optim.batch_videos={config.optim.batch_videos}, head.dim={config.head.dim} or"
        f" head.feedforward={config.head.feedforward}"
    )


def carry_out(
    config: Config,
    selection: Selection,
    module: EvaluatedModule,
    data: L.LightningDataModule,
    folder: Path,
    progress: Callable[[float], None] | None = None,
    loggers: RunLoggers | None = None,
) -> tuple[dict[str, Any], int]:
    """Train `optim.epochs` epochs, or go on where an earlier attempt stopped; see `fit`.

    Returns:
        The checkpoint after the last epoch, which is where started ranks leave the outcome, and the
        epoch of the start.
    """
    checkpoint = folder / CHECKPOINT
    started_at, finished = 0, False
    if config.resume:
        started_at, finished = _epochs_done(checkpoint, selection, module, data)
    elif is_first_process():
        checkpoint.unlink(missing_ok=True)
    if not finished and started_at < config.optim.epochs:
        with nullcontext(loggers) if loggers else RunLoggers(config, folder) as opened:
            _train(config, selection, module, data, folder, progress, opened, resume=started_at > 0)
        if not checkpoint.exists():
            given = "".join(f" trainer.{key}={value}" for key, value in config.trainer.items())
            raise UserError(f"{folder}: nothing was trained:{given}: train one epoch or more")
    return _load(checkpoint), started_at


def _epochs_done(
    path: Path, selection: Selection, module: EvaluatedModule, data: L.LightningDataModule
) -> tuple[int, bool]:
    """How far an earlier attempt came, and whether a callback ended it there; (0, False) without
    one. Refuses one that was made otherwise.
    """
    if not path.exists():
        return 0, False
    _refuse_flipped_bits(path)
    state = _load(path)
    kept = _kept(state)
    if changes := differences(kept["selection"], selection.state()):
        raise UserError(f"{path}: keeps the epochs of {'; '.join(changes)}: {START_OVER}")
    try:
        module.refuse_other_training(state)
        if not isinstance(data, EmbeddingDataModule) or data.parts:
            data.load_state_dict(state[type(data).__qualname__])
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return len(kept["history"]), kept.get("finished", False)


def _refuse_flipped_bits(path: Path) -> None:
    """Hold what an earlier attempt wrote against its checksums, which torch does not look at."""
    try:
        with zipfile.ZipFile(regular(path)) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        damaged = " ".join(str(error).split())[:120]
    if damaged is not None:
        raise UserError(
            f"{path}: not a checkpoint of this training, or damaged ({damaged}): delete it"
        )


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
    return of_this_version(state["callbacks"][KeepEpochs.__qualname__])


def _train(
    config: Config,
    selection: Selection,
    module: EvaluatedModule,
    data: L.LightningDataModule,
    folder: Path,
    progress: Callable[[float], None] | None,
    loggers: RunLoggers,
    resume: bool,
) -> None:
    checkpoint = folder / CHECKPOINT
    place = (data.dataset, data.fold) if isinstance(data, EmbeddingDataModule) else (None, None)
    with warnings.catch_warnings(), few_threads(config):
        silence()
        trainer = make_trainer(
            config,
            module.evaluate_every,
            folder,
            loggers.loggers(),
            [
                KeepEpochs(checkpoint, selection, config.log.checkpoint_seconds),
                TellEpochs(progress) if progress else EpochProgress(loggers.title),
            ],
            *place,
        )
        with errors_in_one_line(folder, smaller(config)):
            trainer.fit(
                module, datamodule=data, ckpt_path=checkpoint if resume else None, weights_only=True
            )


def outcome(
    state: dict[str, Any],
    selection: Selection,
    videos: dict[str, list[Annotations]],
    started_at: int,
) -> Fit:
    """What a training left, from its last checkpoint."""
    kept = _kept(state)
    epochs = {rule: _epoch(record) for rule, record in kept["kept"].items()}
    chosen, protocol = epochs[selection.rule], selection.by[0].partition("/")[0]
    if keys := chosen.undefined.get(selection.rule, {}).get(protocol):
        logger.warning(
            "selection=%s: %s is undefined in every epoch, because the scores of %s are "
            "constant; epoch %s is kept",
            selection.rule,
            words(selection.by[0]),
            ", ".join(keys),
            chosen.epoch,
        )
    return Fit(epochs, selection, videos, kept["history"], kept["spent"], started_at)


def _epoch(record: dict[str, Any]) -> Epoch:
    means = {
        part: {
            name: dict(zip(by_name(name).measures, row, strict=True)) for name, row in rows.items()
        }
        for part, rows in record["means"].items()
    }
    scores = {key: values.clone().numpy() for key, values in record["scores"].items()}
    epoch, look = record["epoch"], record.get("look", 1)
    return Epoch(epoch, means, record["loss"], scores, record["undefined"], look)
