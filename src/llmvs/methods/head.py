"""The paper's method: a head that is trained on frozen embeddings of the fold's videos, or on the
features that the dataset's h5 file brings along.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.settings import reads_features
from llmvs.datasets.features import Features
from llmvs.methods.answers import answers_in
from llmvs.methods.base import Method, Scores, Task
from llmvs.models.datamodule import OtherDataset
from llmvs.models.sources import Source
from llmvs.training.fit import Fit, fit
from llmvs.training.inner import choose_epochs
from llmvs.training.named_callbacks import refreshes


class TrainedHead(Method):
    """Train the head on query and answer embeddings."""

    def score(self, task: Task) -> Scores:
        """Extract what is missing (nothing, where the head reads a file's features), train, and
        give the scores at the epochs that rules choose.
        """
        config, within = task.config, refreshes(task.config)  # then the training's ranks extract
        embeddings: Source | None = None
        if reads_features(config):
            embeddings = Features(task.dataset)
        elif not within:
            embeddings = task.embeddings(config)
        others = task.other_datasets()
        task.lap("extraction")
        trained = self._train(task, embeddings, others)
        task.lap("training")
        if embeddings is None:
            there = replace(config, extract=replace(config.extract, refresh="missing"))
            embeddings = task.embeddings(there)
        answers = None
        if isinstance(embeddings, EmbeddingCache):
            answers = answers_in(embeddings, task.fold.test)
        return Scores.trained(trained, embeddings, answers)

    def _train(self, task: Task, embeddings: Source | None, others: Sequence[OtherDataset]) -> Fit:
        """One training, after those of the inner folds where they choose its epoch."""
        config, dataset, fold, folder = task.config, task.dataset, task.fold, task.folder
        epochs, told = None, task.progress
        if config.selection == "inner":
            assert embeddings is not None  # `Config` refuses that the ranks make them
            share = config.selection_folds / (config.selection_folds + 1)
            inner = _between(task.progress, 0, share)
            told = _between(task.progress, share, 1)
            epochs = choose_epochs(config, dataset, fold, embeddings, folder, inner, others)
        return fit(config, dataset, fold, embeddings, folder, told, task.loggers, others, epochs)


def _between(
    progress: Callable[[float], None] | None, start: float, end: float
) -> Callable[[float], None] | None:
    """Tell the share of a part as a share of the whole."""
    return None if progress is None else lambda done: progress(start + done * (end - start))
