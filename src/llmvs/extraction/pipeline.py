"""From videos to the embedding cache, resumable at every video.

    CACHE/DATASET/captions-<hash>/    stage 1, see `caption_stage` and `llmvs.cache.captions`
    CACHE/DATASET/embeddings-<hash>/  stage 2, see `scoring_stage` and `llmvs.cache.embeddings`

Both are the same loop over videos (see `stage`), and a finished video is a finished file: whatever
is killed, the next run goes on behind it. The hash is that of everything that shaped the files, so
other settings make another folder, never a mixture. Model code is imported only where a model is
loaded: a run that finds its cache filled starts at once.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmvs.cache.captions import CaptionCache
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import Config
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Video, check_keys
from llmvs.errors import UserError
from llmvs.extraction import builtin
from llmvs.extraction.caption_stage import open_captions
from llmvs.extraction.hub import check
from llmvs.extraction.ranks import ALONE, Ranks
from llmvs.extraction.scoring_stage import ScoringStage, worked_examples
from llmvs.extraction.stage import and_more

logger = logging.getLogger(__name__)


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
            raise UserError(and_more(list(self.failed.values())))


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
    captions = open_captions(config, dataset)

    def open_scoring() -> ScoringStage:
        shown = worked_examples(config, train, captions)
        return ScoringStage(config, dataset, captions, shown)

    if config.extract.refresh == "never":
        return _as_it_is(open_scoring(), sources if ranks.rank == 0 else [])  # it answers for all
    scoring = None if drawn else open_scoring()
    also = [one.video for one in train] if drawn else []
    everything = list({video.key: video for video in [*sources, *also]}.values())
    there = (scoring or captions).there()
    mine = ranks.share(everything, there)
    if any(video.key not in there for video in everything):  # on every rank alike
        check(config.backbone.scorer)
    if ranks.rank == 0 and not alone:
        _build(config)  # transformers saves a checkpoint on the first of connected ranks only
    ranks.barrier()  # nobody has written a video yet, so that all have shared out the same list
    failed = captions.run(mine, None if alone else len(everything))
    if drawn:
        ranks.barrier()  # the examples are drawn from the captions of all ranks
    scoring = scoring or open_scoring()
    asked = {video.key for video in sources} - failed.keys()
    mine = [video for video in mine if video.key in asked]
    failed |= scoring.run(mine, None if alone else len(sources))
    result = _extraction(scoring, failed)
    if alone:
        logger.info("%s", result.summary())
    return result


def _extraction(scoring: ScoringStage, failed: dict[str, str]) -> Extraction:
    """What both stages did."""
    return Extraction(
        scoring.cache,
        scoring.captions.cache,
        captioned=scoring.captions.made,
        n_captions_reused=len(scoring.captions.reused),
        scored=scoring.made,
        reused=scoring.reused,
        failed=failed,
        not_numbers=scoring.not_numbers,
    )


def _as_it_is(scoring: ScoringStage, sources: Sequence[Video]) -> Extraction:
    """The embeddings as they are, where nothing may be made."""
    scoring.refuse_missing(
        sources,
        f"extract.refresh=never: {scoring.cache.folder} has no embeddings of {{video}}: "
        "run `llmvs extract` with the same settings where the models are",
    )
    scoring.reused += [video.key for video in sources]
    return _extraction(scoring, {})


def _build(config: Config) -> None:
    """Write the built-in models that are asked for and not there yet."""
    if any(
        builtin.is_builtin(name) for name in (config.backbone.captioner, config.backbone.scorer)
    ):
        from llmvs.extraction.models import build

        build(config.backbone, Path(config.cache))
