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

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from llmvs.cache.embeddings import EmbeddingCache, Identity, differences, save_tensors
from llmvs.errors import UserError, VideoError
from llmvs.files import read_json, write_json, write_text

FORMAT = "llmvs-captions-1"


@dataclass(frozen=True)
class Captions:
    """One caption per step."""

    frames: list[int]
    """T frame indices, increasing."""
    texts: list[str]
    """T captions, each one line."""

    def sha256(self) -> str:
        """Hash of frames and texts: embeddings made from other captions are stale."""
        return hashlib.sha256(
            json.dumps([self.frames, self.texts], ensure_ascii=False).encode()
        ).hexdigest()


def one_line(text: str) -> str:
    """The text without line breaks and runs of spaces."""
    return " ".join(text.split())


def read_captions(path: Path) -> Captions:
    """Read a JSON Lines file of captions.

    Raises:
        VideoError: missing, unreadable, not UTF-8, steps with holes, frames that do not increase,
            or no step at all.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
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
        entry = json.loads(line)
        found, frame, text = entry["step"], entry["frame"], entry["caption"]
        if not (isinstance(found, int) and isinstance(frame, int) and isinstance(text, str)):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise VideoError(
            f'{place}: not a line such as {{"step": 0, "frame": 0, "caption": "a dog runs"}}'
        ) from None
    if found != step:
        raise VideoError(
            f"{place}: step {found} where step {step} is due: steps must run 0, 1, 2, ... without"
            " holes"
        )
    return frame, one_line(text)


def supplied(folder: Path, key: str, name: str) -> Captions:
    """The captions that a user gave for a video: `FOLDER/<key>.jsonl`, or `FOLDER/<name>.jsonl`.

    Raises:
        VideoError: no such file, or an unreadable one.
        UserError: no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"extract.captions={folder}: no such folder")
    paths = [folder / f"{stem}.jsonl" for stem in dict.fromkeys((key, name))]
    for path in paths:
        if path.exists():
            return read_captions(path)
    raise VideoError(f"{key}: no captions: expected {' or '.join(map(str, paths))}")


class CaptionCache:
    """A folder of captions that were all made alike."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        """Open `folder`, which need not exist yet.

        Raises:
            UserError: the folder was made otherwise.
        """
        self.folder, self.identity = Path(folder), identity
        self.manifest = self.folder / "fingerprint.json"
        if self.manifest.exists():
            changes = differences(
                read_json(self.manifest, "the fingerprint of captions").get("identity", {}),
                identity,
            )
            if changes:
                raise UserError(
                    f"{self.manifest}: made with {'; '.join(changes)}: use the same settings, or"
                    " another folder"
                )

    def path(self, key: str) -> Path:
        """Where the captions of video `key` are."""
        return self.folder / f"{key}.jsonl"

    def __contains__(self, key: str) -> bool:
        return self.path(key).exists() and self._features(key).exists()

    def keys(self) -> frozenset[str]:
        """The videos whose captions and features are there."""
        names = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        return frozenset(
            name[:-6]
            for name in names
            if name.endswith(".jsonl") and f"{name[:-6]}.safetensors" in names
        )

    def read(self, key: str) -> Captions:
        """The captions of video `key`."""
        return read_captions(self.path(key))

    def features(self, key: str) -> Tensor:
        """[T, D_v] vision features of video `key`; [T, 0] where the captioner has no vision tower
        that we know.

        Raises:
            UserError: missing or damaged.
        """
        try:
            with safe_open(self._features(key), framework="pt") as file:
                return file.get_tensor("v")
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"{self._features(key)}: unreadable ({error}): delete it and extract again"
            ) from error

    def source(self, key: str) -> str:
        """Hash of the video file that the captions describe; empty when unknown."""
        try:
            with safe_open(self._features(key), framework="pt") as file:
                return (file.metadata() or {}).get("source", "")
        except (SafetensorError, OSError):
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
        made_with = dict(provenance or {})
        if not self.manifest.exists():
            write_json(
                self.manifest,
                {"format": FORMAT, "identity": dict(self.identity), "provenance": made_with},
            )
        self.path(key).unlink(missing_ok=True)  # old captions never stand beside new features
        header = {
            "format": FORMAT,
            "source": source,
            "provenance": json.dumps(made_with, sort_keys=True),
        }
        save_tensors(
            self._features(key),
            {"v": features.contiguous().to("cpu"), "frames": torch.tensor(captions.frames)},
            header,
        )
        lines = [
            json.dumps({"step": step, "frame": frame, "caption": text}, ensure_ascii=False)
            for step, (frame, text) in enumerate(zip(captions.frames, captions.texts, strict=True))
        ]
        write_text(self.path(key), "\n".join(lines) + "\n")

    def _features(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"


def beside(folder: Path, identity: Identity) -> CaptionCache | None:
    """The captions of which the embeddings in `folder`, of this identity, were made; None where
    they do not lie beside it.
    """
    place = folder.parent / f"captions-{identity.get('captions')}"
    manifest = place / "fingerprint.json"
    if not manifest.exists():
        return None
    try:
        return CaptionCache(place, read_json(manifest, "a fingerprint")["identity"])
    except (UserError, KeyError, TypeError):
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
