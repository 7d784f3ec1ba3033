"""From videos to the embedding cache, resumable at every video.

    CACHE/DATASET/captions-<hash>/    stage 1, see `captions`
    CACHE/DATASET/embeddings-<hash>/  stage 2, see `llmvs.embeddings`

Each stage is one pure function per video, and a finished video is a finished file: whatever is killed, the next run goes
on behind it. The hash is that of everything that shaped the files, so other settings make another folder, never a mixture.
Model code is imported only where a model is loaded: a run that finds its cache filled starts at once.
"""

import hashlib
import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from llmvs.config import Config
from llmvs.datasets.base import Array, Video
from llmvs.embeddings import EmbeddingCache, Embeddings
from llmvs.errors import UserError, VideoError
from llmvs.extraction import examples, identity
from llmvs.extraction.captions import CaptionCache, Captions, supplied
from llmvs.extraction.progress import Progress
from llmvs.extraction.prompts import Example, Template, windows
from llmvs.video.reader import Frame, Sampled, sample

if TYPE_CHECKING:
    from llmvs.extraction.captioner import Captioner


@dataclass(frozen=True)
class Source:
    """A video to extract: one of a dataset, or a file of the user's own."""

    key: str
    """Name of its files in the cache, unique within the dataset."""
    name: str
    """Human-readable name."""
    path: Path | None = None
    """The video file; None when captions are supplied."""
    picks: Array | None = None
    """int64 [T]: the frames that must be sampled; None: whatever the sampling gives."""

    @classmethod
    def of(cls, video: Video) -> "Source":
        """The source of an annotated video, whose steps must be its picks."""
        return cls(video.key, video.name, video.path, video.picks)

    @classmethod
    def file(cls, path: Path) -> "Source":
        """The source of a video file without annotations."""
        return cls(path.stem, path.name, path)


@dataclass
class Extraction:
    """What a run of `extract` did."""

    cache: EmbeddingCache
    """The embeddings, old and new."""
    captions: CaptionCache | None
    """The captions and vision features; None where captions were supplied."""
    captioned: list[str] = field(default_factory=list)
    """Videos captioned by this run."""
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
        done = f"captions: {len(self.captioned)} made" if self.captions is not None else "captions: supplied"
        line = f"{done}; embeddings: {len(self.scored)} made, {len(self.reused)} reused ({self.cache.folder})"
        if self.not_numbers:
            line += f"; {self.not_numbers} answers are not a number from 0 to 10"
        return line + (f"; {len(self.failed)} videos failed" if self.failed else "")

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
    _check_keys(sources)
    drawn_from = [Source.of(video) for video in train] if config.examples.source == "fold" else []
    everything = list({source.key: source for source in [*sources, *drawn_from]}.values())
    stage = Captioning(config, dataset)
    failed = stage.run(everything)
    shown = _examples(config, train, stage)
    made_with = identity.embeddings_identity(config, shown)
    place = identity.folder(config, dataset, "embeddings", made_with)
    _say(identity.why_new(place, made_with))
    result = Extraction(EmbeddingCache(place, made_with), stage.cache, stage.done, failed=failed)
    _score(config, [source for source in sources if source.key not in failed], stage, shown, result)
    _say(result.summary())
    return result


class Captioning:
    """Stage 1 for all videos: supplied captions, cached ones, or new ones."""

    def __init__(self, config: Config, dataset: str) -> None:
        """Open the cache of captions, unless captions are supplied."""
        self.config = config
        self.cache: CaptionCache | None = None
        self.done: list[str] = []
        if config.extract.captions is None:
            made_with = identity.captions_identity(config)
            place = identity.folder(config, dataset, "captions", made_with)
            _say(identity.why_new(place, made_with))
            self.cache = CaptionCache(place, made_with)

    def read(self, source: Source) -> Captions:
        """The captions of a video, which are there (or supplied)."""
        if self.cache is not None:
            return self.cache.read(source.key)
        captions = supplied(Path(self.config.extract.captions or ""), source.key, source.name)
        if source.picks is not None:
            _check_supplied(source.key, captions.frames, source.picks)
        return captions

    def run(self, sources: Sequence[Source]) -> dict[str, str]:
        """Caption the videos whose captions are missing or describe another file.

        Returns:
            Why a video could not be captioned, by key.
        """
        if self.cache is None:
            return {}
        todo = [source for source in sources if self._missing(source)]
        if not todo:
            return {}
        failed = {source.key: f"{source.key}: no video file: put it where the dataset expects it, or give extract.captions=DIR"
                  for source in todo if source.path is None}
        from llmvs.extraction import models
        from llmvs.extraction.captioner import Captioner

        device = models.pick_device(self.config.accelerator)
        captioner = Captioner(*models.load_captioner(self.config.backbone, Path(self.config.cache), device), self.config.caption)
        with Progress("captions", [None if source.picks is None else len(source.picks) for source in todo]) as progress:
            for source in todo:
                if source.path is not None:
                    try:
                        self._caption(source, source.path, captioner, progress)
                    except VideoError as error:
                        failed[source.key] = str(error)
                        progress.say(str(error))
        return failed

    def _caption(self, source: Source, path: Path, captioner: "Captioner", progress: Progress) -> None:
        assert self.cache is not None
        extract = self.config.extract
        steps = sample(path, fps=extract.fps, every_nth_frame=extract.every_nth_frame)
        frames, texts, features = caption_steps(steps, captioner, self.config.caption.batch, progress.steps)
        if source.picks is not None:
            keep = _check_sampled(path, frames, source.picks)
            frames, texts, features = frames[:keep], texts[:keep], features[:keep]
        made_with = identity.provenance(str(captioner.model.device))
        self.cache.write(source.key, Captions(frames, texts), features, identity.file_hash(path), made_with)
        self.done.append(source.key)
        progress.video()

    def _missing(self, source: Source) -> bool:
        assert self.cache is not None
        if source.key not in self.cache:
            return True
        if source.path is None or not source.path.exists() or identity.file_hash(source.path) == self.cache.source(source.key):
            return False
        _say(f"{source.path}: the video changed since it was captioned: captioned again")
        return True


