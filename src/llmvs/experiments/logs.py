"""Where a training's figures go: a CSV file always, Weights & Biases where it is installed; and what is kept from the screen."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from llmvs.config import Config
from llmvs.console import is_first_process, say


@contextmanager
def loggers(config: Config, folder: Path, title: str) -> Iterator[list[Logger]]:
    """Lightning loggers that write into `folder`, logs/metrics.csv first; a W&B run started here ends with the block."""
    run = _start_wandb(config, folder, title) if is_first_process() else None
    try:
        csv = CSVLogger(folder, name="", version="logs")
        yield [csv] if run is None else [csv, WandbLogger(experiment=run)]
    finally:
        if run is not None:
            _finish(run)


def _finish(run: Any) -> None:
    """End a W&B run. What goes wrong then (a full disk, say) must not hide what went wrong before, nor be told in pages."""
    tell, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        run.finish()
    except Exception as error:
        say(f"Weights & Biases could not finish its files ({' '.join(str(error).split())[:200]})")
    finally:
        logging.raiseExceptions = tell


def _start_wandb(config: Config, folder: Path, title: str) -> Any:
    """A W&B run, or None; online falls back to offline, and that to nothing: a training never fails for its diary."""
    if config.log.wandb == "disabled" or not importlib.util.find_spec("wandb"):
        return None
    import wandb

    fallbacks: list[tuple[Literal["online", "offline"], str]] = [("online", "offline"), ("offline", "without W&B")]
    for mode, next_best in fallbacks[config.log.wandb == "offline":]:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return wandb.init(project=config.log.project, group=config.experiment, name=title, dir=folder, config=asdict(config),
                              mode=mode, settings=wandb.Settings(silent=True, console="off", init_timeout=30))
        except Exception as error:  # whatever W&B raises, the training matters more
            say(f"log.wandb={mode} failed ({' '.join(str(error).split())[:200]}): going on {next_best}")
    return None


def silence() -> None:
    """Leave out what a user cannot act on; errors still pass."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
