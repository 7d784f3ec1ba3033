"""What can be known of a run before torch is imported; that takes seconds, these checks do not."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmvs.config.settings import OWN
from llmvs.errors import UserError, nearest, require_package

if TYPE_CHECKING:
    from llmvs.config.schema import Config

FOLDS = {"demo": 5, "summe": 5, "tvsum": 5, "mrhisum": 1}
"""How many folds a dataset has, where that does not depend on its files."""


def check_run(config: "Config", folds: Sequence[int] | None = None) -> None:
    """Refuse a run that cannot start.

    Args:
        config: the run.
        folds: what is run instead of `config.fold`.

    Raises:
        UserError: unknown dataset, absent files, no such fold, an extra that is not installed, a
            folder that cannot be written.
    """
    check_dataset(config)
    number = FOLDS.get(config.data.dataset)
    for fold in [config.fold] if folds is None else folds:
        if number is not None and fold >= number:
            raise UserError(
                f"fold={fold}: {config.data.dataset} has {number} {config.data.splits} folds,"
                f" 0 to {number - 1}"
            )
    if config.method.lora:
        require_package("peft", "lora", "method.lora=true")
    if "mlflow" in config.log.loggers:
        require_package("mlflow", "mlflow", "log.loggers=mlflow")
    if "tensorboard" in config.log.loggers and importlib.util.find_spec("tensorboardX") is None:
        require_package("tensorboard", "tensorboard", "log.loggers=tensorboard")
    check_extraction(config)
    check_writable(Path(config.runs), "runs")


def check_dataset(config: "Config") -> None:
    """Refuse a dataset that is not known, or whose folder is absent: its reader says what it
    expects there.

    Raises:
        UserError: one of the two.
    """
    name, root = config.data.dataset, Path(config.data.root).expanduser()
    if name == "demo" or (name in (*FOLDS, *OWN) and root.is_dir()):
        return  # numpy need not be imported to know this
    from llmvs.datasets import DATASETS, Sampling, load

    if name not in DATASETS:
        raise UserError(f"data.dataset={name}: no such dataset{nearest(name, DATASETS)}")
    if not root.is_dir():
        load(name, root, Sampling(config.extract.fps, config.extract.every_nth_frame))


def check_extraction(config: "Config") -> None:
    """Refuse an extraction without the libraries that it needs, or without a place to write. A
    method that asks no model has none.

    Raises:
        UserError: one of the two.
    """
    from llmvs.methods import method_of

    cache, reads = Path(config.cache) / config.data.dataset, method_of(config.method).reads
    asked = {
        "embeddings": config.extract.embeddings is None,
        "captions": config.extract.captions is None,
        "frames": True,
    }
    if asked.get(reads, False) and not cache.is_dir():
        require_package("transformers", "extract", "extraction")
        check_writable(Path(config.cache), "cache")


def check_writable(folder: Path, key: str) -> None:
    """Refuse a folder that cannot be written, or made, without making it.

    Raises:
        UserError: it or the folder above it is read-only, or a file.
    """
    there = folder.expanduser()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise UserError(f"{key}={folder}: {there}: Not a directory: name another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{key}={folder}: {there} cannot be written: name another folder")