def caption_steps(steps: Iterable[Sampled], captioner: Callable[[Sequence[Frame]], tuple[list[str], torch.Tensor]], batch: int,
                  progress: Callable[[int], Any] = lambda steps: None) -> tuple[list[int], list[str], torch.Tensor]:
    """Caption the sampled frames of one video in batches; byte-identical frames once.

    Returns:
        T frame indices, T captions, and v [T, D_v].
    """
    frames: list[int] = []
    order: list[bytes] = []
    made: dict[bytes, tuple[str, torch.Tensor]] = {}
    steps = iter(steps)
    while chunk := list(itertools.islice(steps, batch)):
        digests = [hashlib.sha256(step.image.data).digest() for step in chunk]
        new = {digest: step.image for digest, step in zip(digests, chunk, strict=True) if digest not in made}
        if new:
            texts, features = captioner(list(new.values()))
            made |= {digest: pair for digest, *pair in zip(new, texts, features, strict=True)}  # type: ignore[misc]
        frames += [step.index for step in chunk]
        order += digests
        progress(len(chunk))
    return frames, [made[digest][0] for digest in order], torch.stack([made[digest][1] for digest in order])


def _score(config: Config, sources: Sequence[Source], stage: Captioning, shown: list[Example], result: Extraction) -> None:
    """Stage 2 for all videos: write what is missing or was made from other captions."""
    todo: list[tuple[Source, Captions]] = []
    for source in sources:
        try:
            captions = stage.read(source)
        except VideoError as error:
            result.failed[source.key] = str(error)
            _say(str(error))
            continue
        if source.key not in result.cache:
            todo.append((source, captions))
        elif result.cache.captions_hash(source.key) != captions.sha256():
            _say(f"{source.key}: its captions changed since its embeddings were made: extracted again")
            todo.append((source, captions))
        else:
            result.reused.append(source.key)
    if not todo:
        return
    from llmvs.extraction import models
    from llmvs.extraction.scorer import Scorer, parse_number

    device = models.pick_device(config.accelerator)
    model, tokenizer = models.load_scorer(config.backbone, Path(config.cache), device)
    scorer = Scorer(model, Template(tokenizer, config.prompt.style, shown), config.prompt.max_tokens, config.extract)
    made_with = identity.provenance(str(device)) | {"dtype": str(model.dtype).removeprefix("torch.")}
    with Progress("embeddings", [len(captions.frames) for _, captions in todo]) as progress:
        for source, captions in todo:
            scored = scorer(windows(captions.texts, config.prompt.window), progress.steps)
            embeddings = Embeddings(scored.q, scored.a, torch.tensor(captions.frames), scored.answer_ids, scored.answers, scored.tokens)
            result.cache.write(source.key, embeddings, captions.sha256(), made_with | {"engine": scorer.engine_name})
            result.scored.append(source.key)
            if config.prompt.style == "numeric":
                result.not_numbers += sum(parse_number(answer) is None for answer in scored.answers)
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


def _check_keys(sources: Sequence[Source]) -> None:
    seen: dict[str, Source] = {}
    for source in sources:
        if source.key in seen:
            raise UserError(f"{source.path} and {seen[source.key].path} would both be called {source.key}: rename one of them")
        seen[source.key] = source


def _check_sampled(path: Path, frames: list[int], picks: Array) -> int:
    """How many of the sampled steps are the annotations' picks; the video may have one step more at its end."""
    expected = picks.tolist()
    if len(frames) - len(expected) in (0, 1) and frames[:len(expected)] == expected:
        return len(expected)
    hint = "another video, or another extract.fps / extract.every_nth_frame"
    if len(frames) == len(expected):
        step = next(t for t, (a, b) in enumerate(zip(frames, expected, strict=True)) if a != b)
        raise VideoError(f"{path}: step {step} is frame {frames[step]}, but frame {expected[step]} in the annotations: {hint}?")
    raise VideoError(f"{path}: {len(frames)} steps are sampled, but the annotations have {len(expected)}: {hint}?")


def _check_supplied(key: str, frames: list[int], picks: Array) -> None:
    """Supplied captions may end early (a notice), but not be of other frames."""
    expected = picks.tolist()
    if len(frames) > len(expected):
        raise VideoError(f"{key}: {len(frames)} captions are supplied, but the annotations have {len(expected)} steps")
    if frames != expected[:len(frames)]:
        step = next(t for t, (a, b) in enumerate(zip(frames, expected, strict=False)) if a != b)
        raise VideoError(f"{key}: the caption of step {step} is of frame {frames[step]}, but of frame {expected[step]} in the annotations")
    if len(frames) < len(expected):
        _say(f"{key}: captions end at step {len(frames) - 1} of {len(expected) - 1}: embeddings will cover {len(frames)} steps")


def _say(line: str | None) -> None:
    if line:
        print(line, file=sys.stderr)
