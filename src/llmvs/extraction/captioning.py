"""Stage 1 over many videos: which captions are missing, and how those of one video are made."""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch

from llmvs.cache.captions import CaptionCache, Captions, supplied
from llmvs.config.schema import Config
from llmvs.console import say
from llmvs.datasets.video import Video
from llmvs.errors import UserError, VideoError
from llmvs.extraction import identity
from llmvs.extraction.ahead import ahead
from llmvs.extraction.progress import Progress, all_ranks, checked
from llmvs.extraction.prompts import FRAME_QUESTION
from llmvs.extraction.steps import check_supplied, counted, only_picks
from llmvs.video.decoders import Frame
from llmvs.video.reader import Sampled, sample

if TYPE_CHECKING:
    from llmvs.extraction.captioner import Captioner


class Captioning:
    """Stage 1 for all videos: supplied captions, cached ones, or new ones."""

    def __init__(
        self, config: Config, dataset: str, kind: Literal["captions", "answers"] = "captions"
    ) -> None:
        """Open the cache of captions, unless captions are supplied; `answers` are no captions, and
        stand in folders of their own.
        """
        self.config, self.dataset, self.kind = config, dataset, kind
        self.cache: CaptionCache | None = None
        self.done: list[str] = []
        self.n_reused = 0
        self.captioner: Captioner | None = None
        if config.extract.captions is None:
            made_with = identity.captions_identity(config, kind)
            place = identity.folder(config, dataset, kind, made_with)
            if reason := identity.why_new(place, made_with):
                say(reason)
            self.cache = CaptionCache(place, made_with)

    def read(self, source: Video) -> Captions:
        """The captions of a video, which are there (or supplied)."""
        if self.cache is not None:
            return self.cache.read(source.key)
        captions = supplied(
            Path((self.config.extract.captions or "").replace("{dataset}", self.dataset)),
            source.key,
            source.name,
        )
        if source.picks is not None and (
            notice := check_supplied(source.key, captions.frames, source.picks)
        ):
            say(notice)
        return captions

    def there(self) -> frozenset[str]:
        """The videos whose captions need not be made, as far as a look at the folder tells."""
        return (
            frozenset()
            if self.cache is None or self.config.extract.refresh == "always"
            else self.cache.keys()
        )

    def run(self, sources: Sequence[Video], n_videos: int | None = None) -> dict[str, str]:
        """Caption the videos whose captions are missing, then those whose captions describe another
        file.

        Args:
            sources: of this rank.
            n_videos: how many all ranks have together; None for a rank that is alone.

        Returns:
            Why a video could not be captioned, by key.
        """
        if self.cache is None:
            return {}
        failed, there = dict[str, str](), self.there()
        new, old = (
            [source for source in sources if source.key not in there],
            [source for source in sources if source.key in there],
        )
        with Progress(
            self.kind, [source.n_steps for source in new], all_ranks(self.cache, n_videos)
        ) as progress:
            for source in itertools.chain(new, checked(old)):
                try:
                    if source.key in there and not self._changed(source):
                        self.n_reused += 1
                        continue
                    self._caption(source, progress)
                except VideoError as error:
                    failed[source.key] = str(error)
                    progress.say(str(error))
                progress.video()
        if self.captioner is not None:
            from llmvs.extraction.models import free_memory

            self.captioner = None
            free_memory()
        return failed

    def _caption(self, source: Video, progress: Progress) -> None:
        assert self.cache is not None
        extract, caption, path = self.config.extract, self.config.caption, source.path
        if path is None:
            raise VideoError(
                f"{source.key}: no video file: put it where the dataset expects it, or give"
                " extract.captions=DIR"
            )
        if not path.is_file():
            raise VideoError(f"{path}: no such video file")  # said before a model is loaded
        self.captioner = self.captioner or self._load()
        steps = sample(path, fps=extract.fps, every_nth_frame=extract.every_nth_frame)
        if source.picks is not None:
            steps = only_picks(path, counted(steps) if source.counts_steps else steps, source.picks)
        try:
            frames, texts, features = caption_steps(
                steps, self.captioner, caption.batch, progress.steps
            )
        except torch.OutOfMemoryError:
            raise UserError(
                f"the captioner ran out of GPU memory: reduce caption.batch={caption.batch}"
            ) from None
        made_with = identity.provenance(self.captioner.model.device)
        self.cache.write(
            source.key, Captions(frames, texts), features, identity.file_hash(path), made_with
        )
        self.done.append(source.key)

    def _load(self) -> "Captioner":
        from llmvs.extraction import models
        from llmvs.extraction.captioner import Captioner

        device = models.pick_device(self.config.accelerator)
        pair = models.load_captioner(self.config.backbone, Path(self.config.cache), device)
        return Captioner(
            *pair, identity.questions(self.config.caption), self.config.caption.max_tokens
        )

    def _changed(self, source: Video) -> bool:
        """Whether the video file is another one than that of the cached captions; without a file
        they stand.
        """
        assert self.cache is not None
        if (
            source.path is None
            or not source.path.exists()
            or identity.file_hash(source.path) == self.cache.source(source.key)
        ):
            return False
        say(f"{source.path}: the video changed since it was captioned: captioned again")
        return True


