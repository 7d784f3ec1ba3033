"""The embedding cache on disk: one safetensors file per video, whole or absent, that says what it
was made with.

    FOLDER/fingerprint.json      what made every file of the folder
    FOLDER/<video>.safetensors   q [T, D], a [T, D], steps [T], answer_ids [sum of lengths],
                                 answer_ends [T], and, when all tokens are kept, q_tokens [sum of
                                 lengths, D], q_ends [T], a_tokens, a_ends

A file's header repeats the folder's identity, so that a file moved here from another folder is
refused with a line that says what differs.
"""

import json
import math
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from llmvs.cache.fingerprint import EMBEDDINGS_FORMAT, TENSORS, canonical
from llmvs.cache.store import Store
from llmvs.errors import UserError


@dataclass
class Embeddings:
    """What the scorer made of one video (paper, section 3.2), max-pooled over tokens."""

    q: Tensor
    """[T, D]: maximum of the hidden states after the final norm over the query's tokens, in the
    model's dtype.
    """
    a: Tensor
    """[T, D]: the same over the generated answer's tokens."""
    steps: Tensor
    """int64 [T]: frame index of every step in the original video."""
    answer_ids: list[list[int]] = field(default_factory=list)
    """T lists of token ids: the generated answers; empty when unknown (imported embeddings)."""
    answers: list[str] = field(default_factory=list)
    """T texts of the answers; empty when unknown."""
    tokens: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    """T pairs [L_q, D], [L_a, D]: the vectors of which q and a are the maximum; empty unless they
    are kept.
    """

    def __post_init__(self) -> None:
        if self.q.ndim != 2 or self.q.shape != self.a.shape or self.steps.shape != self.q.shape[:1]:
            raise UserError(
                f"embeddings of shapes q {tuple(self.q.shape)}, a {tuple(self.a.shape)}, steps"
                f" {tuple(self.steps.shape)}: expected [T, D], [T, D], [T]"
            )
        for name, value in (("q", self.q), ("a", self.a)):
            if not value.numel() or all(math.isfinite(end) for end in torch.aminmax(value)):
                continue  # one fast pass: the least of what holds NaN is NaN
            bad = (~torch.isfinite(value)).any(dim=1).nonzero()
            if len(bad):
                raise UserError(
                    f"embeddings {name} hold NaN or infinite values, first at step {int(bad[0])} of"
                    f" {len(value)}"
                )


class EmbeddingCache(Store):
    """A folder of embeddings that were all made alike."""

    FORMAT = EMBEDDINGS_FORMAT
    WHAT = "an embedding cache"
    RECORD = "embeddings"
    SUFFIXES = (TENSORS,)

    def captions_hash(self, key: str) -> str:
        """sha256 of the captions that the embeddings of `key` were made from; empty if unknown."""
        return self.header(key).get("captions", "")

    def spoken_hash(self, key: str) -> str:
        """sha256 of what is said around the steps of `key`; empty where it is not asked for."""
        return self.header(key).get("spoken", "")

    def write(
        self,
        key: str,
        embeddings: Embeddings,
        captions_hash: str = "",
        provenance: Mapping[str, str] | None = None,
        spoken_hash: str = "",
    ) -> None:
        """Write one video's embeddings atomically; the first write of a folder also writes its
        fingerprint.
        """
        ends = _ends(embeddings.answer_ids)
        tensors = {
            "q": embeddings.q.contiguous(),
            "a": embeddings.a.contiguous(),
            "steps": embeddings.steps.to(torch.int64),
            "answer_ids": torch.tensor(
                [i for ids in embeddings.answer_ids for i in ids], dtype=torch.int32
            ),
            "answer_ends": ends,
        }
        for i, name in enumerate(("q", "a") if embeddings.tokens else ()):
            parts = [pair[i] for pair in embeddings.tokens]
            tensors |= {f"{name}_tokens": torch.cat(parts), f"{name}_ends": _ends(parts)}
        header = {
            "identity": canonical(self.identity),
            "captions": captions_hash,
            "answers": json.dumps(embeddings.answers, ensure_ascii=False),
        }
        if spoken_hash:
            header["spoken"] = spoken_hash
        self._save(key, tensors, header, provenance)

    def look(self, key: str) -> tuple[npt.NDArray[np.int64], int]:
        """The frame index [T] of every step of a video, and D; its embeddings are not read.

        Raises:
            UserError: missing, damaged, or made otherwise than the folder says.
        """
        path = self.path(key)
        with self._opened(key, "np") as (file, header):
            self._check_made_alike(key, header)
            steps, shape = file.get_tensor("steps"), file.get_slice("q").get_shape()
        if len(shape) != 2 or shape[0] != len(steps):
            raise UserError(
                f"{path}: damaged (q {shape} for {len(steps)} steps): delete it and extract again"
            )
        return steps, shape[1]

    def read(self, key: str, tokens: bool = False) -> Embeddings:
        """The embeddings of one video, read through a memory map; with every token's vector (where
        kept) only if asked.

        Raises:
            UserError: missing, damaged, holding NaN, or made otherwise than the folder says.
        """
        with self._opened(key) as (file, header):
            self._check_made_alike(key, header)
            names = [name for name in file.keys() if tokens or not name.endswith("_tokens")]  # noqa: SIM118 (not a dict)
            tensors = {name: file.get_tensor(name) for name in names}
            ends = tensors["answer_ends"].tolist()
            ids = tensors["answer_ids"].tolist()
            answer_ids = [ids[start:end] for start, end in zip([0, *ends], ends, strict=False)]
            kept = [
                _split(tensors[f"{name}_tokens"], tensors[f"{name}_ends"])
                for name in ("q", "a")
                if f"{name}_tokens" in tensors
            ]
            answers = json.loads(header["answers"])
            q, a, steps = (tensors[name] for name in ("q", "a", "steps"))
            try:
                return Embeddings(q, a, steps, answer_ids, answers, list(zip(*kept, strict=True)))
            except UserError as error:
                raise UserError(f"{self.path(key)}: {error}") from error


def _ends(parts: Sequence[Sized]) -> Tensor:
    """[T] where every part ends when they are put behind each other."""
    return torch.tensor([len(part) for part in parts], dtype=torch.int64).cumsum(0)


def _split(joined: Tensor, ends: Tensor) -> list[Tensor]:
    """The parts of which `joined` was put together."""
    return list(joined.tensor_split(ends[:-1]))
