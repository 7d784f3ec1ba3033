"""Captions on disk: JSON Lines, one step a line, `{"step": 0, "frame": 0, "caption": "..."}`.

    FOLDER/fingerprint.json     what made every file of the folder
    FOLDER/<video>.safetensors  v [T, D_v]: the vision tower's pooled feature of every step; header:
                                which video file it was
    FOLDER/<video>.jsonl        the captions; written last, so its existence means that the video is
                                done

The same format is read from any folder (`extract.captions=DIR`), so captions of any captioner, or
person, can be used.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.cache.fingerprint import CAPTIONS_FORMAT, LINES, MANIFEST, TENSORS, Identity
from llmvs.cache.store import Store
from llmvs.errors import UserError, VideoError
from llmvs.files import composed, is_name, parse_json, regular, shown, shown_name, write_text


@dataclass(frozen=True)
class Captions:
    """One caption per step."""

    frames: list[int]
    """T frame indices, increasing."""
    texts: list[str]
    """T captions, each one line."""
    words: list[str] | None = None
    """T texts: what is said around every step; None: not asked for, or not known."""

    def sha256(self) -> str:
        """Hash of frames and texts: embeddings made from other captions are stale."""
        return _sha256([self.frames, self.texts])

    def spoken_sha256(self) -> str:
        """Hash of what is said around the steps; empty where that is not asked for."""
        return "" if self.words is None else _sha256(self.words)


def _sha256(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def one_line(text: str) -> str:
    """The text without line breaks and runs of spaces."""
    return " ".join(text.split())


def read_captions(path: Path) -> Captions:
    """Read a JSON Lines file of captions.

    Raises:
        VideoError: missing, unreadable, not UTF-8, steps with holes, frames that do not increase
            from 0 or more, or no step at all.
    """
    try:  # a caption may hold U+2028, at which `splitlines` would break it
        lines = regular(path).read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise VideoError(f"{path}: captions cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise VideoError(
            f"{path}: captions are not UTF-8 text ({error.reason} at byte {error.start})"
        ) from None
    captions = Captions([], [])
    for number, line in enumerate(lines, 1):
        if line.strip():
            frame, text = _entry(line, f"{path}:{number}", step=len(captions.frames))
            if captions.frames and frame <= captions.frames[-1]:
                raise VideoError(
                    f"{path}:{number}: frame {frame} after frame {captions.frames[-1]}: frames must"
                    " increase"
                )
            captions.frames.append(frame)
            captions.texts.append(text)
    if not captions.frames:
        raise VideoError(f"{path}: holds no captions")
    return captions


def _entry(line: str, place: str, step: int) -> tuple[int, str]:
    """(frame, caption) of one line that must be the given step."""
    try:
        entry = parse_json(line, place, "captions")
        found, frame, text = entry["step"], entry["frame"], entry["caption"]
        if not (type(found) is type(frame) is int and isinstance(text, str)):
            raise TypeError
    except (UserError, KeyError, TypeError):
        raise VideoError(
            f'{place}: not a line such as {{"step": 0, "frame": 0, "caption": "a dog runs"}}'
        ) from None
    if frame < 0:
        raise VideoError(f"{place}: frame {frame}: frames count from 0")
    if shown_name(text) != text:
        raise VideoError(
            f"{place}: the caption {shown(text)} holds half a character: write it as UTF-8, or both"
            " halves"
        )
    if found != step:
        raise VideoError(
            f"{place}: step {found} where step {step} is due: steps must run 0, 1, 2, ... without"
            " holes"
        )
    return frame, one_line(text)


def supplied(folder: Path, key: str, name: str) -> Captions:
    """The captions that a user gave for a video: `FOLDER/<key>.jsonl`, or `FOLDER/<name>.jsonl`,
    or, where `folder` is a file, that file.

    Raises:
        VideoError: no such file, or an unreadable one.
        UserError: no such folder.
    """
    if folder.is_file():
        return read_captions(folder)
    if not folder.is_dir():
        raise UserError(f"extract.captions={folder}: no such folder or file")
    paths = [folder / f"{stem}.jsonl" for stem in dict.fromkeys((key, name)) if is_name(stem)]
    for path in paths:
        if path.exists():
            return read_captions(path)
    names = {composed(path.name) for path in paths}
    for path in sorted(folder.glob("*.jsonl")):
        if composed(path.name) in names:
            return read_captions(path)
    raise VideoError(f"{key}: no captions: expected {' or '.join(map(str, paths))}")


class CaptionCache(Store):
    """A folder of captions that were all made alike."""

    FORMAT = CAPTIONS_FORMAT
    WHAT = "captions"
    RECORD = "captions"
    SUFFIXES = (TENSORS, LINES)

    def read(self, key: str) -> Captions:
        """The captions of video `key`."""
        return read_captions(self.path(key))

    def features(self, key: str) -> Tensor:
        """[T, D_v] vision features of video `key`; [T, 0] where the captioner has no vision tower
        that we know.

        Raises:
            UserError: missing or damaged.
        """
        with self._opened(key) as (file, _):
            return file.get_tensor("v")

    def source(self, key: str) -> str:
        """Hash of the video file that the captions describe; empty when unknown.

        Raises:
            UserError: the key cannot be a file's name.
        """
        self.path(key)
        try:
            return self.header(key).get("source", "")
        except UserError:
            return ""

    def write(
        self,
        key: str,
        captions: Captions,
        features: Tensor,
        source: str,
        provenance: Mapping[str, str] | None = None,
    ) -> None:
        """Write one video's captions and vision features, each atomically."""
        self.path(key).unlink(missing_ok=True)  # old captions never stand beside new features
        tensors = {"v": features.contiguous().to("cpu"), "frames": torch.tensor(captions.frames)}
        self._save(key, tensors, {"source": source}, provenance)
        lines = [
            json.dumps({"step": step, "frame": frame, "caption": text}, ensure_ascii=False)
            for step, (frame, text) in enumerate(zip(captions.frames, captions.texts, strict=True))
        ]
        write_text(self.path(key), "\n".join(lines) + "\n")


def beside(folder: Path, identity: Identity) -> CaptionCache | None:
    """The captions of which the embeddings in `folder`, of this identity, were made; None where
    they do not lie beside it.
    """
    place = folder.parent / f"captions-{identity.get('captions')}"
    if not (place / MANIFEST).exists():
        return None
    try:
        return CaptionCache(place)
    except UserError:
        return None


def visual_features(embeddings: EmbeddingCache, key: str) -> Tensor:
    """Visual features v [T, D_v] of the very steps whose embeddings are cached, in the vision
    tower's number format.

    Raises:
        UserError: there are none, they are of other frames, or they are not finite.
    """
    captions = beside(embeddings.folder, embeddings.identity)
    if captions is None or key not in captions:
        raise UserError(
            f"{key}: no visual features beside {embeddings.folder}: extract from the video files"
            " (without extract.captions and extract.embeddings), or choose head.inputs=qa"
        )
    if captions.read(key).sha256() != embeddings.captions_hash(key):
        raise UserError(
            f"{embeddings.path(key)}: made from other captions than those in {captions.path(key)}:"
            " extract again"
        )
    features = captions.features(key)
    if not features.shape[1]:
        raise UserError(
            f"{captions.folder}: this captioner left no visual features, because its vision tower"
            " is unknown here: choose another backbone.captioner, or head.inputs=qa"
        )
    if not torch.isfinite(features).all():
        raise UserError(
            f"{key}: its visual features in {captions.folder} hold NaN or infinite values: delete"
            " them and extract again"
        )
    return features
