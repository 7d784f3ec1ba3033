"""Baselines that cost nothing. They ask what the language model and the network add.

    position         a curve over a video's relative time: the training videos' mean target
    caption_novelty  how little a step's caption says of what the others of its video say; untrained
    caption_ridge    ridge regression on the words of the captions
    embedding_ridge  ridge regression on the pooled query and answer embeddings
    visual_novelty   what is seen and heard, as a summary without a model is made of; untrained
                     (`llmvs.methods.visual`)

What is fitted is fitted on the fold's training videos, in closed form: nothing is drawn by chance,
no epoch is chosen.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmvs.cache.captions import CaptionCache
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.settings import reads_features
from llmvs.datasets import Fold
from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError, VideoError
from llmvs.extraction import identity
from llmvs.extraction.caption_stage import CaptionStage, SuppliedCaptions, open_captions
from llmvs.methods import method_of
from llmvs.methods.bags import Bags, novelty
from llmvs.methods.base import MadeFrom, Method, Scores, Task
from llmvs.methods.ridge import fit_ridge
from llmvs.models.datamodule import EmbeddingDataModule

Vector = npt.NDArray[np.float64]
BINS = 20
"""Parts of equal length that the curve over time has a value for."""
MOST_STEPS, WIDEST = 100_000, 2_048
"""Training steps, and numbers per step, up to which a ridge regression is fitted unasked: in
seconds.
"""


@dataclass(frozen=True)
class ReadFrom:
    """What scores were made from, where that is no cache of ours."""

    folder: Path
    identity: Mapping[str, Any] = field(default_factory=dict)


class Simple(Method):
    """Score the test videos one by one, after looking at the training videos."""

    def score(self, task: Task) -> Scores:
        """Fit what there is to fit, and score the fold's test videos.

        Raises:
            UserError: what the videos are scored by is not there, or ends early.
        """
        dataset, fold = task.dataset, task.fold
        train = [dataset.annotations_of(key) for key in (*fold.train, *fold.val)]
        test = [dataset.annotations_of(key) for key in fold.test]
        found = self.scored(task, train, test)
        task.lap("extraction")
        return Scores.untrained(task, found.test, found.scores, found.made_from, train=found.train)

    @abstractmethod
    def scored(
        self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]
    ) -> "Found":
        """Score the videos.

        Args:
            task: the fold.
            train: its training videos.
            test: its test videos.
        """

    @abstractmethod
    def ready(self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]) -> bool:
        """Whether it can score now, without anything being extracted and without a long fit."""


@dataclass(frozen=True)
class Found:
    """Scores of test videos."""

    test: Sequence[Annotations]
    """The videos, as far as they are scored."""
    scores: dict[str, npt.NDArray[np.float32]]
    """Key -> [T]."""
    made_from: MadeFrom
    train: Sequence[Annotations] = ()
    """The training videos that something was fitted on."""


class Position(Simple):
    """A step's score is the mean target of the training videos at its relative time."""

    def scored(
        self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]
    ) -> Found:
        """Fit the curve, and read it at every step."""
        if not train:
            raise UserError("method.model=position: no training videos to fit a curve on")
        curve = np.mean([_sampled(one.gtscore, BINS) for one in train], axis=0)
        places = (np.arange(BINS) + 0.5) / BINS
        scores = {one.key: np.interp(_relative(one.n_steps), places, curve) for one in test}
        return Found(test, narrow(scores), ReadFrom(Path(task.config.data.root)), train)

    def ready(self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]) -> bool:
        """With training videos."""
        return bool(train)


class CaptionNovelty(Simple):
    """A step's score is the TF-IDF distance of its caption from the rest of the video."""

    def scored(
        self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]
    ) -> Found:
        """Compare every caption with the others."""
        captions, made_from = _captions(task, test)
        test = [_as_far(task, one, len(captions[one.key])) for one in test]
        scores = {one.key: novelty(captions[one.key][: one.n_steps]) for one in test}
        return Found(test, narrow(scores), made_from)

    def ready(self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]) -> bool:
        """With the captions of the test videos."""
        return _captioned(task, test)


class CaptionRidge(Simple):
    """A step's score is predicted from the words of its caption."""

    def scored(
        self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]
    ) -> Found:
        """Fit on the training videos' captions."""
        captions, made_from = _captions(task, [*train, *test])
        train, test = (
            [_as_far(task, one, len(captions[one.key]), trains) for one in part]
            for part, trains in ((train, True), (test, False))
        )
        bags = Bags.of([captions[one.key][: one.n_steps] for one in train])
        if not bags.words:
            raise UserError(
                "method.model=caption_ridge: no word stands in enough captions of the training"
                " videos: too few captions for a regression on words"
            )
        rows = {one.key: bags.present(captions[one.key][: one.n_steps]) for one in [*train, *test]}
        return Found(test, narrow(_predicted(rows, train, test)), made_from, train)

    def ready(self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]) -> bool:
        """With the captions of all videos, if they are a benchmark's and no more."""
        return _few(train) and _captioned(task, [*train, *test])


