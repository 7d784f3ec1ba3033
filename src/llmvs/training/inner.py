"""Choose the epoch by cross-validation inside a fold's training videos, so that afterwards all of
them can be trained on: `selection=inner`.
"""

import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import Config
from llmvs.console import is_first_process
from llmvs.datasets.base import Dataset, Fold
from llmvs.errors import UserError
from llmvs.evaluation.criteria import LOSS, criteria, row_key, words
from llmvs.files import write_json
from llmvs.models.datamodule import OtherDataset
from llmvs.training.fit import fit

logger = logging.getLogger(__name__)

FOLDER = "inner"
"""In the run's folder, while it trains: the trainings of the inner folds."""
CURVES = "inner.json"
"""Criterion -> the epoch it chose, counted from 1, and its mean over the inner folds by epoch."""


def inner_folds(fold: Fold, count: int) -> list[Fold]:
    """Parts of the training videos, each of them tested by a training on the others. They depend on
    the fold's training videos alone, not on the seed of a run.

    Raises:
        UserError: fewer training videos than folds.
    """
    if len(fold.train) < count:
        raise UserError(
            f"selection_folds={count}: fold {fold.index} has {len(fold.train)} training videos:"
            " choose fewer"
        )
    rng = np.random.default_rng(zlib.crc32(" ".join(fold.train).encode()))
    parts = [set(part.tolist()) for part in np.array_split(rng.permutation(fold.train), count)]
    return [
        Fold(
            fold.index,
            tuple(key for key in fold.train if key not in part),
            (),
            tuple(key for key in fold.train if key in part),
        )
        for part in parts
    ]


def choose_epochs(
    config: Config,
    dataset: Dataset,
    fold: Fold,
    cache: EmbeddingCache,
    folder: Path,
    progress: Callable[[float], None] | None = None,
    other_datasets: Sequence[OtherDataset] = (),
) -> dict[str, int]:
    """Train every inner fold for all epochs, and take the epoch with the best mean over the videos
    that each of them leaves out; a killed one goes on where it stopped.

    Args:
        config: the run.
        dataset: gives the videos.
        fold: its training videos are parted; its test videos are not looked at.
        cache: the embeddings.
        folder: of the run.
        progress: told the share of the inner trainings that is done.
        other_datasets: trained on in every inner fold.

    Returns:
        Row (`inner`, and `inner-by-...` of the further criteria) -> epoch, counted from 0.

    Raises:
        UserError: as `fit`; fewer training videos than folds.
    """
    by = criteria(config.selection_by, dataset)
    alone = replace(
        config,
        selection="test",  # what an inner fold tests is what it left out of its training
        data=replace(config.data, incomplete="trim"),
        log=replace(config.log, wandb="disabled", loggers=["csv"]),
    )
    folds = inner_folds(fold, config.selection_folds)
    curves: dict[str, np.ndarray] = {}
    for number, inner in enumerate(folds):
        place = folder / FOLDER / str(number)
        told = _share(progress, number, len(folds)) if progress else None
        found = fit(alone, dataset, inner, cache, place, told, None, other_datasets)
        share = len(inner.test) / len(fold.train)
        for criterion in by:
            curve = np.array([row[f"test/{criterion}"] for row in found.history])
            curves[criterion] = curves.get(criterion, 0.0) + share * curve
    epochs = {criterion: _best(criterion, curve) for criterion, curve in curves.items()}
    if is_first_process():
        document = {
            name: {"epoch": epochs[name] + 1, "mean": curve.tolist()}
            for name, curve in curves.items()
        }
        write_json(folder / CURVES, document)
    return {FOLDER if one == by[0] else row_key(FOLDER, one): epochs[one] for one in by}


def _share(progress: Callable[[float], None], number: int, count: int) -> Callable[[float], None]:
    return lambda share: progress((number + share) / count)


def _best(criterion: str, curve: np.ndarray) -> int:
    """The first of the best epochs."""
    defined = ~np.isnan(curve)
    if not defined.any():
        logger.warning(
            "selection=inner: %s is undefined in every epoch, because scores are constant; epoch 1"
            " is kept",
            words(criterion),
        )
        return 0
    good = np.where(defined, -curve if criterion == LOSS else curve, -np.inf)
    return int(np.argmax(good))
