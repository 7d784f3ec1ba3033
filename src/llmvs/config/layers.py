"""Find the YAML files that a command line names: by path, or by a bare name such as `tvsum`.

A bare name is looked up in `./configs` first, and in the configurations that come with this package
else; a name of several kinds (`demo` is a dataset and a backbone) means the first of `KINDS`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmvs.config.yaml_files import read_mapping
from llmvs.errors import UserError, nearest
from llmvs.files import is_there, shown

COMMAND_LINE = "command line"
KINDS = ("dataset", "backbone", "variant")
"""Folders of configs/, in the order in which their layers are merged: an agent sorts its arguments
by name, so their order says nothing, and a variant always builds on the others.
"""
PACKAGE = Path(__file__).parents[1]
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Layer:
    """A YAML file of settings."""

    kind: str
    """One of `KINDS`, or empty for a file that stands elsewhere."""
    path: Path
    named: bool = False
    """Whether it was given as `kind=...`."""


def is_override(argument: str) -> bool:
    """Whether an argument has the form `key=value` or `--key=value`."""
    return re.match(r"(--)?[A-Za-z_][\w.]*=", argument) is not None


def is_layer(argument: str) -> bool:
    """Whether an argument names a YAML file: `FILE.yaml`, a bare name that is known, or
    `dataset=`, `backbone=` or `variant=` with either.
    """
    if is_override(argument):
        return split(argument)[0] in KINDS
    return find_layer(argument) is not None


def split(argument: str) -> tuple[str, str]:
    """Key and value of `key=value` or `--key=value`."""
    key, _, value = argument.removeprefix("--").partition("=")
    return key, value


def folders(place: str) -> tuple[Path, Path]:
    """Where the files of a place such as `configs/dataset` or `sweeps` are looked for, in order."""
    return Path(place), PACKAGE / place


def names(place: str) -> list[str]:
    """The bare names that are known in a place such as `configs/dataset`."""
    found = {path.stem for folder in folders(place) for path in folder.glob("*.yaml")}
    return sorted(found)


def find_file(name: str, place: str, what: str) -> Path:
    """A file by its path, or by its bare name in a place such as `configs/grid`.

    Raises:
        UserError: no such name or file (suggests the nearest), or a folder.
    """
    if name.endswith(SUFFIXES):
        path = Path(name)
        if path.is_file():
            return path
        known = map(str, _beside(path))
        problem = "a folder" if path.is_dir() else f"no such file{nearest(name, known)}"
        raise UserError(f"{name}: {problem}")
    found = _by_name(name, place)
    if found is None:
        raise UserError(f"{name}: no such {what}{nearest(name, names(place))}")
    return found


def find_layer(argument: str) -> Layer | None:
    """The layer that an argument names; None where it is something else.

    Raises:
        UserError: `dataset=`, `backbone=` or `variant=` with a name that is not known.
    """
    kind, name = split(argument) if is_override(argument) else ("", argument)
    if kind and kind not in KINDS:
        return None
    if name.endswith(SUFFIXES):
        above = Path(name).parent.name
        return Layer(kind or (above if above in KINDS else ""), Path(name), bool(kind))
    for one in [kind] if kind else KINDS:
        path = _by_name(name, f"configs/{one}")
        if path is not None:
            return Layer(one, path, bool(kind))
    if kind:
        known = names(f"configs/{kind}")
        raise UserError(f"{COMMAND_LINE}: {kind}={name}: no such {kind}{nearest(name, known)}")
    return None


def in_order(layers: Sequence[Layer]) -> list[Layer]:
    """Layers in the order in which they are merged.

    Datasets, backbones and variants follow each other in this order, whatever the order they were
    given in; files that stand elsewhere keep their place, but come after layers that were given as
    `kind=...`. A layer that was given twice counts once.

    Raises:
        UserError: two datasets, or two backbones.
    """
    distinct = {layer.path.resolve(): layer for layer in layers}
    given = sorted(distinct.values(), key=lambda layer: not layer.named)
    for kind in KINDS[:2]:
        same = [str(layer.path) for layer in given if layer.kind == kind]
        if len(same) > 1:
            raise UserError(
                f"{COMMAND_LINE}: {' and '.join(same)} are {kind}s both: name one of them"
            )
    ordered = iter(
        sorted((layer for layer in given if layer.kind), key=lambda layer: KINDS.index(layer.kind))
    )
    return [next(ordered) if layer.kind else layer for layer in given]


def read_layer(path: Path, above: tuple[Path, ...] = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The content of the files that a layer builds on, then its own.

    Raises:
        UserError: absent, unreadable, or building on itself.
    """
    if path.resolve() in above:
        raise UserError(f"{path}: base: builds on itself")
    content = read_mapping(path, sorted(str(other) for other in _beside(path)))
    base = content.pop("base", None)
    given = [] if base is None else [base] if isinstance(base, str) else base
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise UserError(
            f"{path}: base={base}: expected a list of files, such as [../backbone/demo.yaml]"
        )
    for one in given:
        yield from read_layer(_base(path, one), (*above, path.resolve()))
    yield path, content


def unknown(argument: str) -> UserError:
    """What a user is told about an argument that is neither a layer nor `key=value`."""
    if is_there(argument) and Path(argument).is_dir():
        return UserError(f"{COMMAND_LINE}: {argument}: a folder, not a layer: name a YAML file")
    if argument in names("configs/grid"):
        return UserError(
            f"{COMMAND_LINE}: {argument} is a grid of variants: llmvs ablate {argument}"
        )
    known = [name for kind in KINDS for name in names(f"configs/{kind}")]
    close = nearest(argument, known)
    if not close.startswith(":"):
        close = f" (datasets: {', '.join(names('configs/dataset'))})"
    return UserError(
        f"{COMMAND_LINE}: {shown(argument, 300)} is neither a layer (a YAML file, or a name in"
        f" configs) nor key=value{close}"
    )


def _by_name(name: str, place: str) -> Path | None:
    if re.fullmatch(r"\w[\w.+-]*", name) is None:
        return None
    paths = [folder / f"{name}.yaml" for folder in folders(place)]
    return next((path for path in paths if is_there(str(path)) and path.is_file()), None)


def _beside(path: Path) -> list[Path]:
    return [other for other in path.parent.glob("*.yaml") if other.is_file()]


def _base(path: Path, name: str) -> Path:
    """The file that a layer builds on: relative to the layer, or a bare name."""
    layer = None if name.endswith(SUFFIXES) else find_layer(name)
    found = path.parent / name if layer is None else layer.path
    if not found.exists():
        known = [str(other) for other in _beside(found)]
        raise UserError(f"{path}: base: {found}: no such file{nearest(str(found), known)}")
    return found
