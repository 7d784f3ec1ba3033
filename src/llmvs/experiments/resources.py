"""What the runs on one dataset share, so that it is done once: opening it, extraction, reading
embeddings, baselines.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.cache.fingerprint import Identity, differences
from llmvs.config.load import flat
from llmvs.config.schema import Config
from llmvs.config.settings import reads_features, shaping_embeddings
from llmvs.datasets import Dataset, Fold
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.features import Features
from llmvs.errors import UserError
from llmvs.evaluation.baselines import Rows, video_baselines
from llmvs.evaluation.criteria import criteria
from llmvs.evaluation.protocols import protocols
from llmvs.experiments.absence import present, refuse_absent, without_absent
from llmvs.experiments.opening import fold_of, open_dataset
from llmvs.experiments.other_datasets import folder_of, open_other_datasets
from llmvs.methods import method_of

if TYPE_CHECKING:
    from llmvs.models.datamodule import OtherDataset
    from llmvs.models.sources import Source

logger = logging.getLogger(__name__)


Beside = dict[str, dict[str, npt.NDArray[np.float32]]]
"""Method -> video -> [T] step scores."""


class ReadOnce(EmbeddingCache):
    """An embedding cache that keeps in memory what it has read, up to `data.memory_gb`."""

    def __init__(
        self, folder: Path, identity: Identity | None = None, memory_gb: float = 8.0
    ) -> None:
        super().__init__(folder, identity)
        self._kept: dict[tuple[str, bool], Embeddings] = {}
        self._room = memory_gb * 1e9

    def read(self, key: str, tokens: bool = False) -> Embeddings:
        """As `EmbeddingCache.read`; the same object each time, so do not change it."""
        if (key, tokens) in self._kept:
            return self._kept[key, tokens]
        found = super().read(key, tokens)
        size = sum(
            value.nbytes
            for value in (found.q, found.a, *(part for pair in found.tokens for part in pair))
        )
        if size <= self._room:
            self._kept[key, tokens] = found
            self._room -= size
        return found


class Resources:
    """The dataset of some runs, their embeddings and their baselines. It can be sent to another
    process.
    """

    def __init__(self, runs: Sequence[Config], dataset: Dataset | None = None) -> None:
        """Open the dataset, unless it is open.

        Args:
            runs: what will be run; all of one dataset. The videos of all their folds are extracted
                together.
            dataset: what `open_dataset` gives for each of them; None: it is opened here.

        Raises:
            UserError: a dataset or a fold that is not there; videos of which nothing can be made
                (`data.absent`).
        """
        self.dataset: Dataset = open_dataset(runs[0]) if dataset is None else dataset
        if runs[0].data.absent == "skip":
            self.dataset = without_absent(runs, self.dataset)
        for run in runs:
            criteria(run.selection_by, self.dataset)
        wanted = [key for run in runs for key in _read_by(run, self.fold(run))]
        self.keys = list(dict.fromkeys(wanted))
        if runs[0].data.absent == "refuse":
            refuse_absent(runs, self.dataset, self.keys)
        self._embeddings: tuple[dict[str, Any], EmbeddingCache] | None = None
        self._others: tuple[dict[str, Any], list[OtherDataset]] | None = None
        self._baselines: dict[tuple[str, int], dict[str, Rows]] = {}
        self._beside: dict[str, Beside] = {}

    def fold(self, config: Config) -> Fold:
        """The fold of a run; with `selection=val` it holds videos out."""
        return fold_of(config, self.dataset)

    def embeddings(self, config: Config, fold: Fold) -> EmbeddingCache:
        """The embeddings that a run's settings ask for: the folder they name, or what extraction
        makes.

        What one run has extracted is not even looked at again for the next one with the same
        settings.

        Raises:
            UserError: as `extract_shared`; a video that failed; a named folder that was made with
                other settings.
        """
        wanted = self.wanted(config)
        if self._embeddings is None or self._embeddings[0] != wanted:
            self._embeddings = None  # its memory is free before other embeddings are read
            self._embeddings = wanted, self._open(config, fold)
        return self._embeddings[1]

    def wanted(self, config: Config) -> dict[str, Any]:
        """All that decides which embeddings a run reads; equal for two runs that read the same."""
        wanted = shaping_embeddings(config)
        if config.examples.source == "fold":
            wanted |= {
                "data.splits": config.data.splits,
                "fold": config.fold,
                "train": self.fold(config).train,
            }
        return wanted

    def prepare(self, config: Config) -> None:
        """Make now what a run would make or look up before it trains, so that others with the same
        settings find it.
        """
        if method_of(config.method).reads_embeddings:
            if not reads_features(config):
                self.embeddings(config, self.fold(config))
            self.other_datasets(config)

    def other_datasets(self, config: Config) -> "list[OtherDataset]":
        """The other datasets that a run trains on (`data.extra`), with the embeddings of all their
        videos.

        Raises:
            UserError: as `embeddings`; a dataset that is not there.
        """
        wanted = {**self.wanted(config), "data.extra": config.data.extra}
        if self._others is None or self._others[0] != wanted:
            others = open_other_datasets(config, self.dataset)
            others = [(settings, present(settings, other)) for settings, other in others]
            self._others = (
                wanted,
                [(dataset, _read_from(settings, dataset)) for settings, dataset in others],
            )
        return self._others[1]

    def _open(self, config: Config, fold: Fold) -> EmbeddingCache:
        keys = self.keys if config.examples.source == "fixed" else _read_by(config, fold)
        return _made(config, self.dataset, keys, fold.train)

    def baselines(self, dataset: Dataset, keys: Iterable[str]) -> dict[str, dict[str, Rows]]:
        """Video -> protocol -> rows (`video_baselines`) of `dataset`, this one with its
        videos as a run uses them.
        """
        found, named = {}, protocols(dataset)
        for key in keys:
            place = key, dataset.annotations_of(key).n_steps
            if place not in self._baselines:
                self._baselines[place] = video_baselines(dataset.annotations_of(key), named)
            found[key] = self._baselines[place]
        return found

    def beside(
        self, config: Config, test: Sequence[Annotations], make: Callable[[], Beside]
    ) -> Beside:
        """The scores of the baselines that cost nothing, beside a run's own: what no seed changes
        is made once for all of them.

        Args:
            config: of the run.
            test: its test videos, as far as they are scored.
            make: makes the scores.
        """
        tested = {video.key: video.n_steps for video in test}
        made_of = (config.data.splits, config.fold, config.data.transfer, config.data.incomplete)
        method = (config.method.model, config.method.lora, config.head.inputs == "features")
        place = repr((made_of, method, tested, self.wanted(config), config.extract.captions))
        if place not in self._beside:
            self._beside[place] = make()
        return self._beside[place]


def _read_by(config: Config, fold: Fold) -> tuple[str, ...]:
    """The videos whose embeddings a run reads."""
    learns = method_of(config.method).learns
    return (*fold.train, *fold.val, *fold.test) if learns else fold.test


def _read_from(config: Config, dataset: Dataset) -> "Source":
    """What a head reads of all videos of a dataset."""
    if reads_features(config):
        return Features(dataset)
    return _made(config, dataset, list(dataset.videos))


def _made(
    config: Config, dataset: Dataset, keys: Sequence[str], train: Sequence[str] = ()
) -> EmbeddingCache:
    """The embeddings of some videos of a dataset: in the folder that the settings name, or as
    extraction makes them.
    """
    if config.extract.embeddings:
        return _named(config, Path(folder_of(config.extract.embeddings, dataset.name)))
    from llmvs.training.distributed import extract_shared

    sources, shown = (
        [dataset.video(key) for key in keys],
        [dataset.annotations_of(key) for key in train],
    )
    extraction = extract_shared(config, dataset.name, sources, shown)
    extraction.check()
    return ReadOnce(extraction.cache.folder, extraction.cache.identity, config.data.memory_gb)


def _named(config: Config, folder: Path) -> EmbeddingCache:
    """The folder of `extract.embeddings`, if its fingerprint agrees with the settings."""
    cache = ReadOnce(folder, memory_gb=config.data.memory_gb)
    settings = flat(config)
    said = {key: value for key, value in cache.identity.items() if key in settings}
    changes = differences(said, {key: settings[key] for key in said})
    if changes:
        raise UserError(
            f"extract.embeddings={cache.folder}: made with {'; '.join(changes)}: use the same"
            " settings, or another folder"
        )
    logger.info("reused: the embeddings in %s, as they are", cache.folder)
    return cache
