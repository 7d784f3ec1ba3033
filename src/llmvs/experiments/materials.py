"""What is at hand of a run's test videos besides scores and annotations: captions, answers, and
what the head's scores lean on. What is not at hand is left out, and a note says why.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from llmvs.cache.captions import CaptionCache, beside, visual_features
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import Config
from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError
from llmvs.extraction.caption_stage import SuppliedCaptions
from llmvs.methods import method_of
from llmvs.models.pretrained import LLMVS
from llmvs.results.schema import Result
from llmvs.summary.leaning import LONGEST, Leaning, leaning

logger = logging.getLogger(__name__)
Made = TypeVar("Made")


class Materials:
    """Reads of every video what its page shows besides scores and annotations."""

    def __init__(self, run: Path, config: Config, result: Result) -> None:
        """Look for the caches and the head of a finished run.

        Args:
            run: its folder.
            config: its settings; `cache` is where its caches lie now.
            result: what it left.
        """
        self.config, self.dataset = config, result.dataset
        self.method = method_of(config.method)
        self.head: LLMVS | None = None
        self.embeddings: EmbeddingCache | None = None
        self.captions: CaptionCache | None = None
        """Captions, or, of a method that reads frames, a captioner's answers."""
        self._noted: set[str] = set()
        folder = Path(result.embeddings.folder)
        moved = Path(config.cache) / result.dataset / folder.name
        folder = folder if folder.is_dir() else moved
        if self.method.reads == "embeddings":
            self.embeddings = self._unless_missing(lambda: EmbeddingCache(folder))
            if self.embeddings is not None:
                self.captions = beside(folder, self.embeddings.identity)
            if self.method.weights == "head" and self.embeddings is not None:
                self.head = self._unless_missing(lambda: LLMVS.from_pretrained(run))
        elif self.method.reads in ("captions", "frames") and not config.extract.captions:
            self.captions = self._unless_missing(lambda: CaptionCache(folder))

    def captions_of(self, video: Annotations) -> list[str] | None:
        """T captions."""
        supplied = SuppliedCaptions(self.config, self.dataset)
        if self.config.extract.captions:
            return self._texts(video, lambda: supplied.read(video.video).texts)
        cache = self.captions
        if cache is None or self.method.reads == "frames":
            return None
        return self._texts(video, lambda: self._those_embedded(cache, video.key))

    def answers_of(self, video: Annotations) -> list[str] | None:
        """T answers of the frozen model; none of a fine-tuned one."""
        if self.method.weights == "adapter":
            return None
        cache, embeddings = self.captions, self.embeddings
        if self.method.reads == "frames" and cache is not None:
            return self._texts(video, lambda: cache.read(video.key).texts)
        if embeddings is None:
            return None
        return self._texts(video, lambda: list(embeddings.read(video.key).answers))

    def leaning_of(self, video: Annotations) -> Leaning | None:
        """What the head's scores lean on; None of a head in which no step sees another one."""
        if self.head is None:
            return None
        if video.n_steps > LONGEST:
            self._note(f"{video.key}: {video.n_steps} steps: too long to follow attention")
            return None
        return self._unless_missing(lambda: self._followed(video))

    def _followed(self, video: Annotations) -> Leaning | None:
        assert self.head is not None
        assert self.embeddings is not None
        made = self.embeddings.read(video.key)
        reads_pictures = "v" in self.head.config.inputs
        v = visual_features(self.embeddings, video.key) if reads_pictures else None
        weights = self.head.attention(made.q, made.a, v)
        if weights is None or len(weights) != video.n_steps:
            return None
        return leaning(weights.numpy())

    def _those_embedded(self, cache: CaptionCache, key: str) -> list[str]:
        """The captions from which the embeddings were made, if they still are the same.

        Raises:
            UserError: they are not.
        """
        found = cache.read(key)
        if self.embeddings is not None and found.sha256() != self.embeddings.captions_hash(key):
            raise UserError(f"{cache.path(key)}: not the captions that were embedded")
        return found.texts

    def _texts(self, video: Annotations, read: Callable[[], list[str]]) -> list[str] | None:
        """T texts; of those that end early the rest is empty."""
        found = self._unless_missing(read)
        return None if not found else (found + [""] * video.n_steps)[: video.n_steps]

    def _unless_missing(self, make: Callable[[], Made]) -> Made | None:
        try:
            return make()
        except UserError as error:
            self._note(str(error))
            return None

    def _note(self, reason: str) -> None:
        if reason not in self._noted:
            self._noted.add(reason)
            logger.warning("note: left out of the pages: %s", reason)
