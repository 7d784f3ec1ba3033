"""What captions and embeddings are made of: the flat dictionaries that name a cache folder and
stand in its fingerprint.

Only what shapes the result is in an identity. Batch sizes, devices and library versions are not:
they are provenance.
"""

import functools
import hashlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmvs.cache import fingerprint
from llmvs.cache.fingerprint import Identity, short_hash
from llmvs.config.affects import CAPTIONS, EMBEDDINGS
from llmvs.config.schema import CaptionConfig, Config
from llmvs.config.settings import reading
from llmvs.errors import VideoError
from llmvs.extraction.hub import identify
from llmvs.extraction.prompts import Example, wording_hash, wording_of
from llmvs.files import check_name, regular

if TYPE_CHECKING:
    import torch

QUESTIONS = ("caption.prompt", "caption.centre_prompt", "caption.background_prompt")
"""Stand in an identity as the questions that are asked."""
LATER = ("prompt.instruction", "prompt.question", "prompt.about", "prompt.spoken")
"""Settings that came after the first caches: they stand in an identity only where they are set, so
that what was made without them stays what it is.
"""
SUPPLIED = "supplied"
"""Stands for captions that the user gave; the hash in every file's header says which."""


def captions_identity(config: Config, kind: str = "captions") -> Identity:
    """What decides the captions of a video, or what else the captioner is asked for.

    Raises:
        UserError: a captioner that cannot be identified (see `hub.identify`).
    """
    read = reading(config, CAPTIONS, places=False)
    for key in ("backbone.captioner_revision", *QUESTIONS):
        del read[key]
    return {
        **({} if kind == "captions" else {"role": kind}),
        "recipe": fingerprint.RECIPE,
        "captioner": identify(config.backbone.captioner, config.backbone.captioner_revision),
        "caption.prompt": " | ".join(questions(config.caption)),
        **read,
    }


def embeddings_identity(config: Config, examples: Sequence[Example]) -> Identity:
    """What decides the embeddings of a video, given its captions.

    Raises:
        UserError: a model that cannot be identified (see `hub.identify`).
    """
    read = reading(config, EMBEDDINGS, places=False)
    del read["backbone.scorer_revision"]
    read = {key: value for key, value in read.items() if value or key not in LATER}
    if config.examples.source == "fold":
        read |= {"data.splits": config.data.splits, "fold": config.fold}
    else:
        del read["examples.seed"]
    given = config.extract.captions is not None
    return {
        "recipe": fingerprint.RECIPE,
        "scorer": identify(config.backbone.scorer, config.backbone.scorer_revision),
        "wording": wording_hash(wording_of(config.prompt), config.prompt.style, examples)[:16],
        "captions": SUPPLIED if given else short_hash(captions_identity(config)),
        **read,
    }


def questions(caption: CaptionConfig) -> list[str]:
    """What the captioner is asked about every frame, one caption each."""
    return (
        [caption.prompt]
        if caption.kind == "general"
        else [caption.centre_prompt, caption.background_prompt]
    )


def folder(config: Config, dataset: str, kind: str, identity: Identity) -> Path:
    """`CACHE/DATASET/KIND-<hash of the identity>`.

    Raises:
        UserError: the dataset's name cannot be a folder's.
    """
    check_name(dataset, "data.dataset", "its folder in the cache would go by it: call it otherwise")
    return Path(config.cache) / dataset / f"{kind}-{short_hash(identity)}"


def provenance(device: "torch.device") -> dict[str, str]:
    """Versions of the libraries that computed, and the kind of device. Recorded, never compared."""
    name = device.type
    if device.type == "cuda":
        import torch

        name = torch.cuda.get_device_name(device)
    return {**versions(), "device": name}


@functools.cache
def versions() -> dict[str, str]:
    """Give the installed versions of the libraries that make captions, embeddings and looks."""
    found = {}
    for package in ("llmvs", "torch", "transformers", "tokenizers", "opencv-python-headless"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def file_hash(path: Path) -> str:
    """Hash of a video file by its size, first and last MiB: enough to notice that it was replaced,
    cheap for any length.

    Raises:
        VideoError: the file cannot be read.
    """
    part = 1 << 20
    try:
        size = path.stat().st_size
        with regular(path).open("rb") as file:
            digest = hashlib.sha256(f"{size}\0".encode() + file.read(part))
            file.seek(max(part, size - part))
            digest.update(file.read(part))
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()[:16]
