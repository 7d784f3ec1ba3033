"""Open the dataset that a run's settings name, and its fold."""

import logging
from dataclasses import replace
from pathlib import Path

from llmvs.config.schema import Config
from llmvs.datasets import Dataset, Fold, Sampling, load
from llmvs.datasets.splits import fold
from llmvs.evaluation.protocols import left_out
from llmvs.methods import method_of

logger = logging.getLogger(__name__)


def open_dataset(config: Config, a_part: bool = False) -> Dataset:
    """The configured dataset; says which protocols its files do not allow.

    Args:
        config: names it.
        a_part: take what there is of it, as with `data.absent=skip`.

    Raises:
        UserError: no such dataset, or files that are missing or damaged.
    """
    dataset = load(
        config.data.dataset,
        Path(config.data.root).expanduser(),
        Sampling(config.extract.fps, config.extract.every_nth_frame),
        "skip" if a_part else config.data.absent,
    )
    for reason in left_out(dataset).values():
        logger.warning("note: %s", reason)
    return dataset


def fold_of(config: Config, dataset: Dataset) -> Fold:
    """The fold of a run; with `selection=val` it holds videos out.

    Raises:
        UserError: no such fold.
    """
    trains = method_of(config.method).weights is not None
    held = config.data.val_fraction if config.selection == "val" and trains else 0.0
    found = fold(dataset, config.data.splits, config.fold, held)
    return replace(found, train=()) if config.data.transfer else found
