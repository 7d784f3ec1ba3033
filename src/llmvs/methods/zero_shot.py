"""A frozen model by itself: the scorer's or the captioner's own numbers as scores (paper, the
zero-shot rows).

The scorer's answers are those in the embedding cache. The captioner is asked
`prompts.FRAME_QUESTION` about every frame, and its answers are cached like captions. Nothing is
trained, so there is one epoch, and only the rule `last`.
"""

from typing import NamedTuple

import torch

from llmvs.cache.captions import CaptionCache
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import Config
from llmvs.datasets import Dataset, Fold
from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError
from llmvs.evaluation.metric import VideoScores
from llmvs.evaluation.protocols import protocols
from llmvs.extraction.captioning import ask_frames
from llmvs.methods.answers import Answered, answered
from llmvs.models.datamodule import EmbeddingDataModule
from llmvs.training.fit import Epoch, Fit


class Asked(NamedTuple):
    """What a frozen model said of a fold's test videos."""

    fitted: Fit
    """Its scores, in the form of a training's outcome."""
    cache: EmbeddingCache | CaptionCache
    """Where its answers are."""
    numbers: Answered


def ask(config: Config, dataset: Dataset, fold: Fold) -> Asked:
    """Ask the captioner about every frame of the test videos; answers that are there already are
    reused.

    Raises:
        UserError: a video cannot be read, or several processes are asked for.
    """
    if config.devices * config.num_nodes > 1:
        raise UserError(
            f"devices={config.devices} num_nodes={config.num_nodes}: the captioner is asked about"
            " frames by one process: set both to 1 with method.model=captioner"
        )
    videos = [dataset.annotations_of(key) for key in fold.test]
    cache = ask_frames(config, dataset.name, [video.video for video in videos])
    numbers = Answered.of({key: cache.read(key).texts for key in fold.test})
    return Asked(_as_fit(dataset, videos, numbers), cache, numbers)


def read(config: Config, dataset: Dataset, fold: Fold, cache: EmbeddingCache) -> Asked:
    """Read what the scorer answered about the test videos while their embeddings were made.

    Raises:
        UserError: the embeddings come without answers, or end early.
    """
    data = EmbeddingDataModule(
        dataset,
        Fold(fold.index, fold.test, (), fold.test),
        cache,
        incomplete=config.data.incomplete,
    )
    data.setup()
    numbers = answered(cache, fold.test)
    if numbers is None:
        raise UserError(
            f"method.model=scorer: the embeddings in {cache.folder} hold no answers: leave"
            " extract.embeddings out"
        )
    return Asked(_as_fit(dataset, data.videos["test"], numbers), cache, numbers)


def _as_fit(dataset: Dataset, test: list[Annotations], found: Answered) -> Fit:
    metric = VideoScores(test, protocols(dataset))
    for index, video in enumerate(test):
        metric.update(torch.tensor([index]), torch.from_numpy(found.scores[video.key])[None])
    verdict = metric.verdict()
    undefined = {"test": verdict.undefined} if verdict.undefined else {}
    epoch = Epoch(-1, {"test": verdict.means}, {"test": verdict.loss}, verdict.scores, undefined)
    return Fit({"last": epoch}, "last", {"test": test}, [], 0.0, 0)
