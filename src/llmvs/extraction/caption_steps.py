"""Captions of one video's steps in batches: decoding, preprocessing and the model each work on
while
the others do.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from llmvs.extraction.ahead import ahead
from llmvs.video.decoders import Frame
from llmvs.video.reader import Sampled


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
