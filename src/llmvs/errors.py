"""Exceptions for everything a user can mend: the command line prints the message and exits with
status 2.
"""

import difflib
import importlib.util
from collections.abc import Iterable, Sequence


class UserError(Exception):
    """A mistake in what the user gave: one line that names the value, the place and the cure."""


class VideoError(UserError):
    """A UserError about one video of a list: it is reported, and the others go on."""


def require_package(module: str, extra: str, purpose: str) -> None:
    """Refuse what needs an extra that is not installed, before anything is spent on it.

    Args:
        module: name of the package, as it is imported.
        extra: of llmvs, that installs it.
        purpose: what needs it, the beginning of the message.

    Raises:
        UserError: the module is absent.
    """
    if importlib.util.find_spec(module) is None:
        raise UserError(f"{purpose} needs {module}: pip install 'llmvs[{extra}]'")


def first_few(names: Sequence[str], most: int = 3) -> str:
    """The first of many names, for an error line, and how many more there are.

    >>> first_few(["a", "b", "c", "d"]), first_few(["a", "b"])
    ('a, b, c and 1 more', 'a, b')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def nearest(value: str, known: Iterable[str]) -> str:
    """The end of an error line about an unknown name: `: did you mean X?`, or the list of what is
    known.

    >>> nearest("tvsun", ["summe", "tvsum"])
    ': did you mean tvsum?'
    >>> nearest("?", ["summe", "tvsum"])
    ' (known: summe, tvsum)'
    """
    names = list(known)
    close = difflib.get_close_matches(value, names, n=1, cutoff=0.6)
    if close:
        return f": did you mean {close[0]}?"
    return f" (known: {', '.join(names)})" if names else ""
