"""The paper's method: a head that is trained on frozen embeddings of the fold's videos."""

from llmvs.methods.answers import answers_in
from llmvs.methods.base import Method, Scores, Task
from llmvs.training.fit import fit


class TrainedHead(Method):
    """Train the head on query and answer embeddings."""

    def score(self, task: Task) -> Scores:
        """Extract what is missing, train, and give the scores at the epochs that rules choose."""
        config, embeddings = task.config, task.embeddings()
        others = task.other_datasets()
        task.lap("extraction")
        trained = fit(
            config,
            task.dataset,
            task.fold,
            embeddings,
            task.folder,
            task.progress,
            task.log,
            others,
        )
        task.lap("training")
        answers = answers_in(embeddings, task.fold.test)
        return Scores.trained(trained, embeddings, config.optim.epochs, answers)
