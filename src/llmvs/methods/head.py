"""The paper's method: a head that is trained on frozen embeddings of the fold's videos."""

from dataclasses import replace

from llmvs.methods.answers import answers_in
from llmvs.methods.base import Method, Scores, Task
from llmvs.training.fit import fit
from llmvs.training.trainer import refreshes


class TrainedHead(Method):
    """Train the head on query and answer embeddings."""

    def score(self, task: Task) -> Scores:
        """Extract what is missing, train, and give the scores at the epochs that rules choose."""
        config, within = task.config, refreshes(task.config)  # then the training's ranks extract
        embeddings = None if within else task.embeddings(config)
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
        answers = answers_in(embeddings, task.fold.test)
        return Scores.trained(trained, embeddings, config.optim.epochs, answers)
