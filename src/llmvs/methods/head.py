"""The paper's method: a head that is trained on frozen embeddings of the fold's videos, or on the
features that the dataset's h5 file brings along.
"""

from dataclasses import replace

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.settings import reads_features
from llmvs.datasets.features import Features
from llmvs.methods.answers import answers_in
from llmvs.methods.base import Method, Scores, Task
from llmvs.models.sources import Source
from llmvs.training.fit import fit
from llmvs.training.trainer import refreshes


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
        trained = fit(
            config,
            task.dataset,
            task.fold,
            embeddings,
            task.folder,
            task.progress,
            task.loggers,
            others,
        )
        task.lap("training")
        if embeddings is None:
            there = replace(config, extract=replace(config.extract, refresh="missing"))
            embeddings = task.embeddings(there)
        answers = None
        if isinstance(embeddings, EmbeddingCache):
            answers = answers_in(embeddings, task.fold.test)
        return Scores.trained(trained, embeddings, config.optim.epochs, answers)