def ask_frames(config: Config, dataset: str, sources: Sequence[Video]) -> CaptionCache:
    """What the captioner answers to `FRAME_QUESTION` about every frame of `sources`; what is there
    already is not asked again.

    Returns:
        The cache whose "captions" are these answers.

    Raises:
        UserError: a video cannot be read, or (with `extract.refresh=never`) was not asked about
            before.
    """
    question = replace(
        config.caption, kind="general", prompt=FRAME_QUESTION, max_tokens=config.prompt.max_tokens
    )
    stage = Captioning(
        replace(config, caption=question, extract=replace(config.extract, captions=None)),
        dataset,
        "answers",
    )
    assert stage.cache is not None
    missing = [source.key for source in sources if source.key not in stage.there()]
    if config.extract.refresh == "never" and missing:
        raise UserError(
            f"extract.refresh=never: {stage.cache.folder} has no answers about {missing[0]}: "
            "run the same command with extract.refresh=missing where the models are"
        )
    failed = list(stage.run(sources).values())
    if failed:
        more = f" (and {len(failed) - 1} more videos)" if len(failed) > 1 else ""
        raise UserError(f"{failed[0]}{more}")
    say(
        f"answers about frames: {len(stage.done)} videos asked about, {stage.n_reused} reused"
        f" ({stage.cache.folder})"
    )
    return stage.cache


class Framer(Protocol):
    """What `caption_steps` needs of a captioner (see `captioner.Captioner`)."""

    def prepare(self, frames: Sequence[Frame]) -> Any:
        """Preprocess frames; called in a thread that runs ahead."""

    def __call__(self, prepared: Any) -> tuple[list[str], torch.Tensor]:
        """Captions and v [B, D_v] of prepared frames."""


@dataclass
class _Chunk:
    """A batch of steps on its way to the model."""

    indices: list[int]
    """Frame index of every step."""
    digests: list[bytes]
    """Hash of every step's picture."""
    new: dict[bytes, Frame]
    """The pictures that were not seen before, by hash."""
    prepared: Any = None
    """What the model reads about the new pictures."""


def caption_steps(
    steps: Iterable[Sampled],
    captioner: Framer,
    batch: int,
    progress: Callable[[int], Any] = lambda steps: None,
) -> tuple[list[int], list[str], torch.Tensor]:
    """Caption the sampled frames of one video in batches; byte-identical frames once.

    Decoding and preprocessing run ahead of the model, each in a thread of its own; only a few
    batches are in memory.

    Returns:
        T frame indices, T captions, and v [T, D_v].
    """
    frames: list[int] = []
    order: list[bytes] = []
    made: dict[bytes, tuple[str, torch.Tensor]] = {}
    for chunk in ahead(_prepared(ahead(_chunks(steps, batch)), captioner)):
        if chunk.new:
            texts, features = captioner(chunk.prepared)
            made |= {
                digest: (text, feature)
                for digest, text, feature in zip(chunk.new, texts, features, strict=True)
            }
        frames += chunk.indices
        order += chunk.digests
        progress(len(chunk.indices))
    return (
        frames,
        [made[digest][0] for digest in order],
        torch.stack([made[digest][1] for digest in order]),
    )


def _chunks(steps: Iterable[Sampled], batch: int) -> Iterator[_Chunk]:
    steps, seen = iter(steps), set[bytes]()
    while chunk := list(itertools.islice(steps, batch)):
        digests = [hashlib.sha256(step.image.data).digest() for step in chunk]
        new = {
            digest: step.image
            for digest, step in zip(digests, chunk, strict=True)
            if digest not in seen
        }
        seen |= set(new)
        yield _Chunk([step.index for step in chunk], digests, new)


def _prepared(chunks: Iterator[_Chunk], captioner: Framer) -> Iterator[_Chunk]:
    for chunk in chunks:
        if chunk.new:
            chunk.prepared = captioner.prepare(list(chunk.new.values()))
        yield chunk
