"""Name experiments: a short name that depends only on what a configuration means."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmvs.config.affects import NOTHING
from llmvs.config.settings import dataset_name, setting_of

READABLE = 40
"""Most characters of changed settings that are written out; longer ones become a hash."""
LONGEST = 120
IN_THE_PATH = ("data.dataset", "fold", "seed")
"""What a run's folder says elsewhere."""


def experiment_name(
    stems: Sequence[str], layered: Mapping[str, Any], final: Mapping[str, Any]
) -> str:
    """The name of an experiment: the dataset, the layers, and what overrides have changed in them.

    Args:
        stems: the layers' names, in order.
        layered: every setting's value by key, after the layers.
        final: the same after the overrides.

    >>> experiment_name(["summe", "mlp"], {"optim.lr": 0.1}, {"data.dataset": "summe", "optim.lr": 0.2})
    'summe-mlp+optim.lr=0.2'
    """  # noqa: E501
    dataset = str(final["data.dataset"])
    whole = dataset_name(dataset, str(final.get("data.root", "")))
    known = [whole if stem == dataset else stem for stem in stems]
    parts = known if dataset in stems else [whole, *known]
    changes = {
        key: _named(key, value)
        for key, value in sorted(final.items())
        if _counts(key) and (key not in layered or layered[key] != value)
    }
    name = re.sub(r"[^\w.=+-]", "_", "-".join(parts))
    if len(name) > LONGEST:
        name = f"{name[:LONGEST]}-{_hash(parts)}"
    return name.lstrip(".") + _suffix(changes)


def _counts(key: str) -> bool:
    setting = setting_of(key)
    return setting is not None and set(setting.affects) != {NOTHING} and key not in IN_THE_PATH


def _named(key: str, value: Any) -> Any:
    """A value as it enters a name: where something lies does not, what it is called does."""
    setting = setting_of(key)
    if value is not None and setting is not None and setting.place:
        return Path(str(value)).name
    if key == "data.extra":
        return [dataset_name(*str(entry).partition("=")[::2]) for entry in value]
    return value


def _suffix(changes: Mapping[str, Any]) -> str:
    readable = "".join(f"+{key}={_written(value)}" for key, value in changes.items())
    if len(readable) <= READABLE and re.fullmatch(r"[\w.=+,-]*", readable) and ".." not in readable:
        return readable
    return f"-{_hash(changes)}"


def _written(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return (
        {None: "null", True: "true", False: "false"}.get(value, str(value))
        if isinstance(value, (bool, type(None)))
        else str(value)
    )


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
