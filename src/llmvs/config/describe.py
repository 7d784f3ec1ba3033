"""The list of all settings, read from config.py itself: key, default, and the sentence under the
field.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from llmvs.config import schema as config


def describe() -> str:
    """Every setting as `key = default` with its meaning below, in the order of schema.py."""
    sentences = {
        node.name: _sentences(node)
        for node in ast.parse(inspect.getsource(config)).body
        if isinstance(node, ast.ClassDef)
    }
    lines = []
    for key, default, (owner, name) in _settings(config.Config(), ""):
        text = sentences[owner].get(name) or sentences["HardwareConfig"][name]
        lines += [
            f"{key} = {'null' if default is None else default}",
            textwrap.indent(textwrap.fill(text, 100), "    "),
        ]
    return "\n".join(lines)


def _settings(values: Any, prefix: str) -> Iterator[tuple[str, Any, tuple[str, str]]]:
    """(dotted key, default, (class, field)) of every setting; a mapping's entries are one each."""
    for field in fields(values):
        value, key = getattr(values, field.name), f"{prefix}{field.name}"
        if is_dataclass(value):
            yield from _settings(value, f"{key}.")
            continue
        entries = value if isinstance(value, dict) and value else {"": value}
        for name, item in entries.items():
            yield f"{key}.{name}".rstrip("."), item, (type(values).__name__, field.name)


def _sentences(node: ast.ClassDef) -> dict[str, str]:
    """Field -> the string that follows it."""
    pairs = zip(node.body, node.body[1:], strict=False)
    return {
        field.target.id: str(text.value.value)
        for field, text in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }
