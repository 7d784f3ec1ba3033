"""The models that come with llmvs: `builtin:NAME` in the place of a hub id or a folder.

Each is found by name in a module of its own, which is imported only when the name is used. Such a
module has three functions:

    version(name) -> str                which weights the name means, for fingerprints
    check(name) -> None                 refuses a model whose files are damaged
    folder(name, cache: Path) -> Path   the model in Hugging Face format, built there if need be
"""

import importlib
from pathlib import Path
from typing import Protocol, cast

from llmvs.errors import UserError, nearest

PREFIX = "builtin:"
MODELS = {
    "demo-head": "llmvs.demo.models.shipped",
    "demo-llama": "llmvs.demo.models.shipped",
    "demo-llava": "llmvs.demo.models.shipped",
    "tiny-llama": "llmvs.demo.models.built",
    "tiny-llava": "llmvs.demo.models.built",
}
"""Name -> module."""


class _Source(Protocol):
    """What a module of built-in models has."""

    def version(self, name: str) -> str: ...
    def check(self, name: str) -> None: ...
    def folder(self, name: str, cache: Path) -> Path: ...


def is_builtin(model: str) -> bool:
    """Tell whether `model`, as the settings give it, names a model that comes with llmvs."""
    return model.startswith(PREFIX)


def version(model: str) -> str:
    """Say which weights `builtin:NAME` means: a hash of its file, or the version of its recipe.

    Raises:
        UserError: no such built-in model.
    """
    return _source(model).version(_name(model))


def check(model: str) -> None:
    """Refuse a model that comes with llmvs and is not whole, before hours are spent on what it is
    to read; others are not looked at.

    Raises:
        UserError: no such built-in model, or one of its files is missing or damaged.
    """
    if is_builtin(model):
        _source(model).check(_name(model))


def folder(model: str, cache: Path) -> Path:
    """Give the folder of `builtin:NAME`, in Hugging Face format; what is built on the spot is built
    in `cache`.

    Raises:
        UserError: no such built-in model; its files are damaged; the cache cannot be written.
    """
    return _source(model).folder(_name(model), cache)


def _name(model: str) -> str:
    return model.removeprefix(PREFIX)


def _source(model: str) -> _Source:
    name = _name(model)
    if name not in MODELS:
        raise UserError(f"{model}: no such built-in model{nearest(name, MODELS)}")
    return cast(_Source, importlib.import_module(MODELS[name]))
