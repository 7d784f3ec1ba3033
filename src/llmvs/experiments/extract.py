"""`llmvs extract`: embeddings of a dataset's videos, or of any files and folders of videos."""

import logging
from collections.abc import Iterable
from pathlib import Path

from llmvs.config.schema import Config
from llmvs.datasets import Dataset
from llmvs.datasets.video import Video
from llmvs.errors import UserError, VideoError
from llmvs.experiments.absence import present
from llmvs.experiments.opening import fold_of, open_dataset
from llmvs.experiments.other_datasets import open_other_datasets
from llmvs.extraction.pipeline import Extraction
from llmvs.training.distributed import extract_shared
from llmvs.video.container import videos_in

logger = logging.getLogger(__name__)


def extract_dataset(config: Config) -> int:
    """Fill the caches with all videos of the configured dataset, and of those in `data.extra`.
    Returns the exit status.
    """
    dataset = present(config, open_dataset(config))
    others = [
        (settings, present(settings, other))
        for settings, other in open_other_datasets(config, dataset)
    ]
    train: list = []
    if config.examples.source == "fold":
        # The fold of a training of these settings, or it would not find the prompts again.
        train = [dataset.annotations_of(key) for key in fold_of(config, dataset).train]
    statuses = [_report(extract_shared(config, dataset.name, _sources(dataset), train))]
    statuses += [
        _report(extract_shared(settings, other.name, _sources(other))) for settings, other in others
    ]
    return max(statuses)


def extract_files(config: Config, paths: Iterable[Path]) -> int:
    """Fill the cache `CACHE/own` with video files, and the video files in folders. Returns the exit
    status.

    Raises:
        UserError: a path that does not exist, a folder without videos, `examples.source=fold` (a
            file has no fold).
    """
    if config.examples.source == "fold":
        raise UserError(
            "examples.source=fold: files of your own belong to no fold: use examples.source=fixed"
        )
    sources, refused = [], []
    for path in [video for given in paths for video in videos_in(given, hidden=True)]:
        try:
            sources.append(Video.file(path))
        except VideoError as error:
            refused.append(str(error))
    if not sources:
        more = f" (and {len(refused) - 1} more videos)" if len(refused) > 1 else ""
        raise UserError(f"{refused[0]}{more}")
    status = _report(extract_shared(config, config.data.dataset, sources))
    for reason in refused:
        logger.warning("failed: %s", reason)
    return 2 if refused else status


def _sources(dataset: Dataset) -> list[Video]:
    return list(dataset.videos.values())


def _report(extraction: Extraction) -> int:
    """Name what failed, last, so that it is seen."""
    for reason in extraction.failed.values():
        logger.warning("failed: %s", reason)
    return 2 if extraction.failed else 0
