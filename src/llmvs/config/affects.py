"""Declare a setting together with what it affects.

The names of runs, the reuse of finished runs, the fingerprints of caches and the export of trained
heads are all derived from these declarations.
"""

import copy
import dataclasses
import importlib
import math
from typing import Any, Literal

from llmvs.errors import UserError

Stage = Literal["captions", "embeddings", "training", "nothing"]
"""A stage that reads a setting; what captions change, embeddings and training change too."""
CAPTIONS: Stage = "captions"
EMBEDDINGS: Stage = "embeddings"
TRAINING: Stage = "training"
NOTHING: Stage = "nothing"
"""The setting changes where, how fast or how loudly a run happens, but no result."""
LARGEST_SEED = 2**32 - 1
"""What numpy and Lightning take."""
MANY = 1_000_000
"""No count of epochs, videos or steps is larger."""


def setting(
    default: Any,
    *affects: Stage,
    place: bool = False,
    text: bool = False,
    within: tuple[float, float] | None = None,
) -> Any:
    """Declare a field of the schema.

    Args:
        default: its default; a list or dictionary is copied for every object.
        affects: the stages that read it, or `NOTHING`.
        place: whether it is a folder of this machine; what is shared or named then holds at most
            its last part.
        text: whether it is a text that may also be read from a file (`prompt.txt`).
        within: the smallest and the largest number allowed.
    """
    metadata = {"affects": affects, "place": place, "text": text, "within": within}
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: copy.copy(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def check_numbers(settings: Any, group: str = "") -> None:
    """Check every number of a group of settings against its limits.

    Raises:
        ValueError: a number that is infinite, not a number, or outside the limits of its field.
    """
    for field in dataclasses.fields(settings):
        value, limits = getattr(settings, field.name), field.metadata.get("within")
        key = f"{group}.{field.name}" if group else field.name
        if isinstance(value, float):
            require(math.isfinite(value), key, value, "a finite number")
        if limits is not None and value is not None:
            low, high = limits
            require(value >= low, key, value, f"{low} or more")
            require(value <= high, key, value, f"at most {high}")


def require(ok: bool, key: str, value: Any, allowed: str) -> None:
    """Refuse a value with a line that names its key and what is allowed.

    Raises:
        ValueError: `ok` is false.
    """
    if not ok:
        raise ValueError(f"{key}={value}: must be {allowed}")


def registered(module: str, check: str, value: Any) -> None:
    """Have a registry of a higher floor, which is reached by its name, check a name."""
    try:
        getattr(importlib.import_module(module), check)(value)
    except UserError as error:
        raise ValueError(str(error)) from None
