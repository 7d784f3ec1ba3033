"""Make a Lightning trainer from the settings: what they name, what the group `trainer` adds, and
what an exact resume needs.
"""

import inspect
import logging
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
import torch
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException
from tqdm import tqdm

from llmvs.config.schema import Config, HardwareConfig
from llmvs.config.training import SMALL_HEAD
from llmvs.console import Outlets
from llmvs.errors import UserError, nearest
from llmvs.memory import enough_memory
from llmvs.training.callbacks import AtomicCheckpointIO
from llmvs.training.loggers import silence
from llmvs.training.matrices import Tf32
from llmvs.training.named_callbacks import CALLBACKS, REFRESH, made_callbacks, named_callbacks

if TYPE_CHECKING:
    from llmvs.datasets.base import Dataset, Fold

logger = logging.getLogger(__name__)

OURS = {
    "accelerator": "set accelerator",
    "devices": "set devices",
    "num_nodes": "set num_nodes",
    "strategy": "it follows from devices and num_nodes",
    "precision": "set precision",
    "max_epochs": "set optim.epochs",
    "gradient_clip_val": "set optim.clip",
    "logger": "set log.loggers",
    "default_root_dir": "set runs",
    "plugins": "an exact resume needs its own",
    "check_val_every_n_epoch": "set selection",
    "val_check_interval": "an epoch is evaluated at its end",
    "limit_val_batches": "every held-out and test video is scored",
    "use_distributed_sampler": "the videos are shared out already",
    "num_sanity_val_steps": "an exact resume needs 0",
    "log_every_n_steps": "an epoch is one line of the logs",
    "enable_progress_bar": "one line shows the epochs",
    "enable_model_summary": "`llmvs config` shows the settings",
}
"""Arguments of `L.Trainer` that are not for the group `trainer`, and what to do instead."""
LOST = re.compile(r"gloo|nccl|connection (closed|reset|refused)|socket|broken pipe", re.IGNORECASE)
"""What a rank says whose partner is gone."""


def check_trainer(config: Config) -> None:
    """Refuse keys of the group `trainer` that `L.Trainer` does not know or that are set elsewhere,
    and unknown callbacks.

    Raises:
        UserError: names the nearest, or what to set instead.
    """
    settings = config.trainer
    known = [name for name in inspect.signature(L.Trainer).parameters if name not in OURS]
    for key, value in settings.items():
        if key in OURS:
            raise UserError(f"trainer.{key}={value}: llmvs sets this itself: {OURS[key]}")
        if key not in known:
            raise UserError(f"trainer.{key}={value}: no such argument{nearest(key, known)}")
    _refuse_open_end(config)
    for name, arguments in named_callbacks(settings).items():
        if name not in CALLBACKS:
            raise UserError(f"trainer.callbacks={name}: no such callback{nearest(name, CALLBACKS)}")
        if name == REFRESH and arguments:
            raise UserError(
                f"trainer.callbacks.{REFRESH}={arguments}: takes no arguments: set extract.refresh"
            )
        if name == REFRESH and config.method.model != "head":
            raise UserError(
                f"trainer.callbacks={REFRESH}: only method.model=head trains on embeddings, not"
                f" {config.method.model}: leave it out"
            )
        if name == REFRESH and config.head.inputs == "features":
            raise UserError(
                f"trainer.callbacks={REFRESH}: head.inputs=features reads an h5 file, and no"
                " embeddings are made: leave it out"
            )


def _refuse_open_end(config: Config) -> None:
    """Refuse what needs to know the last epoch beside what may end a training before it."""
    named = named_callbacks(config.trainer)
    open_end = [
        f"trainer.callbacks={name}" for name in ("early_stopping", "timer") if name in named
    ]
    open_end += [f"trainer.{key}" for key in ("max_steps", "max_time") if key in config.trainer]
    needs = [f"optim.average={config.optim.average}"] if config.optim.average > 1 else []
    needs += ["selection=inner"] if config.selection == "inner" else []
    for one in needs:
        if open_end:
            raise UserError(f"{one}: cannot be used with {open_end[0]}, which may end it earlier")
    if config.selection == "inner" and REFRESH in named:
        raise UserError(f"selection=inner: cannot be used with trainer.callbacks={REFRESH}")


