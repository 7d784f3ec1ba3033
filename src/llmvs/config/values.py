"""Read the text of an override as the value that its setting takes.

Understood are the forms that people type and those that a W&B agent writes, which is what Python
prints: `None`, `True`, `['tvsum']`, `{'lr': 0.1}`.
"""

import ast
import re
from typing import Any

from llmvs.config.settings import Setting
from llmvs.config.yaml_files import parse

NULL = ("null", "None")
ENTRY = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)"|([^,]*?))\s*(?:,|$)""")


def value_of(setting: Setting | None, text: str, origin: str) -> Any:
    """The value of an override.

    Args:
        setting: what it sets; None: a whole group.
        text: what stands behind `key=`.
        origin: says in an error where it stands.

    Raises:
        UserError: not a dictionary where one is needed.
    """
    if setting is None:
        return mapping(text, origin)
    if setting.type is str and not setting.optional:
        return text
    if text in NULL:
        return None
    if setting.is_list:
        return entries(text)
    if setting.is_open or setting.type is Any:
        return mapping(text, origin)
    return text


def entries(text: str) -> list[str]:
    """The entries of a list, with or without brackets and quotes.

    >>> entries("['tvsum', 'summe=a dir']"), entries("[tvsum,summe]"), entries("tvsum"), entries("[]")
    (['tvsum', 'summe=a dir'], ['tvsum', 'summe'], ['tvsum'], [])
    """  # noqa: E501
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    found = [next(filter(None, match.groups()), "") for match in ENTRY.finditer(text)]
    return [entry for entry in found if entry]


def mapping(text: str, origin: str) -> Any:
    """A dictionary, or any plain value, as Python or YAML writes it.

    >>> mapping("{'lr': 0.1, 'clip': None}", ""), mapping("{lr: 1e-3}", ""), mapping("True", "")
    ({'lr': 0.1, 'clip': None}, {'lr': 0.001}, True)
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return parse(text, origin)
