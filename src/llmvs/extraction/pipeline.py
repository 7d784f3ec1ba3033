"""From videos to the embedding cache, resumable at every video.

    CACHE/DATASET/captions-<hash>/    stage 1, see `captions`
    CACHE/DATASET/embeddings-<hash>/  stage 2, see `llmvs.cache.embeddings`

Each stage is one pure function per video, and a finished video is a finished file: whatever is
killed, the next run goes on behind it. The hash is that of everything that shaped the files, so
other settings make another folder, never a mixture. Model code is imported only where a model is
loaded: a run that finds its cache filled starts at once.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from llmvs.cache.captions import CaptionCache, Captions
from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.config.schema import Config
from llmvs.console import say
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Video, check_keys
from llmvs.errors import UserError, VideoError
from llmvs.extraction import examples, identity
from llmvs.extraction.captioning import Captioning
from llmvs.extraction.hub import BUILTIN, check_shipped
from llmvs.extraction.progress import Progress, all_ranks, checked
from llmvs.extraction.prompts import Example, Template, parse_number, windows
from llmvs.extraction.ranks import ALONE, Ranks

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
        captions = (
            "supplied"
            if self.captions is None
            else f"{len(self.captioned)} made, {self.n_captions_reused} reused"
        )
        line = (
            f"captions: {captions}; embeddings: {len(self.scored)} made, {len(self.reused)} reused"
            f" ({self.cache.folder})"
        )
        if self.not_numbers:
            line += f"; {self.not_numbers} answers are not a number from 0 to 10"
        return line + (f"; failed: {len(self.failed)}" if self.failed else "")

    def check(self) -> None:
        """Raise a UserError that names the first failed video, if there is one."""
        if self.failed:
            more = f" (and {len(self.failed) - 1} more videos)" if len(self.failed) > 1 else ""
            raise UserError(f"{next(iter(self.failed.values()))}{more}")


def extract(
    config: Config,
    dataset: str,
    sources: Sequence[Video],
    train: Sequence[Annotations] = (),
    ranks: Ranks = ALONE,
) -> Extraction:
    """Fill the caches for `sources`; what is there already is not made again, unless
    `extract.refresh=always`.

    Args:
        config: the settings; their identity decides the folders.
        dataset: name of the folder in the cache.
        sources: the videos.
        train: the fold's training videos, from which examples are drawn (only with
            `examples.source=fold`).
        ranks: which of the processes that share the videos this one is.

    Returns:
        The caches and what this rank did. A video that cannot be read is listed in `failed`; the
        others are done.

    Raises:
        UserError: what concerns all videos: two of one key, a model that cannot be loaded, a prompt
            beyond the context, a full disk.
    """
    check_keys(sources)
    drawn, alone = config.examples.source == "fold", ranks.world_size == 1
    everything = list(
        {
            source.key: source
            for source in [*sources, *((one.video for one in train) if drawn else ())]
        }.values()
    )
    stage = Captioning(config, dataset)
    if config.extract.refresh == "never":
        found = _Scoring(config, dataset, stage, worked_examples(config, train, stage))
        return found.refuse_missing(
            sources if ranks.rank == 0 else []
        )  # the first rank answers for all
    scoring = (
        None if drawn else _Scoring(config, dataset, stage, worked_examples(config, train, stage))
    )
    there = (scoring or stage).there()
    mine = ranks.share(everything, there)
    if any(source.key not in there for source in everything):  # on every rank alike
        check_shipped(config.backbone.scorer)
    if ranks.rank == 0 and not alone:
        _build(config)  # transformers saves a checkpoint on the first of connected ranks only
    ranks.barrier()  # nobody has written a video yet, so that all have shared out the same list
    failed = stage.run(mine, None if alone else len(everything))
    if drawn:
        ranks.barrier()  # the examples are drawn from the captions of all ranks
    scoring = scoring or _Scoring(config, dataset, stage, worked_examples(config, train, stage))
    asked = {source.key for source in sources} - failed.keys()
    result = scoring.run(
        [source for source in mine if source.key in asked], failed, None if alone else len(sources)
    )
    if alone:
        say(result.summary())
    return result


class _Scoring:
    """Stage 2 for all videos: write what is missing or was made from other captions."""

    def __init__(
        self, config: Config, dataset: str, stage: Captioning, shown: list[Example]
    ) -> None:
        made_with = identity.embeddings_identity(config, shown)
        place = identity.folder(config, dataset, "embeddings", made_with)
        if reason := identity.why_new(place, made_with):
            say(reason)
        self.config, self.stage, self.shown = config, stage, shown
        self.result = Extraction(EmbeddingCache(place, made_with), stage.cache, stage.done)
        self.scorer: Scorer | None = None

    def there(self) -> frozenset[str]:
        """The videos whose embeddings need not be made, as far as a look at the folder tells."""
        return (
            frozenset()
            if self.config.extract.refresh == "always"
            else frozenset(self.result.cache.keys())
        )

    def refuse_missing(self, sources: Sequence[Video]) -> Extraction:
        """The embeddings as they are, or a UserError where some are missing."""
        there, folder = self.there(), self.result.cache.folder
        missing = [source.key for source in sources if source.key not in there]
        if missing:
            more = f" (and {len(missing) - 1} more videos)" if len(missing) > 1 else ""
            raise UserError(
                f"extract.refresh=never: {folder} has no embeddings of {missing[0]}{more}: "
                "run `llmvs extract` with the same settings where the models are"
            )
        self.result.reused = [source.key for source in sources]
        return self.result

    def run(
        self, sources: Sequence[Video], failed: dict[str, str], n_videos: int | None
    ) -> Extraction:
        result, there = self.result, self.there()
        result.n_captions_reused, result.failed = self.stage.n_reused, failed
        new, old = (
            [source for source in sources if source.key not in there],
            [source for source in sources if source.key in there],
        )
        with Progress(
            "embeddings", [source.n_steps for source in new], all_ranks(result.cache, n_videos)
        ) as progress:
            for source in itertools.chain(new, checked(old)):
                try:
                    captions = self.stage.read(source)
                    if source.key in there and self._fresh(source.key, captions):
                        result.reused.append(source.key)
                        continue
                    self._embed(source.key, captions, progress)
                except VideoError as error:
                    failed[source.key] = str(error)
                    progress.say(str(error))
                progress.video()
        if self.scorer is not None:
            from llmvs.extraction.models import free_memory

            self.scorer = None
            free_memory()
        return result

    def _fresh(self, key: str, captions: Captions) -> bool:
        """Whether the embeddings that are there are whole, and made from these captions."""
        cache = self.result.cache
        try:
            if cache.captions_hash(key) == captions.sha256():
                return True
            say(f"{key}: its captions changed since its embeddings were made: extracted again")
        except UserError:
            say(f"{cache.path(key)}: damaged: extracted again")
        return False

    def _load(self) -> "Scorer":
        from llmvs.extraction import models
        from llmvs.extraction.scorer import Scorer

        prompt, device = self.config.prompt, models.pick_device(self.config.accelerator)
        model, tokenizer = models.load_scorer(self.config.backbone, Path(self.config.cache), device)
        return Scorer(
            model,
            Template(tokenizer, prompt.style, self.shown),
            prompt.max_tokens,
            self.config.extract,
        )

    def _embed(self, key: str, captions: Captions, progress: Progress) -> None:
        scorer = self.scorer = self.scorer or self._load()
        scored = scorer(windows(captions.texts, self.config.prompt.window), progress.steps)
        steps = torch.tensor(captions.frames)
        try:
            embeddings = Embeddings(
                scored.q, scored.a, steps, scored.answer_ids, scored.answers, scored.tokens
            )
        except UserError as error:
            raise VideoError(f"{key}: {error}: set backbone.dtype=bfloat16 or float32") from error
        made_with = identity.provenance(scorer.reader.model.device) | {
            "engine": scorer.engine_name,
            "dtype": str(scored.q.dtype),
        }
        self.result.cache.write(key, embeddings, captions.sha256(), made_with)
        self.result.scored.append(key)
        if self.config.prompt.style == "numeric":
            self.result.not_numbers += sum(
                parse_number(answer) is None for answer in scored.answers
            )


def _build(config: Config) -> None:
    """Write the built-in models that are asked for and not there yet."""
    if any(
        name.startswith(BUILTIN) for name in (config.backbone.captioner, config.backbone.scorer)
    ):
        from llmvs.extraction.models import build

        build(config.backbone, Path(config.cache))


def worked_examples(
    config: Config, train: Sequence[Annotations], stage: Captioning
) -> list[Example]:
    """The worked examples that the settings ask for."""
    chosen, size = config.examples, config.prompt.window
    if chosen.source == "fixed":
        return examples.fixed(chosen.count, size)
    if config.prompt.style == "summary" and chosen.count:
        raise UserError(
            "examples.source=fold: a dataset has scores but no summaries: use examples.source=fixed"
            " with prompt.style=summary"
        )
    sources = {video.key: video.video for video in train}
    return examples.draw(
        train, lambda key: stage.read(sources[key]).texts, chosen.count, size, chosen.seed
    )
