"""Stage 2 over many videos: the embeddings of every video, made by a frozen language model from its
captions.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from llmvs.cache.captions import Captions
from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.cache.fingerprint import why_new
from llmvs.config.schema import Config
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Video
from llmvs.errors import UserError, VideoError
from llmvs.extraction import examples, identity
from llmvs.extraction.answer_text import parse_number
from llmvs.extraction.caption_stage import AnyCaptions
from llmvs.extraction.checked_engines import CheckedEngines
from llmvs.extraction.prompts import Example, Template, windows, wording_of
from llmvs.extraction.spoken import with_words
from llmvs.extraction.stage import Count, Stage

if TYPE_CHECKING:
    from llmvs.extraction.scorer import Scorer

logger = logging.getLogger(__name__)


class ScoringStage(Stage[Captions, "Scorer"]):
    """Embeddings of what a frozen language model makes of every window of captions."""

    cache: EmbeddingCache

    def __init__(
        self, config: Config, dataset: str, captions: AnyCaptions, shown: Sequence[Example]
    ) -> None:
        """Open the cache of embeddings.

        Args:
            config: the settings.
            dataset: name of the folder in the cache.
            captions: where every video's captions are read.
            shown: the worked examples of the prompt.
        """
        self.config, self.captions, self.shown = config, captions, shown
        self.not_numbers = 0
        made_with = identity.embeddings_identity(config, shown)
        place = identity.folder(config, dataset, "embeddings", made_with)
        if reason := why_new(place, made_with):
            logger.info("%s", reason)
        again = config.extract.refresh == "always"
        super().__init__("embeddings", EmbeddingCache(place, made_with), again)
        given = config.extract.tokens_per_batch
        self.smaller = (
            f"reduce extract.tokens_per_batch{f'={given}' if given else ''}, or set"
            " backbone.quantize"
        )

    def load(self) -> "Scorer":
        """Load the scorer."""
        from llmvs.extraction import models
        from llmvs.extraction.scorer import Scorer

        prompt, device = self.config.prompt, models.pick_device(self.config.accelerator)
        model, tokenizer = models.load_scorer(self.config.backbone, Path(self.config.cache), device)
        template = Template(
            tokenizer, prompt.style, self.shown, prompt.template, wording_of(prompt)
        )
        if template.chat.thinks and prompt.style == "numeric":
            logger.warning(
                "backbone.scorer=%s: its chat template opens a block of reasoning and has no "
                "switch for it that llmvs knows: an answer counts as a number only if it "
                "closes that block within prompt.max_tokens=%s (a switch of its own goes into "
                "prompt.template)",
                self.config.backbone.scorer,
                prompt.max_tokens,
            )
        made_with = {
            **identity.provenance(model.device),
            "scorer": str(self.cache.identity["scorer"]),
            "dtype": str(model.dtype),
            "quantize": self.config.backbone.quantize,
        }
        checked = CheckedEngines(Path(self.config.cache), made_with)
        return Scorer(model, template, prompt.max_tokens, self.config.extract, checked)

    def prepare(self, video: Video) -> Captions:
        """Read the video's captions, and what is said meanwhile where that is asked for."""
        captions, prompt = self.captions.read(video), self.config.prompt
        return with_words(captions, video, prompt.window) if prompt.spoken else captions

    def stale(self, video: Video, given: Captions) -> bool:
        """Tell whether the embeddings that are there are damaged, or of other captions."""
        key = video.key
        try:
            if (self.cache.captions_hash(key), self.cache.spoken_hash(key)) == (
                given.sha256(),
                given.spoken_sha256(),
            ):
                return False
            logger.warning(
                "%s: its captions or subtitles changed since its embeddings: extracted again",
                key,
            )
        except UserError:
            logger.warning("%s: damaged: extracted again", self.cache.path(key))
        return True

    def make(self, video: Video, given: Captions, count: Count) -> None:
        """Score the windows of one video.

        Raises:
            VideoError: the model makes NaN or infinite values of it.
            UserError: a prompt beyond the model's context, or too little memory.
        """
        scorer = self.model
        scored = scorer(windows(given.texts, self.config.prompt.window, given.words), count)
        steps = torch.tensor(given.frames)
        try:
            embeddings = Embeddings(
                scored.q, scored.a, steps, scored.answer_ids, scored.answers, scored.tokens
            )
        except UserError as error:
            raise VideoError(
                f"{video.key}: {error}: set backbone.dtype=bfloat16 or float32"
            ) from error
        made_with = identity.provenance(scorer.reader.model.device) | {
            "engine": scorer.engine_name,
            "dtype": str(scored.q.dtype),
        }
        self.cache.write(video.key, embeddings, given.sha256(), made_with, given.spoken_sha256())
        if self.config.prompt.style == "numeric":
            self.not_numbers += sum(parse_number(answer) is None for answer in scored.answers)


def worked_examples(
    config: Config, train: Sequence[Annotations], captions: AnyCaptions
) -> list[Example]:
    """Give the worked examples that the settings ask for; those of a fold need its captions.

    Raises:
        UserError: examples of a fold where the prompt asks for summaries, which no dataset has.
    """
    chosen, size = config.examples, config.prompt.window
    if chosen.source == "fixed":
        return examples.fixed(chosen.count, size)
    if config.prompt.style == "summary" and chosen.count:
        raise UserError(
            "examples.source=fold: a dataset has scores but no summaries: use examples.source=fixed"
            " with prompt.style=summary"
        )
    videos = {one.key: one.video for one in train}
    return examples.draw(
        train, lambda key: captions.read(videos[key]).texts, chosen.count, size, chosen.seed
    )
