"""Read the text of an override as the value that its setting takes.

Understood are the forms that people type and those that a W&B agent writes, which is what Python
prints: `None`, `True`, `['tvsum']`, `{'lr': 0.1}`.
"""

import ast
import re
from pathlib import Path
from typing import Any

from llmvs.config.settings import Setting
from llmvs.config.yaml_files import parse
from llmvs.errors import UserError
from llmvs.files import regular

NULL = ("null", "None")
TEXT_FILE = ".txt"
LONGEST_TEXT = 100_000
"""Bytes of a text that is read from a file: no model reads more before its first answer."""
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


def text_of(value: str, place: str) -> str:
    """A text, or the content of the file that it names by ending in `.txt`.

    Raises:
        UserError: no such file, not UTF-8, too large, or empty.
    """
    if not value.endswith(TEXT_FILE):
        return value
    try:
        with regular(Path(value)).open("rb") as file:
            content = file.read(LONGEST_TEXT + 1)
        text = content.decode("utf-8-sig").strip()
    except OSError as error:
        raise UserError(
            f"{place}: cannot be read ({error.strerror}): what ends in {TEXT_FILE} is a file"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"{place}: not UTF-8: save it as UTF-8") from None
    if not text or len(content) > LONGEST_TEXT or text.endswith(TEXT_FILE):
        raise UserError(f"{place}: must hold a text of at most {LONGEST_TEXT} bytes")
    return text


def mapping(text: str, origin: str) -> Any:
    """A dictionary, or any plain value, as Python or YAML writes it.

    >>> mapping("{'lr': 0.1, 'clip': None}", ""), mapping("{lr: 1e-3}", ""), mapping("True", "")
    ({'lr': 0.1, 'clip': None}, {'lr': 0.001}, True)
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return parse(text, origin)
