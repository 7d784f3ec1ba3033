"""The embedding cache on disk: one safetensors file per video, whole or absent, that says what it
was made with.

    FOLDER/fingerprint.json      what made every file of the folder
    FOLDER/<video>.safetensors   q [T, D], a [T, D], steps [T], answer_ids [sum of lengths],
                                 answer_ends [T], and, when all tokens are kept, q_tokens [sum of
                                 lengths, D], q_ends [T], a_tokens, a_ends

A file's header repeats the fingerprint. Its *identity* (models, dtype, engine, prompts, window,
examples, pooling, sampling, captions) decides whether embeddings may be used together: a file of
another identity is refused with a line that says what differs. Its *provenance* (library versions,
date) is only recorded: a new patch release of a library must not throw away a cache that took days.
"""

import json
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from llmvs.errors import UserError
from llmvs.files import atomic, read_json, write_json

FORMAT = "llmvs-embeddings-1"
Identity = Mapping[str, str | int | float | bool | None]
"""Flat: dotted setting -> plain value."""


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
            bad = (~torch.isfinite(value)).any(dim=1).nonzero()
            if len(bad):
                raise UserError(
                    f"embeddings {name} hold NaN or infinite values, first at step {int(bad[0])} of"
                    f" {len(value)}"
                )


class EmbeddingCache:
    """A folder of embeddings that were all made alike."""

    def __init__(self, folder: Path, identity: Identity | None = None) -> None:
        """Open `folder`, which need not exist yet.

        Args:
            folder: of the cache.
            identity: what its embeddings must have been made with; None: whatever the folder says.

        Raises:
            UserError: the folder was made otherwise (says what differs), or holds no fingerprint
                and `identity` is None.
        """
        self.folder = Path(folder)
        manifest = self.folder / "fingerprint.json"
        found = None
        if manifest.exists() or identity is None:
            found = read_json(manifest, "the fingerprint of an embedding cache")
            if not isinstance(found, dict) or found.get("format") != FORMAT:
                raise UserError(
                    f"{manifest}: not the fingerprint of an embedding cache of format {FORMAT}"
                )
        self.identity: Identity = identity if identity is not None else found["identity"]  # type: ignore[index]
        if found is not None:
            self._check(manifest, found["identity"])

    def path(self, key: str) -> Path:
        """Where the embeddings of video `key` are."""
        return self.folder / f"{key}.safetensors"

    def keys(self) -> list[str]:
        """The videos whose embeddings are there."""
        return sorted(path.stem for path in self.folder.glob("[!.]*.safetensors"))

    def __contains__(self, key: str) -> bool:
        return self.path(key).exists()

    def captions_hash(self, key: str) -> str:
        """sha256 of the captions that `key`'s embeddings were made from; empty when unknown."""
        return self._header(key).get("captions", "")

    def write(
        self,
        key: str,
        embeddings: Embeddings,
        captions_hash: str = "",
        provenance: Mapping[str, str] | None = None,
    ) -> None:
        """Write one video's embeddings atomically; the first write of a folder also writes its
        fingerprint.
        """
        made_with = dict(provenance or {})
        manifest = self.folder / "fingerprint.json"
        if not manifest.exists():
            write_json(
                manifest,
                {"format": FORMAT, "identity": dict(self.identity), "provenance": made_with},
            )
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
            "format": FORMAT,
            "identity": _canonical(self.identity),
            "provenance": json.dumps(made_with, sort_keys=True),
            "captions": captions_hash,
            "answers": json.dumps(embeddings.answers, ensure_ascii=False),
        }
        save_tensors(self.path(key), tensors, header)

    def read(self, key: str, tokens: bool = False) -> Embeddings:
        """The embeddings of one video, read through a memory map; with every token's vector (where
        kept) only if asked.

        Raises:
            UserError: missing, damaged, holding NaN, or made otherwise than the folder says.
        """
        header = self._header(key)
        path = self.path(key)
        self._check(path, json.loads(header.get("identity", "{}")))
        try:
            with safe_open(path, framework="pt") as file:
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
            return Embeddings(
                tensors["q"],
                tensors["a"],
                tensors["steps"],
                answer_ids,
                json.loads(header["answers"]),
                list(zip(*kept, strict=True)),
            )
        except (SafetensorError, KeyError) as error:
            raise UserError(f"{path}: damaged ({error}): delete it and extract again") from error
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    def _header(self, key: str) -> dict[str, str]:
        path = self.path(key)
        if not path.exists():
            raise UserError(
                f"{path}: no embeddings of {key} here: run `llmvs extract` with the same settings"
            )
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: damaged ({error}): delete it and extract again") from error
        if header.get("format") != FORMAT:
            raise UserError(
                f"{path}: not a file of embeddings of format {FORMAT}: delete it and extract again"
            )
        return header

    def _check(self, place: Path, found: Identity) -> None:
        changes = differences(found, self.identity)
        if changes:
            raise UserError(
                f"{place}: made with {'; '.join(changes)}: use the same settings, or another folder"
            )


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file atomically, the same bytes for the same content.

    The library writes `metadata` in an order that changes from run to run; here it is sorted.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    with atomic(path) as temporary:
        save_file(dict(tensors), temporary, metadata=dict(metadata))
        with temporary.open("r+b") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
            header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
            text = (
                json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(size)
            )
            if (
                len(text) == size
            ):  # always, unless the library escapes otherwise; then the order stays as it is
                file.seek(8)
                file.write(text)


def differences(found: Identity, expected: Identity) -> list[str]:
    """Where two identities differ, one phrase each: `prompt.window=5 (expected 7)`."""
    absent = "nothing"
    return [
        f"{key}={found.get(key, absent)} (expected {expected.get(key, absent)})"
        for key in sorted({*found, *expected})
        if found.get(key, absent) != expected.get(key, absent)
    ]


def _ends(parts: Sequence[Sized]) -> Tensor:
    """[T] where every part ends when they are put behind each other."""
    return torch.tensor([len(part) for part in parts], dtype=torch.int64).cumsum(0)


def _split(joined: Tensor, ends: Tensor) -> list[Tensor]:
    """The parts of which `joined` was put together."""
    return list(joined.tensor_split(ends[:-1]))


def _canonical(identity: Identity) -> str:
    return json.dumps(dict(identity), sort_keys=True, ensure_ascii=False)
