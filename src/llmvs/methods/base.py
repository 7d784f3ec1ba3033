"""What every method takes and gives: one fold to score, and the scores of its videos."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import Config
from llmvs.datasets import Dataset, Fold
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Array
from llmvs.evaluation.criteria import criteria
from llmvs.evaluation.metric import VideoScores
from llmvs.evaluation.protocols import rank_correlations
from llmvs.methods.answers import Answers
from llmvs.models.datamodule import OtherDataset
from llmvs.training.fit import Epoch, Fit
from llmvs.training.loggers import RunLoggers
from llmvs.training.selection import Selection


@dataclass(frozen=True)
class Task:
    """One fold to score, and what a method may use for it."""

    config: Config
    dataset: Dataset
    fold: Fold
    """Which videos train, hold out and test."""
    folder: Path
    """Of the run: weights, checkpoints and curves go there."""
    embeddings: Callable[[Config], EmbeddingCache]
    """Makes the embeddings of the fold's videos under some settings (`config`'s), or finds them."""
    other_datasets: Callable[[], Sequence[OtherDataset]]
    """Makes or finds those of the other datasets to train on (`data.extra`)."""
    lap: Callable[[str], None]
    """Call it with the name of a stage when that stage ends: its wall time goes into the result."""
    progress: Callable[[float], None] | None
    """Told the share of the training that is done, 0 to 1, in place of a progress bar."""
    loggers: RunLoggers
    """Where curves go."""


class MadeFrom(Protocol):
    """Where scores come from: a cache, or a folder of the user's."""

    @property
    def folder(self) -> Path:
        """The folder."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What made its files: setting -> value."""


@dataclass(frozen=True)
class Scores:
    """The scores of a fold's videos."""

    epochs: dict[str, Epoch]
    """Rule (`last`, and `test` and `val` where epochs were compared, by every criterion) -> the
    epoch it chooses, with the step scores of the val and test videos.
    """
    selection: Selection
    """The rule whose epoch is the run's result, and by what epochs were compared."""
    videos: dict[str, list[Annotations]]
    """Part (`train`, `val`, `test`) -> its videos as they were used: trimmed where their embeddings
    end early.
    """
    made_from: "MadeFrom"
    """The embeddings, the answers of a captioner, or what else was read."""
    n_epochs: int = 0
    """How many epochs were trained."""
    answers: Answers | None = None
    """What the frozen model answered about the test videos without any training, where it was asked
    for numbers: the zero-shot row.
    """
    zero_shot: bool = False
    """Whether those answers are the scores."""

    @classmethod
    def trained(
        cls,
        fit: Fit,
        made_from: "MadeFrom",
        answers: Answers | None,
    ) -> "Scores":
        """The scores that a training left, beside the frozen model's answers."""
        return cls(fit.epochs, fit.selection, fit.videos, made_from, len(fit.history), answers)

    @classmethod
    def untrained(
        cls,
        task: Task,
        test: Sequence[Annotations],
        scores: Mapping[str, Array],
        made_from: "MadeFrom",
        answers: Answers | None = None,
        train: Sequence[Annotations] = (),
    ) -> "Scores":
        """The scores of a method without epochs: one, chosen by the rule `last`.

        Args:
            task: the fold.
            test: its test videos, as far as they were scored.
            scores: video -> float32 [T] step scores.
            made_from: what the scores were made from.
            answers: where the scores are a model's answers, those.
            train: the training videos that something was fitted on.
        """
        metric = VideoScores(test, rank_correlations(task.dataset))
        for index, video in enumerate(test):
            metric.update(torch.tensor([index]), torch.from_numpy(scores[video.key])[None])
        found = metric.gathered()
        undefined = {"test": found.undefined} if found.undefined else {}
        epoch = Epoch(-1, {"test": found.means}, {"test": found.loss}, found.scores, undefined)
        return cls(
            {"last": epoch},
            Selection("last", criteria(task.config.selection_by, task.dataset)),
            {**({"train": list(train)} if train else {}), "test": list(test)},
            made_from,
            answers=answers,
            zero_shot=answers is not None,
        )

    @property
    def selected(self) -> Epoch:
        """The epoch of the run's result."""
        return self.epochs[self.selection.rule]


class Method(ABC):
    """A way to give every step of a video its score."""

    @abstractmethod
    def score(self, task: Task) -> Scores:
        """Train what there is to train, and score the fold's videos.

        Raises:
            UserError: anything that the user can mend; what is already computed stays.
        """
