"""The small models that are built on the spot, `tiny-llama` and `tiny-llava`: where they lie, and
when they are built. How they are made is `tiny`'s; it is imported only to make them.
"""

import tempfile
from pathlib import Path

from llmvs.cache.listing import BACKBONES
from llmvs.files import DISK_ERRORS, temporary_prefix, unwritable

VERSION = "2"
"""Raised whenever these models or their tokenizer change."""


def version(name: str) -> str:
    """Say which weights `name` means; they are the same on every machine."""
    return f"version {VERSION}"


def check(name: str) -> None:
    """Nothing to look at before the model is built."""


def folder(name: str, cache: Path) -> Path:
    """Build the model `name` in `CACHE/backbones` when it is not there yet (whole or absent).

    Raises:
        UserError: the cache cannot be written.
    """
    place = cache / BACKBONES / f"{name}-{VERSION}"
    if place.is_dir():
        return place
    from llmvs.demo.models.tiny import BUILDERS

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=temporary_prefix(name), dir=place.parent, ignore_cleanup_errors=True
        ) as aside:
            whole = Path(aside) / name
            BUILDERS[name](whole)
            whole.rename(place)
    except DISK_ERRORS as error:
        if not place.is_dir():  # otherwise another process was quicker, with the same result
            raise unwritable(place, error) from error
    return place
