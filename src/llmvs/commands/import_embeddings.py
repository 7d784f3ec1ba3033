"""`llmvs import-embeddings`: the embeddings that the paper's authors released."""

import argparse
import logging
from pathlib import Path

from llmvs.commands._arguments import add_settings, load

logger = logging.getLogger(__name__)

SUMMARY = "turn the released pair of h5 files into an embedding cache"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument(
        "--query",
        type=Path,
        required=True,
        metavar="H5",
        help="query embeddings (user_prompt_pool.h5)",
    )
    parser.add_argument(
        "--answer", type=Path, required=True, metavar="H5", help="answer embeddings (gen_pool.h5)"
    )
    parser.add_argument(
        "--to", type=Path, metavar="DIR", help="new cache folder (default: CACHE/DATASET/imported)"
    )
    add_settings(parser)


def call(given: argparse.Namespace) -> None:
    """Write the cache and say how to train on it."""
    from llmvs.commands._checks import check_dataset

    config = load(given.settings)
    check_dataset(config)
    from llmvs.experiments.opening import open_dataset
    from llmvs.extraction.released import import_released

    folder = given.to or Path(config.cache) / config.data.dataset / "imported"
    cache = import_released(given.query, given.answer, open_dataset(config), folder)
    logger.info(
        "%s videos in %s: train on them with extract.embeddings=%s",
        len(cache.keys()),
        folder,
        folder,
    )
