"""What a folder of the cache was made with: the flat dictionary that names it and stands in its
`fingerprint.json`.

A fingerprint has two parts. The *identity* (models, number format, prompts, window, sampling, ...)
decides whether files may be used together. The *provenance* (library versions, device) is only
recorded: a new patch release of a library must not throw away a cache that took days. This file
opens no array and imports no torch.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from llmvs.errors import UserError
from llmvs.files import read_json, write_json

Identity = Mapping[str, str | int | float | bool | None]
"""Flat: dotted setting -> plain value."""

MANIFEST = "fingerprint.json"
"""The file of a folder that says what all its other files were made with."""
TENSORS = ".safetensors"
"""Files of arrays."""
LINES = ".jsonl"
"""Files of captions."""
CAPTIONS_FORMAT = "llmvs-captions-1"
EMBEDDINGS_FORMAT = "llmvs-embeddings-1"
LOOKS_FORMAT = "llmvs-looks-1"
FORMAT_PREFIX = "llmvs-"
"""How the formats in our fingerprints begin, those of older versions too."""
RECIPE = 1
"""Raised whenever this package makes different captions or embeddings from the same settings."""


def differences(found: Identity, expected: Identity) -> list[str]:
    """Say where two identities differ, one phrase each: `prompt.window=5 (expected 7)`."""
    absent = "nothing"
    return [
        f"{key}={found.get(key, absent)} (expected {expected.get(key, absent)})"
        for key in sorted({*found, *expected})
        if found.get(key, absent) != expected.get(key, absent)
    ]


def check_identity(place: Path, found: Identity, expected: Identity) -> None:
    """Refuse what was made otherwise.

    Raises:
        UserError: names the file `place` and every setting that differs.
    """
    if changes := differences(found, expected):
        raise UserError(
            f"{place}: made with {'; '.join(changes)}: use the same settings, or another folder"
        )


def canonical(identity: Identity) -> str:
    """Write an identity as one line of JSON, the same for the same content."""
    return json.dumps(dict(identity), sort_keys=True, ensure_ascii=False)


def short_hash(identity: Identity) -> str:
    """Give the eight hexadecimal digits that name the folder of an identity."""
    return hashlib.sha256(canonical(identity).encode()).hexdigest()[:8]


def read_identity(manifest: Path, file_format: str, what: str) -> Identity:
    """Read the identity in a folder's `fingerprint.json`.

    Args:
        manifest: the file.
        file_format: that it must name.
        what: the kind of folder it must belong to, for the error line.

    Raises:
        UserError: missing, unreadable, or of another kind or version.
    """
    found = read_json(manifest, f"the fingerprint of {what}")
    identity = found.get("identity") if isinstance(found, dict) else None
    if not isinstance(identity, dict) or found.get("format") != file_format:
        raise UserError(f"{manifest}: not the fingerprint of {what} of format {file_format}")
    return identity


def write_fingerprint(
    manifest: Path, file_format: str, identity: Identity, provenance: Mapping[str, str]
) -> None:
    """Write a folder's `fingerprint.json`, atomically."""
    write_json(
        manifest,
        {"format": file_format, "identity": dict(identity), "provenance": dict(provenance)},
    )


def why_new(folder: Path, identity: Identity) -> str | None:
    """Say why the not yet existing `folder` is not one of its older neighbours: what differs from
    the nearest of them.

    None when `folder` exists, or is the first of its kind.
    """
    if (folder / MANIFEST).exists():
        return None
    kind = folder.name.rsplit("-", 1)[0]
    changes = []
    for manifest in folder.parent.glob(f"{kind}-*/{MANIFEST}"):
        try:
            found = read_json(manifest, "a fingerprint")["identity"]
            changes.append((differences(found, identity), manifest.parent.name))
        except (UserError, KeyError, TypeError):
            continue
    if not changes:
        return None
    nearest, name = min(changes, key=lambda change: (len(change[0]), change[1]))
    return (
        f"{folder}: a new folder, because {name} was made with"
        f" {'; '.join(nearest).replace('(expected', '(now')}"
    )
