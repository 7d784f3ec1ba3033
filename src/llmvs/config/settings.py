"""All settings by their dotted keys: their types, their defaults, what they affect."""

import dataclasses
import functools
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmvs.config.affects import CAPTIONS, EMBEDDINGS, NOTHING, TRAINING, Stage
from llmvs.config.schema import Config
from llmvs.errors import nearest

OWN = ("eccv16", "folder")
"""Kinds of data sets of one's own: what they are is what their folder holds."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """One field of the schema."""

    key: str
    """Dotted, such as `optim.lr`."""
    type: Any
    """Its annotation, without `| None`."""
    optional: bool
    """Whether null is allowed."""
    default: Any
    owner: str
    """Name of the class that declares it."""
    affects: tuple[Stage, ...]
    """The stages that read it."""
    place: bool
    """Whether it is a folder of this machine."""
    text: bool
    """Whether it is a text that may also be read from a file."""

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return typing.get_origin(self.type) is list

    @property
    def is_open(self) -> bool:
        """Whether it is a dictionary with keys of the user's choice."""
        return self.type is dict or typing.get_origin(self.type) is dict


@functools.cache
def all_settings() -> dict[str, Setting]:
    """Every setting by its key, in the order of the schema."""
    return {one.key: one for one in _settings(Config, "")}


@functools.cache
def groups() -> frozenset[str]:
    """The keys of all groups of settings, such as `optim`."""
    return frozenset(key.rpartition(".")[0] for key in all_settings() if "." in key)


def setting_of(key: str) -> Setting | None:
    """The setting that a key belongs to: its own, or the dictionary that it is an entry of."""
    found = all_settings().get(key)
    while found is None and "." in key:
        key = key.rpartition(".")[0]
        above = all_settings().get(key)
        found = above if above is not None and above.is_open else None
    return found


def flat(config: Config) -> dict[str, Any]:
    """Every setting's value by its dotted key.

    >>> from llmvs.config.schema import DataConfig
    >>> flat(Config(data=DataConfig("summe")))["data.root"]
    'data/summe'
    """
    return dict(leaves(dataclasses.asdict(config)))


def leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys of nested dictionaries, with their values."""
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, dict):
            yield from leaves(item, f"{name}.")
        else:
            yield name, item


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `leaves`.

    >>> nested({"optim.lr": 0.1, "fold": 2})
    {'optim': {'lr': 0.1}, 'fold': 2}
    """
    result: dict[str, Any] = {}
    for key, value in values.items():
        *above, last = key.split(".")
        inner = result
        for part in above:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return result


def reading(config: Config, *stages: Stage, places: bool = True) -> dict[str, Any]:
    """The settings that some stages read, by their keys; `places=False`: without folders."""
    return {
        key: value
        for key, value in flat(config).items()
        if (found := setting_of(key)) is not None
        and not set(found.affects).isdisjoint(stages)
        and (places or not found.place)
    }


def reads_features(config: Config) -> bool:
    """Whether a run's head reads the `features` in the dataset's h5 file: nothing is extracted."""
    return config.method.model == "head" and config.head.inputs == "features"


def shaping_embeddings(config: Config, places: bool = True) -> dict[str, Any]:
    """The settings that decide which embeddings a run reads."""
    if reads_features(config):
        return {"head.inputs": config.head.inputs}
    return reading(config, CAPTIONS, EMBEDDINGS, places=places)


def making_embeddings(config: Config) -> dict[str, Any]:
    """The settings that make a head's input of a video: without folders, and without those of
    captions where they were supplied; empty where the embeddings were, or a file's features.
    """
    if config.extract.embeddings is not None or reads_features(config):
        return {}
    making = shaping_embeddings(config, places=False)
    if config.extract.captions is None:
        return making
    needed = reading(config, EMBEDDINGS, TRAINING)
    return {key: value for key, value in making.items() if key in needed}


def meaning(config: Config) -> dict[str, Any]:
    """All settings that a result depends on: two runs with the same meaning are the same run.

    Where a dataset's files lie does not count, but for datasets of one's own: there the folder is
    the dataset.
    """
    values = {
        key: value
        for key, value in flat(config).items()
        if (found := setting_of(key)) is not None and set(found.affects) != {NOTHING}
    }
    values["data.extra"] = [
        entry if entry.partition("=")[0] in OWN else entry.partition("=")[0]
        for entry in config.data.extra
    ]
    if config.data.dataset in OWN:
        values["data.root"] = config.data.root
    return values


def dataset_name(dataset: str, root: str) -> str:
    """A dataset's name in the names of runs: of a folder of one's own, also the folder's name.

    >>> dataset_name("summe", "/disk/sum"), dataset_name("folder", "data/mine")
    ('summe', 'folder-mine')
    >>> dataset_name("folder", "data/folder"), dataset_name("eccv16", "my/trips")
    ('folder', 'eccv16-trips')
    """
    folder = Path(root).name
    return f"{dataset}-{folder}" if dataset in OWN and folder not in (dataset, "") else dataset


def nearest_key(key: str) -> str:
    """The end of an error line about an unknown key: one with the same last word first, then by
    spelling.
    """
    known = list(all_settings())
    same = [name for name in known if name.split(".")[-1] == key.rsplit(".", maxsplit=1)[-1]]
    if same:
        return f": did you mean {' or '.join(same)}?"
    suggestion = nearest(key, known)
    return suggestion if suggestion.startswith(":") else ": `llmvs config --keys` lists them all"


def _settings(cls: type, prefix: str) -> Iterator[Setting]:
    hints = typing.get_type_hints(cls)
    owners = {
        name: base
        for base in reversed(cls.__mro__)
        for name in vars(base).get("__annotations__", {})
    }
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from _settings(typing.cast(type, hint), f"{prefix}{field.name}.")
            continue
        optional = type(None) in typing.get_args(hint)
        if optional:
            rest = [one for one in typing.get_args(hint) if one is not type(None)]
            hint = rest[0] if len(rest) == 1 else Any
        factory = field.default_factory
        yield Setting(
            f"{prefix}{field.name}",
            hint,
            optional,
            field.default if factory is dataclasses.MISSING else factory(),
            owners[field.name].__name__,
            field.metadata["affects"],
            field.metadata["place"],
            field.metadata["text"],
        )
