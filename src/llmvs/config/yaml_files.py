"""Read and write YAML: plain values only; a mistake is one line that names file and key."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from llmvs.errors import UserError, nearest
from llmvs.files import regular

DEEPEST = 20
"""No file of this project nests deeper."""
DISABLED = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")
"""A date, `<<` and `=` are text here."""
EXPONENT = re.compile(r"[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+$")


class _Loader(yaml.SafeLoader):
    """YAML without dates and with 1e-4 as a number (YAML 1.1 reads it as text)."""


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads as the same value."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True


def _resolvers() -> dict[str, list[tuple[str, Any]]]:
    """Which plain text is which kind of value, by its first character."""
    found = {
        first: [(tag, pattern) for tag, pattern in rules if tag not in DISABLED]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for first in "-+.0123456789":
        found.setdefault(first, []).append(("tag:yaml.org,2002:float", EXPONENT))
    return found


_Loader.yaml_implicit_resolvers = _Dumper.yaml_implicit_resolvers = _resolvers()


class _Old(_Loader):
    """As W&B reads: 1e-4 is text."""


_Old.yaml_implicit_resolvers = yaml.SafeLoader.yaml_implicit_resolvers


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    """A mapping with text as keys, each of them once."""
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        if key in found:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key} stands twice", key_node.start_mark
            )
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_mapping(path: Path, known: Iterable[str] = (), old: bool = False) -> dict[str, Any]:
    """Read a YAML file of `key: value` lines; an empty file is an empty dictionary.

    Args:
        path: the file.
        known: other files of its kind, for the suggestion where it is not there.
        old: read numbers as W&B does, which takes 1e-4 for text.

    Raises:
        UserError: absent, a folder, unreadable, not YAML, aliases, nested too deeply, not a
            mapping.
    """
    try:
        text = regular(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file{nearest(str(path), known)}") from None
    except IsADirectoryError:
        inside = sorted(str(other) for other in path.glob("*.yaml"))
        hint = f", such as {inside[0]}" if inside else ""
        raise UserError(f"{path}: a folder: name a YAML file{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable as YAML: {_line(error)}") from error
    content = parse(text, str(path), _Old if old else _Loader)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected `key: value` lines, found {type(content).__name__}")
    return content


def parse(text: str, origin: str, loader: type[_Loader] = _Loader) -> Any:
    """The value of a YAML text; `origin` says in an error where it came from.

    Raises:
        UserError: not YAML, aliases, nested too deeply.
    """
    try:
        _refuse_odd(text, origin)
        return yaml.load(text, loader)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{origin}: not readable as YAML: {_line(error)}") from error


def dump(value: Any) -> str:
    """YAML text that `parse` reads as the same value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _refuse_odd(text: str, origin: str) -> None:
    """Refuse what the reader would follow without end: aliases and endless nesting."""
    depth, last = 0, "its first line"
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.ScalarEvent):
            last = event.value
        if isinstance(event, yaml.AliasEvent):
            raise UserError(
                f"{origin}: {last}: *{event.anchor} is an alias: write its value out instead"
            )
        if depth > DEEPEST:
            raise UserError(f"{origin}: {last}: nested more than {DEEPEST} levels deep")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
