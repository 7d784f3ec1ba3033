"""A frozen model by itself: the scorer's or the captioner's own numbers as scores (paper, the
zero-shot rows).

The scorer's answers are those in the embedding cache. The captioner is asked
`prompts.FRAME_QUESTION` about every frame, and its answers are cached like captions. Nothing is
trained, so there is one epoch, and only the rule `last`.
"""

from llmvs.cache.captions import CaptionCache
from llmvs.config.schema import Config
from llmvs.datasets import Dataset, Fold
from llmvs.errors import UserError
from llmvs.extraction.caption_stage import ask_frames
from llmvs.methods.answers import Answers, answers_in
from llmvs.methods.base import Method, Scores, Task
from llmvs.models.datamodule import EmbeddingDataModule


class ZeroShotScorer(Method):
    """What the scorer answered about the test videos while their embeddings were made."""

    def score(self, task: Task) -> Scores:
        """Extract what is missing, and read the answers.

        Raises:
            UserError: the embeddings come without answers, or end early.
        """
        cache, test = task.embeddings(task.config), task.fold.test
        data = EmbeddingDataModule(
            task.dataset,
            Fold(task.fold.index, test, (), test),
            cache,
            incomplete=task.config.data.incomplete,
        )
        data.setup()
        answers = answers_in(cache, test)
        if answers is None:
            raise UserError(
                f"method.model=scorer: the embeddings in {cache.folder} hold no answers: leave"
                " extract.embeddings out"
            )
        task.lap("extraction")
        return Scores.untrained(task, data.videos["test"], answers.scores, cache, answers)


class ZeroShotCaptioner(Method):
    """What the captioner answers about every frame of the test videos."""

    def score(self, task: Task) -> Scores:
        """Ask, unless the answers are there already.

        Raises:
            UserError: a video cannot be read, or several processes are asked for.
        """
        cache, answers = ask_captioner(task.config, task.dataset, task.fold)
        task.lap("extraction")
        videos = [task.dataset.annotations_of(key) for key in task.fold.test]
        return Scores.untrained(task, videos, answers.scores, cache, answers)


def ask_captioner(config: Config, dataset: Dataset, fold: Fold) -> tuple[CaptionCache, Answers]:
    """Ask the captioner about every frame of the test videos; answers that are there already are
    reused.

    Returns:
        Where its answers are, and the numbers in them.

    Raises:
        UserError: a video cannot be read, or several processes are asked for.
    """
    if config.devices * config.num_nodes > 1:
        raise UserError(
            f"devices={config.devices} num_nodes={config.num_nodes}: the captioner is asked about"
            " frames by one process: set both to 1 with method.model=captioner"
        )
    videos = [dataset.video(key) for key in fold.test]
    cache = ask_frames(config, dataset.name, videos)
    return cache, Answers.of("captioner", {key: cache.read(key).texts for key in fold.test})
