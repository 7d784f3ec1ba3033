"""`llmvs cache verify`: open every file of the cache and hold it against what its folder and its
neighbours say.

Truncated and foreign files, other identities, other shapes, NaN, and embeddings of other captions
are found. A flipped bit that leaves a finite number is not: the files carry no checksum.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from llmvs.cache.captions import CaptionCache, beside
from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.cache.listing import SUFFIXES, TEXTS, CacheFolder, folders, is_linked
from llmvs.cache.looks import LookCache
from llmvs.console import ProgressBar
from llmvs.errors import UserError


@dataclass(frozen=True)
class Damage:
    """What is wrong with one video in one folder."""

    line: str
    """One line that names the file and the problem."""
    files: tuple[Path, ...]
    """The files without which the next extraction makes the video again."""


def verify(cache: Path, delete: bool = False) -> tuple[list[str], str]:
    """Check every video in every folder of captions and embeddings below `cache`.

    Args:
        cache: the cache folder.
        delete: remove the files of damaged videos, so that the next extraction makes just them.

    Returns:
        One line per damage, and a summary of one line.
    """
    found = [one for one in folders(cache) if one.kind in SUFFIXES]
    broken = [one for one in found if one.problem]
    damages = [Damage(f"{one.path}: {one.problem}: {_cure(one)}", ()) for one in broken]
    sound = [one for one in found if not one.problem]
    with ProgressBar("verify", sum(one.videos for one in sound), "video", delay=2) as bar:
        for one in sound:
            check = _captions if one.kind in TEXTS else OTHERS.get(one.kind, _embeddings)
            damages += check(one, bar.update)
    files = [path for damage in damages for path in damage.files] if delete else []
    named = [path for path in files if os.path.lexists(path)]
    # What a link leads to lies outside the cache, where nothing is removed.
    removed = [path for path in named if not (path.is_symlink() or is_linked(path.parent))]
    for path in removed:
        path.unlink(missing_ok=True)
    done = "; damaged files removed: run `llmvs extract` again" if removed else ""
    if len(removed) < len(named):
        left = len(named) - len(removed)
        done += f"; {left} left, reached through symbolic links: remove them by hand"
    summary = (
        f"{sum(one.videos for one in sound)} videos in {len(sound)} folders checked, {len(damages)}"
        f" damaged{done}"
    )
    return [damage.line for damage in damages], summary


def _cure(one: CacheFolder) -> str:
    return f"{one.spared}: remove it by hand" if one.spared else "`llmvs cache prune` removes it"


def _captions(one: CacheFolder, checked: Callable[[], object]) -> Iterator[Damage]:
    cache = CaptionCache(one.path, one.identity)
    for path in sorted(one.path.glob("[!.]*.jsonl")):
        features = path.with_suffix(".safetensors")
        try:
            frames = cache.read(path.stem).frames
            _check_features(features, frames)
        except UserError as error:
            yield Damage(str(error), (path, features))
        checked()


def _check_features(path: Path, frames: list[int]) -> None:
    """The vision features of the same steps, finite, in our format."""
    try:
        with safe_open(path, framework="pt") as file:
            header, v, steps = (
                file.metadata() or {},
                file.get_tensor("v"),
                file.get_tensor("frames"),
            )
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged or missing ({error})") from None
    if header.get("format") != CaptionCache.FORMAT:
        raise UserError(f"{path}: not of the format {CaptionCache.FORMAT}")
    if steps.tolist() != frames or v.ndim != 2 or len(v) != len(frames):
        raise UserError(
            f"{path}: vision features of shape {list(v.shape)} for {len(frames)} captions, or of"
            " other frames"
        )
    if not torch.isfinite(v).all():
        raise UserError(f"{path}: vision features hold NaN or infinite values")


def _embeddings(one: CacheFolder, checked: Callable[[], object]) -> Iterator[Damage]:
    cache = EmbeddingCache(one.path)
    captions, width = beside(one.path, one.identity), 0
    for key in cache.keys():  # noqa: SIM118 (not a dict)
        try:
            found = cache.read(key)
            width = width or found.q.shape[1]
            _check_shapes(cache.path(key), found, width)
            if captions is not None and key in captions:
                _check_source(cache, key, found, captions)
        except UserError as error:
            yield Damage(str(error), (one.path / f"{key}.safetensors",))
        checked()


def _looks(one: CacheFolder, checked: Callable[[], object]) -> Iterator[Damage]:
    cache = LookCache(one.path, one.identity)
    for key in cache.keys():  # noqa: SIM118 (not a dict)
        try:
            cache.read(key)
        except UserError as error:
            yield Damage(str(error), (cache.path(key),))
        checked()


OTHERS = {"looks": _looks}
"""Kind -> how its videos are checked."""


def _check_shapes(path: Path, found: Embeddings, width: int) -> None:
    """Increasing steps, as many answers as steps (or none), and the width of the folder's other
    videos.
    """
    counts = {
        len(found.steps),
        *(len(kept) for kept in (found.answers, found.answer_ids, found.tokens) if kept),
    }
    if len(counts) > 1 or (found.steps.diff() <= 0).any():
        raise UserError(
            f"{path}: {len(found.steps)} steps, {len(found.answers)} answers, or steps that do not"
            " increase"
        )
    if found.q.shape[1] != width:
        raise UserError(
            f"{path}: embeddings of width {found.q.shape[1]} among embeddings of width {width}"
        )


def _check_source(
    cache: EmbeddingCache, key: str, found: Embeddings, captions: CaptionCache
) -> None:
    """The embeddings are of the very captions that lie beside them."""
    try:
        given = captions.read(key)
    except UserError:
        return  # the damage is the captions', and named with them
    if given.frames != found.steps.tolist() or given.sha256() != cache.captions_hash(key):
        raise UserError(
            f"{cache.path(key)}: made from other captions than those in {captions.path(key)}"
        )
