"""From videos to the embedding cache, resumable at every video.

    CACHE/DATASET/captions-<hash>/    stage 1, see `captions`
    CACHE/DATASET/embeddings-<hash>/  stage 2, see `llmvs.embeddings`

Each stage is one pure function per video, and a finished video is a finished file: whatever is killed, the next run goes
on behind it. The hash is that of everything that shaped the files, so other settings make another folder, never a mixture.
Model code is imported only where a model is loaded: a run that finds its cache filled starts at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from llmvs.config import Config
from llmvs.console import say
from llmvs.datasets.base import Video
from llmvs.embeddings import EmbeddingCache, Embeddings
from llmvs.errors import UserError, VideoError
from llmvs.extraction import examples, identity
from llmvs.extraction.captioning import Captioning
from llmvs.extraction.captions import CaptionCache
from llmvs.extraction.progress import Progress
from llmvs.extraction.prompts import Example, Template, parse_number, windows
from llmvs.extraction.source import Source, check_keys

if TYPE_CHECKING:
    from llmvs.extraction.scorer import Scorer


@dataclass
class Extraction:
    """What a run of `extract` did."""

    cache: EmbeddingCache
    """The embeddings, old and new."""
    captions: CaptionCache | None
    """The captions and vision features; None where captions were supplied."""
    captioned: list[str] = field(default_factory=list)
    """Videos captioned by this run."""
    n_captions_reused: int = 0
    """Videos whose captions were there already."""
    scored: list[str] = field(default_factory=list)
    """Videos whose embeddings were made by this run."""
    reused: list[str] = field(default_factory=list)
    """Videos whose embeddings were there already."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why a video has no embeddings, by key."""
    not_numbers: int = 0
    """Answers of this run that are not a number from 0 to 10 (kept as they are)."""

    def summary(self) -> str:
        """One line that says what was done and what was reused."""
        captions = "supplied" if self.captions is None else f"{len(self.captioned)} made, {self.n_captions_reused} reused"
        line = f"captions: {captions}; embeddings: {len(self.scored)} made, {len(self.reused)} reused ({self.cache.folder})"
        if self.not_numbers:
            line += f"; {self.not_numbers} answers are not a number from 0 to 10"
        return line + (f"; failed: {len(self.failed)}" if self.failed else "")

    def check(self) -> None:
        """Raise a UserError that names the first failed video, if there is one."""
        if self.failed:
            more = f" (and {len(self.failed) - 1} more videos)" if len(self.failed) > 1 else ""
            raise UserError(f"{next(iter(self.failed.values()))}{more}")


def extract(config: Config, dataset: str, sources: Sequence[Source], train: Sequence[Video] = ()) -> Extraction:
    """Fill the caches for `sources`; what is there already is not made again.

    Args:
        config: the settings; their identity decides the folders.
        dataset: name of the folder in the cache.
        sources: the videos.
        train: the fold's training videos, from which examples are drawn (only with `examples.source=fold`).

    Returns:
        The caches and what was done. A video that cannot be read is listed in `failed`; the others are done.

    Raises:
        UserError: what concerns all videos: two of one key, a model that cannot be loaded, a prompt beyond the context, a full disk.
    """
    check_keys(sources)
    drawn_from = [Source.of(video) for video in train] if config.examples.source == "fold" else []
    everything = list({source.key: source for source in [*sources, *drawn_from]}.values())
    stage = Captioning(config, dataset)
    failed = stage.run(everything)
    shown = _examples(config, train, stage)
    made_with = identity.embeddings_identity(config, shown)
    place = identity.folder(config, dataset, "embeddings", made_with)
    if reason := identity.why_new(place, made_with):
        say(reason)
    result = Extraction(EmbeddingCache(place, made_with), stage.cache, stage.done, stage.n_reused, failed=failed)
    _Scoring(config, stage, shown, result).run([source for source in sources if source.key not in failed])
    say(result.summary())
    return result


class _Scoring:
    """Stage 2 for all videos: write what is missing or was made from other captions."""

    def __init__(self, config: Config, stage: Captioning, shown: list[Example], result: Extraction) -> None:
        self.config, self.stage, self.shown, self.result = config, stage, shown, result

    def run(self, sources: Sequence[Source]) -> None:
        todo = [source for source in sources if not self._fresh(source)]
        if not todo:
            return
        from llmvs.extraction import models
        from llmvs.extraction.scorer import Scorer

        config = self.config
        device = models.pick_device(config.accelerator)
        model, tokenizer = models.load_scorer(config.backbone, Path(config.cache), device)
        scorer = Scorer(model, Template(tokenizer, config.prompt.style, self.shown), config.prompt.max_tokens, config.extract)
        with Progress("embeddings", [None if source.picks is None else len(source.picks) for source in todo]) as progress:
            for source in todo:
                try:
                    self._embed(source, scorer, progress)
                except VideoError as error:
                    self.result.failed[source.key] = str(error)
                    progress.say(str(error))
                progress.video()

    def _fresh(self, source: Source) -> bool:
        """Whether the embeddings are there and made from the captions of today."""
        cache = self.result.cache
        if source.key not in cache:
            return False
        try:
            fresh = cache.captions_hash(source.key) == self.stage.read(source).sha256()
        except VideoError:
            return False  # reported when its turn comes
        if fresh:
            self.result.reused.append(source.key)
        else:
            say(f"{source.key}: its captions changed since its embeddings were made: extracted again")
        return fresh

    def _embed(self, source: Source, scorer: "Scorer", progress: Progress) -> None:
        captions = self.stage.read(source)
        scored = scorer(windows(captions.texts, self.config.prompt.window), progress.steps)
        steps = torch.tensor(captions.frames)
        try:
            embeddings = Embeddings(scored.q, scored.a, steps, scored.answer_ids, scored.answers, scored.tokens)
        except UserError as error:
            raise VideoError(f"{source.key}: {error}: set backbone.dtype=bfloat16 or float32") from error
        made_with = identity.provenance(scorer.reader.model.device) | {"engine": scorer.engine_name, "dtype": str(scored.q.dtype)}
        self.result.cache.write(source.key, embeddings, captions.sha256(), made_with)
        self.result.scored.append(source.key)
        if self.config.prompt.style == "numeric":
            self.result.not_numbers += sum(parse_number(answer) is None for answer in scored.answers)
        progress.video()


def _examples(config: Config, train: Sequence[Video], stage: Captioning) -> list[Example]:
    """The worked examples that the settings ask for."""
    chosen, size = config.examples, config.prompt.window
    if chosen.source == "fixed":
        return examples.fixed(chosen.count, size)
    if config.prompt.style == "summary" and chosen.count:
        raise UserError("examples.source=fold: a dataset has scores but no summaries: use examples.source=fixed with prompt.style=summary")
    sources = {video.key: Source.of(video) for video in train}
    return examples.draw(train, lambda key: stage.read(sources[key]).texts, chosen.count, size, chosen.seed)
