"""One stage of extraction over many videos, resumable at every video.

Captions and embeddings are made by the same loop: what is missing first, then what is there but
made from something else; one video that fails is reported, and the others go on.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Generic, TypeVar

from llmvs.cache.store import Store
from llmvs.console import FROM_ANY_RANK
from llmvs.datasets.video import Video
from llmvs.errors import UserError, VideoError
from llmvs.extraction.progress import Progress, all_ranks, checked
from llmvs.memory import enough_memory

logger = logging.getLogger(__name__)

Input = TypeVar("Input")
Model = TypeVar("Model")
Count = Callable[[int], object]
"""Called with the number of steps just done."""


class Stage(ABC, Generic[Input, Model]):
    """Make one record of a store per video. A stage says what it needs of a video, when a record is
    stale, and how one is made; the model is loaded for the first video that needs it.
    """

    def __init__(self, what: str, cache: Store, again: bool) -> None:
        """Open the stage.

        Args:
            what: is made, for the progress bar.
            cache: where the records go.
            again: make every record anew, also those that are there.
        """
        self.what, self.cache, self.again = what, cache, again
        self.made: list[str] = []
        self.reused: list[str] = []
        self._model: Model | None = None

    smaller = "use a smaller model"
    """What to do where the memory does not suffice for a video."""

    @abstractmethod
    def load(self) -> Model:
        """Load the model."""

    @abstractmethod
    def prepare(self, video: Video) -> Input:
        """Give what a video's record is made from.

        Raises:
            VideoError: it cannot be had.
        """

    @abstractmethod
    def stale(self, video: Video, given: Input) -> bool:
        """Tell whether the record of `video`, which is there, must be made again, and say why."""

    @abstractmethod
    def make(self, video: Video, given: Input, count: Count) -> None:
        """Make the record of a video and write it.

        Raises:
            VideoError: this video cannot be done.
            UserError: no video can.
        """

    @property
    def model(self) -> Model:
        """The model, loaded when it is first asked for, until the end of `run`."""
        if self._model is None:
            self._model = self.load()
        return self._model

    def there(self) -> frozenset[str]:
        """Name the videos whose records need not be made, as far as a look at the folder tells."""
        return frozenset() if self.again else frozenset(self.cache.keys())

    def run(self, videos: Sequence[Video], n_videos: int | None = None) -> dict[str, str]:
        """Make the records that are missing, then those that are stale.

        Args:
            videos: of this rank.
            n_videos: how many all ranks have together; None for a rank that is alone.

        Returns:
            Why a video could not be done, by key.

        Raises:
            UserError: what concerns all videos; too little memory for one.
        """
        there = self.there()
        new = [video for video in videos if video.key not in there]
        old = [video for video in videos if video.key in there]
        failed: dict[str, str] = {}
        lengths = [video.n_steps for video in new]
        with Progress(self.what, lengths, all_ranks(self.cache, n_videos)) as progress:
            for video in chain(new, checked(old)):
                try:
                    with enough_memory(f"{self.what} of {video.key}", self.smaller):
                        given = self.prepare(video)
                        if video.key in there and not self.stale(video, given):
                            self.reused.append(video.key)
                            continue
                        self.make(video, given, progress.steps)
                    self.made.append(video.key)
                except VideoError as error:
                    failed[video.key] = str(error)
                    logger.warning("%s", error, extra=FROM_ANY_RANK)
                progress.video()
        self._release()
        return failed

    def refuse_missing(self, videos: Sequence[Video], refusal: str) -> None:
        """Refuse to go on without records that may not be made (`extract.refresh=never`).

        Args:
            videos: whose records are needed.
            refusal: the line; `{video}` in it becomes the first video without one, and how many
                more there are.

        Raises:
            UserError: a record is missing.
        """
        there = self.there()
        if keys := [video.key for video in videos if video.key not in there]:
            raise UserError(refusal.replace("{video}", and_more(keys)))

    def _release(self) -> None:
        """Hand the model's memory back: the next stage needs it, or the training."""
        if self._model is not None:
            from llmvs.extraction.models import free_memory

            self._model = None
            free_memory()


def and_more(videos: Sequence[str]) -> str:
    """Say the first of what concerns some videos, and how many more there are.

    >>> and_more(["a"]), and_more(["a", "b", "c"])
    ('a', 'a (and 2 more videos)')
    """
    more = f" (and {len(videos) - 1} more videos)" if len(videos) > 1 else ""
    return f"{videos[0]}{more}"
