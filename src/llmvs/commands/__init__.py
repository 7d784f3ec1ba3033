"""The verbs of the command line, one file each: `commands/train.py` is `llmvs train`.

A file holds `SUMMARY` (one line of help), `arguments(parser)` and `call(given)`, which returns the
exit status or nothing. It is found by its name; a name that begins with `_` is no verb.

Libraries that take long to import (torch, lightning, transformers) are imported inside `call`, so
that help and mistakes are answered at once.
"""

import importlib
import pkgutil
from types import ModuleType


def all_verbs() -> dict[str, ModuleType]:
    """Every verb and its module, in alphabetical order."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return {
        name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}")
        for name in names
        if not name.startswith("_")
    }