def make_trainer(
    config: Config,
    evaluate_every: int,
    folder: Path,
    loggers: Sequence[Logger],
    callbacks: Sequence[Callback],
    dataset: "Dataset | None" = None,
    fold: "Fold | None" = None,
) -> L.Trainer:
    """Make the trainer of a run.

    Args:
        config: hardware, precision, epochs, clipping, and the group `trainer`.
        evaluate_every: epochs from one evaluation to the next.
        folder: of the run.
        loggers: where the curves go.
        callbacks: those that every run has; the group's own come behind them.
        dataset: what `refresh_embeddings` extracts; None: it cannot be asked for.
        fold: the same.

    Raises:
        UserError: hardware that is not there, or arguments that Lightning refuses.
    """
    more = {key: value for key, value in config.trainer.items() if key != "callbacks"}
    # Lightning's own would also score a part of the videos only, and log nothing.
    batches = _batches_of_a_trial(more.pop("fast_dev_run", 0))
    if batches:
        more["limit_train_batches"] = batches
    extra = made_callbacks(config, dataset, fold)
    if config.tf32 and config.precision == "32-true":
        extra.insert(0, Tf32())
    try:
        trainer = L.Trainer(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy=strategy(config),
            precision=_precision(config),
            max_epochs=1 if batches else config.optim.epochs,
            gradient_clip_val=config.optim.clip or None,
            callbacks=[*callbacks, *extra],
            logger=list(loggers),
            plugins=[AtomicCheckpointIO()],
            default_root_dir=folder,
            check_val_every_n_epoch=evaluate_every,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            enable_progress_bar=False,
            enable_model_summary=False,
            **more,
        )
    except (MisconfigurationException, TypeError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())
        added = "".join(f" trainer.{key}={value}" for key, value in more.items())
        raise UserError(
            f"accelerator={config.accelerator} devices={config.devices}"
            f" num_nodes={config.num_nodes} precision={config.precision}{added}: {reason}"
        ) from error
    trainer.limit_val_batches = 1.0  # `overfit_batches` would lower it, and every video is scored
    return trainer


def _batches_of_a_trial(given: Any) -> int:
    try:
        return int(given)
    except (TypeError, ValueError):
        raise UserError(
            f"trainer.fast_dev_run={given}: expected true, or a number of batches"
        ) from None


def strategy(config: HardwareConfig) -> str | DDPStrategy:
    """Ranks that torchrun, SLURM or the user start on each node run this program themselves; others
    are spawned from here.

    Not forked: extraction may have used CUDA or OpenMP in this process already, which a forked rank
    cannot use again.
    """
    if config.devices * config.num_nodes == 1:
        return "auto"
    launched = config.num_nodes > 1 or TorchElasticEnvironment.detect() or SLURMEnvironment.detect()
    return QuietDDP(start_method="popen" if launched else "spawn")


class QuietDDP(DDPStrategy):
    """Spawned ranks say no more than this process does."""

    def __init__(self, **settings: Any) -> None:
        """Take DDPStrategy's own settings."""
        super().__init__(**settings)
        self._outlets = Outlets.here()

    def setup_environment(self) -> None:
        """The first thing a rank runs."""
        silence()
        if self._start_method == "spawn":
            self._outlets.open()
            # tqdm's own lock is a semaphore of the system, which a killed rank would leave behind.
            tqdm.set_lock(threading.RLock())
        super().setup_environment()

    def on_train_start(self) -> None:
        """Let a started rank end at once when the others have failed. Lightning's handler, which is
        there by now, would broadcast that to them: it fails where one is dead, and is told in
        pages.
        """
        super().on_train_start()
        if self._start_method != "popen":
            signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))


def _precision(config: HardwareConfig) -> Any:
    """fp16 needs a GPU. Lightning would turn to bf16, which is coarser than fp16 and slow on most
    CPUs; fp32 is neither.
    """
    on_cpu = config.accelerator == "cpu" or (
        config.accelerator == "auto" and not torch.accelerator.is_available()
    )
    if config.precision == "16-mixed" and on_cpu:
        logger.warning("precision=16-mixed needs a GPU: training in 32-true on this CPU")
        return "32-true"
    return config.precision


@contextmanager
def few_threads(config: Config) -> Iterator[None]:
    """One thread for a small head: its matrices gain nothing from more, and lose several times over
    where cores are shared.
    """
    before = torch.get_num_threads()
    if config.head.dim <= SMALL_HEAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def errors_in_one_line(folder: Path, smaller: str) -> Iterator[None]:
    """Turn what a training can end with into what a user can act on.

    Args:
        folder: of the run.
        smaller: the settings to reduce where the memory does not suffice.

    Raises:
        UserError: a rank's mistake, a rank that died, a folder that cannot be written, too little
            memory.
        KeyboardInterrupt: Ctrl-C.
    """
    try:
        with enough_memory(f"{folder}: training", smaller):
            yield
    except SystemExit:  # Lightning's answer to Ctrl-C, which it then goes on ignoring
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for rank in multiprocessing.active_children():  # only a terminal tells them, too
            rank.terminate()
        raise KeyboardInterrupt from None
    except ProcessExitedException as error:
        how = (
            f"killed by {error.signal_name}"
            if error.signal_name
            else f"exit status {error.exit_code}"
        )
        raise _rank_lost(folder, f"rank {error.error_index} died ({how})") from error
    except ProcessRaisedException as error:
        raise _from_rank(folder, error) from error
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}): choose another folder or"
            " free some space"
        ) from error


def _from_rank(folder: Path, error: ProcessRaisedException) -> Exception:
    """The UserError that stopped a spawned rank, the loss of its partner, or the error as it is."""
    lines = re.findall(
        r"^llmvs\.[\w.]+: (.*)$", str(error), re.MULTILINE
    )  # every error class of the package is a UserError
    if lines:
        return UserError(lines[-1])
    last = str(error).strip().splitlines()[-1]
    if LOST.search(last):
        return _rank_lost(folder, f"rank {error.error_index} lost the others, one of them died")
    return error


def _rank_lost(folder: Path, what: str) -> UserError:
    return UserError(
        f"{folder}: {what}: run the same command again, it goes on from the last checkpoint"
    )
