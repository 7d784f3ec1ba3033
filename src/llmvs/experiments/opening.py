"""Open the dataset that a run's settings name."""

import logging
from pathlib import Path

from llmvs.config.schema import Config
from llmvs.datasets import Dataset, Sampling, load
from llmvs.evaluation.protocols import left_out

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
