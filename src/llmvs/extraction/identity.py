"""What captions and embeddings are made of: the flat dictionaries that name a cache folder and
stand in its fingerprint.

Only what shapes the result is in an identity. Batch sizes, devices and library versions are not:
they are provenance.
"""

import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmvs.cache.embeddings import Identity, differences
from llmvs.config.schema import BackboneConfig, CaptionConfig, Config
from llmvs.errors import VideoError
from llmvs.extraction.hub import identify
from llmvs.extraction.prompts import Example, wording
from llmvs.files import check_name

if TYPE_CHECKING:
    import torch

RECIPE = 1
"""Raised whenever this package makes different captions or embeddings from the same settings."""
SUPPLIED = "supplied"
"""Stands for captions that the user gave; the hash in every file's header says which."""


def captions_identity(config: Config, kind: str = "captions") -> Identity:
    """What decides the captions of a video, or what else the captioner is asked for.

    Raises:
        UserError: a captioner that cannot be identified (see `hub.identify`).
    """
    backbone, extract = config.backbone, config.extract
    return {
        **({} if kind == "captions" else {"role": kind}),
        "recipe": RECIPE,
        "backbone.captioner": backbone.captioner,
        "captioner": identify(backbone.captioner, backbone.captioner_revision),
        **_numbers(backbone),
        "caption.kind": config.caption.kind,
        "caption.prompt": " | ".join(questions(config.caption)),
        "caption.max_tokens": config.caption.max_tokens,
        "extract.fps": extract.fps,
        "extract.every_nth_frame": extract.every_nth_frame,
    }


def embeddings_identity(config: Config, examples: Sequence[Example]) -> Identity:
    """What decides the embeddings of a video, given its captions.

    Raises:
        UserError: a model that cannot be identified (see `hub.identify`).
    """
    backbone, prompt = config.backbone, config.prompt
    given = config.extract.captions is not None
    identity: dict[str, str | int | float | bool | None] = {
        "recipe": RECIPE,
        "backbone.scorer": backbone.scorer,
        "scorer": identify(backbone.scorer, backbone.scorer_revision),
        **_numbers(backbone),
        "prompt.window": prompt.window,
        "prompt.style": prompt.style,
        "prompt.max_tokens": prompt.max_tokens,
        "examples.source": config.examples.source,
        "examples.count": config.examples.count,
        "wording": wording(prompt.style, examples)[:16],
        "extract.engine": config.extract.engine,
        "extract.readout": config.extract.readout,
        "extract.keep": config.extract.keep,
        "captions": SUPPLIED if given else short_hash(captions_identity(config)),
    }
    if config.examples.source == "fold":
        identity |= {
            "examples.seed": config.examples.seed,
            "data.splits": config.data.splits,
            "fold": config.fold,
        }
    return identity


def questions(caption: CaptionConfig) -> list[str]:
    """What the captioner is asked about every frame, one caption each."""
    return (
        [caption.prompt]
        if caption.kind == "general"
        else [caption.centre_prompt, caption.background_prompt]
    )


def short_hash(identity: Identity) -> str:
    """Eight hexadecimal digits that name the folder of an identity."""
    return hashlib.sha256(
        json.dumps(dict(identity), sort_keys=True, ensure_ascii=False).encode()
    ).hexdigest()[:8]


def folder(config: Config, dataset: str, kind: str, identity: Identity) -> Path:
    """`CACHE/DATASET/KIND-<hash of the identity>`.

    Raises:
        UserError: the dataset's name cannot be a folder's.
    """
    check_name(dataset, "data.dataset", "its folder in the cache would go by it: call it otherwise")
    return Path(config.cache) / dataset / f"{kind}-{short_hash(identity)}"


def why_new(place: Path, identity: Identity) -> str | None:
    """Why the not yet existing folder `place` is not one of its older neighbours: what differs from
    the nearest of them.

    None when `place` exists, or is the first of its kind.
    """
    if (place / "fingerprint.json").exists():
        return None
    kind = place.name.rsplit("-", 1)[0]
    changes = []
    for manifest in place.parent.glob(f"{kind}-*/fingerprint.json"):
        try:
            found = json.loads(manifest.read_text(encoding="utf-8"))["identity"]
            changes.append((differences(found, identity), manifest.parent.name))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    if not changes:
        return None
    nearest, name = min(changes, key=lambda change: (len(change[0]), change[1]))
    return (
        f"{place}: a new folder, because {name} was made with"
        f" {'; '.join(nearest).replace('(expected', '(now')}"
    )


def provenance(device: "torch.device") -> dict[str, str]:
    """Versions of the libraries that computed, and the kind of device. Recorded, never compared."""
    name = device.type
    if device.type == "cuda":
        import torch

        name = torch.cuda.get_device_name(device)
    return {**_versions(), "device": name}


@functools.cache
def _versions() -> dict[str, str]:
    versions = {}
    for package in ("llmvs", "torch", "transformers", "tokenizers", "opencv-python-headless"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def file_hash(path: Path) -> str:
    """Hash of a video file by its size, first and last MiB: enough to notice that it was replaced,
    cheap for any length.

    Raises:
        VideoError: the file cannot be read.
    """
    part = 1 << 20
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.sha256(f"{size}\0".encode() + file.read(part))
            file.seek(max(part, size - part))
            digest.update(file.read(part))
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()[:16]


def _numbers(backbone: BackboneConfig) -> dict[str, str]:
    return {"backbone.dtype": backbone.dtype, "backbone.quantize": backbone.quantize}
