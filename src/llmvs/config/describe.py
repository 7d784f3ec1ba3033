"""The list of all settings: key, default, the sentence under the field, and what it affects."""

import ast
import inspect
import textwrap
from typing import Any

from llmvs.config import inputs, schema, training
from llmvs.config.affects import NOTHING, Stage
from llmvs.config.settings import all_settings


def describe() -> str:
    """Every setting as `key = default`, below it its meaning and what it affects, in the order of
    the schema.
    """
    sentences = {
        node.name: _sentences(node)
        for module in (inputs, training, schema)
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ClassDef)
    }
    lines = []
    for key, setting in all_settings().items():
        text = sentences[setting.owner][key.rpartition(".")[2]]
        entries = setting.default if setting.is_open and setting.default else {"": setting.default}
        lines += [
            *(f"{key}.{name}".rstrip(".") + f" = {_shown(one)}" for name, one in entries.items()),
            textwrap.indent(textwrap.fill(text, 100), "    "),
            f"    Affects: {_affected(setting.affects)}.",
        ]
    return "\n".join(lines)


def _shown(default: Any) -> str:
    return "null" if default is None else str(default)


def _affected(stages: tuple[Stage, ...]) -> str:
    """What changes with a setting that some stages read."""
    order: tuple[Stage, ...] = ("captions", "embeddings", "training")
    if stages == (NOTHING,):
        return "nothing that is computed"
    first = min(order.index(stage) for stage in stages)
    return ", ".join(order[first:])


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