class EmbeddingRidge(Simple):
    """A step's score is predicted from its pooled query and answer embeddings, side by side."""

    def scored(
        self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]
    ) -> Found:
        """Fit on the training videos' embeddings."""
        cache = task.embeddings(task.config)
        keys = tuple(one.key for one in train)
        data = EmbeddingDataModule(
            task.dataset,
            Fold(task.fold.index, keys, (), task.fold.test),
            cache,
            incomplete=task.config.data.incomplete,
        )
        data.setup()
        rows = {
            one.key: _side_by_side(cache, one)
            for part in ("train", "test")
            for one in data.videos[part]
        }
        train, test = data.videos["train"], data.videos["test"]
        sd = np.concatenate([rows[one.key] for one in train]).std(axis=0)
        rows = {key: value / np.where(sd > 0, sd, 1) for key, value in rows.items()}
        return Found(test, narrow(_predicted(rows, train, test)), cache, train)

    def ready(self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]) -> bool:
        """With narrow embeddings of all videos, if they are a benchmark's and no more."""
        made = method_of(task.config.method).weights == "head" and not reads_features(task.config)
        if not (made and _few(train)):
            return False
        cache = task.embeddings(task.config)
        return 2 * cache.read(test[0].key).q.shape[1] <= WIDEST


def _predicted(
    rows: Mapping[str, Vector], train: Sequence[Annotations], test: Sequence[Annotations]
) -> dict[str, Vector]:
    """Fit on some videos and predict others: [T] around the mean target, so that key shots, which
    are only chosen where they are worth something, can be chosen.
    """
    targets = [one.gtscore for one in train]
    weights = fit_ridge([rows[one.key] for one in train], targets)
    level = float(np.mean(np.concatenate(targets)))
    return {one.key: level + (rows[one.key] - rows[one.key].mean(axis=0)) @ weights for one in test}


def _captions(task: Task, videos: Sequence[Annotations]) -> tuple[dict[str, list[str]], ReadFrom]:
    """Every video's captions: given, or made where they are missing."""
    stage: CaptionStage | SuppliedCaptions = open_captions(task.config, task.dataset.name)
    whole = [task.dataset.video(one.key) for one in videos]
    failed = stage.run(whole)
    if failed:
        raise VideoError(next(iter(failed.values())))
    texts = {video.key: stage.read(video).texts for video in whole}
    if stage.cache is None:
        return texts, ReadFrom(stage.folder, {"captions": str(stage.folder)})
    return texts, ReadFrom(stage.cache.folder, dict(stage.cache.identity))


def _captioned(task: Task, videos: Sequence[Annotations]) -> bool:
    """Whether every video's captions are there, given or made by an earlier extraction."""
    config, wanted = task.config, {one.key for one in videos}
    if config.extract.captions is None:
        made = method_of(config.method).reads in ("captions", "embeddings")
        if not made or config.extract.embeddings is not None or reads_features(config):
            return False  # nobody asked for the captioner's name, which may take a request
        made_with = identity.captions_identity(config)
        folder = identity.folder(config, task.dataset.name, "captions", made_with)
        return wanted <= set(CaptionCache(folder, made_with).keys())
    stage = SuppliedCaptions(config, task.dataset.name)
    return all(stage.has(task.dataset.video(key)) for key in wanted)


def _few(train: Sequence[Annotations]) -> bool:
    return len(train) >= 2 and sum(one.n_steps for one in train) <= MOST_STEPS


def _as_far(task: Task, video: Annotations, n_steps: int, trains: bool = False) -> Annotations:
    """A video as far as its captions go.

    Raises:
        UserError: they end early, which is allowed of training videos, and of test videos with
            `data.incomplete=trim`.
    """
    if n_steps >= video.n_steps:
        return video
    if not trains and task.config.data.incomplete == "refuse":
        raise UserError(
            f"{video.key}: captions of {n_steps} of {video.n_steps} steps: data.incomplete=trim"
            " evaluates the first ones alone"
        )
    return video.trim(n_steps)


def _side_by_side(cache: EmbeddingCache, video: Annotations) -> Vector:
    """[T, 2 D] pooled query and answer."""
    found = cache.read(video.key)
    both = np.concatenate([found.q.float().numpy(), found.a.float().numpy()], axis=1)
    return both[: video.n_steps].astype(np.float64)


def _relative(n_steps: int) -> Vector:
    return (np.arange(n_steps) + 0.5) / n_steps


def _sampled(values: npt.NDArray[Any], bins: int) -> Vector:
    """Means over parts of equal length; a step that two parts share counts in each by its share."""
    edges = np.linspace(0, len(values), bins + 1)
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    at = np.interp(edges, np.arange(len(total)), total)
    return np.diff(at) / np.diff(edges)


def narrow(scores: Mapping[str, Vector]) -> dict[str, npt.NDArray[np.float32]]:
    """Scores as evaluation takes them."""
    return {key: value.astype(np.float32) for key, value in scores.items()}
