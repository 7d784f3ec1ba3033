"""From the command line to a `Config`: YAML files in order, then `key=value` overrides; later wins.

A YAML file may name others it builds on (`base: [../backbone/tiny.yaml]`, relative to itself).
Every error is one line that says where the value came from.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from llmvs.config.schema import Config
from llmvs.errors import UserError, nearest

COMMAND_LINE = "command line"
NAMED = ("dataset", "backbone", "variant")
"""Folders of configs/. An agent sorts its arguments by name, so their order says nothing: a variant
always builds on the others.
"""
UNNAMED = (
    "experiment",
    "fold",
    "seed",
    "resume",
    "runs",
    "cache",
    "accelerator",
    "devices",
    "num_nodes",
    "log",
    "data.root",
    "caption.batch",
    "extract.refresh",
    "extract.tokens_per_batch",
)
"""Keys (or groups of keys) that say where and how a run happens, not what it is: they do not enter
its name.
"""


def load_config(arguments: Sequence[str]) -> Config:
    """Build the configuration from YAML paths and `key=value` (or `--key=value`) overrides.

    Args:
        arguments: in any order; files are merged in their order, then overrides in theirs. A file
            may be named as `dataset=FILE`, `backbone=FILE` or `variant=FILE`, as a sweep's agent
            does: these come first, in this order.

    Raises:
        UserError: missing or malformed file, unknown key (suggests the nearest), wrong type or
            value, missing setting.
    """
    layers = [
        path for _, path in sorted(filter(None, map(_layer, arguments)), key=lambda found: found[0])
    ]
    overrides = [_split(argument) for argument in arguments if not is_layer(argument)]
    merged = OmegaConf.structured(Config)
    origins: dict[str, str] = {}
    for layer in layers:
        for path, content in _read(layer, ()):
            merged = _merge(merged, content, str(path), origins)
    for key, value in overrides:
        merged = _merge(merged, _nested(key, _listed(merged, key, value)), COMMAND_LINE, origins)
    if OmegaConf.is_missing(merged, "experiment") and not OmegaConf.is_missing(
        merged.data, "dataset"
    ):
        merged.experiment = _name(
            str(merged.data.dataset), [layer.stem for layer in layers], overrides
        )
    return _build(merged, origins)


def is_layer(argument: str) -> bool:
    """Whether an argument names a YAML file: `FILE.yaml`, or `dataset=`, `backbone=` or
    `variant=FILE.yaml`.
    """
    return _layer(argument) is not None


def _layer(argument: str) -> tuple[int, Path] | None:
    """A layer's place among the others and its file; None for anything else."""
    name, path = _split(argument) if is_override(argument) else ("", argument)
    if not str(path).endswith((".yaml", ".yml")) or (name and name not in NAMED):
        return None
    return NAMED.index(name) if name else len(NAMED), Path(str(path))


def is_override(argument: str) -> bool:
    """Whether an argument has the form `key=value` or `--key=value`."""
    return re.match(r"(--)?[A-Za-z_][\w.]*=", argument) is not None


def chosen(arguments: Sequence[str], defaults: Mapping[str, str]) -> dict[str, str]:
    """The choices of a verb that takes no configuration: `key=value` arguments over their defaults.

    Raises:
        UserError: another form, or a key without a default.
    """
    given = dict(_split(argument) for argument in arguments)
    for key in given:
        if key not in defaults:
            raise UserError(f"{COMMAND_LINE}: unknown key {key}{nearest(key, defaults)}")
    return {**defaults, **{key: value or "" for key, value in given.items()}}


def to_yaml(config: Config) -> str:
    """The whole configuration as YAML, readable as a layer again."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def run_folder(config: Config) -> Path:
    """Where a run's files go: a pure function of its configuration, so that all ranks of a run
    agree.
    """
    return Path(config.runs) / config.experiment / f"fold{config.fold}" / f"seed{config.seed}"


def flat(config: Config | DictConfig) -> dict[str, Any]:
    """Every setting by its dotted key."""
    container = OmegaConf.to_container(
        OmegaConf.structured(config) if isinstance(config, Config) else config
    )
    return dict(_leaves(container, ""))


def _leaves(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _split(argument: str) -> tuple[str, str | None]:
    if not is_override(argument):
        raise UserError(f"{COMMAND_LINE}: {argument!r} is neither a YAML file nor key=value")
    key, value = argument.removeprefix("--").split("=", 1)
    return key, None if value in ("null", "None") else value


def _listed(config: DictConfig, key: str, value: str | None) -> Any:
    """The value of an override; `[a,b]`, or `a`, where the setting is a list."""
    if value is None or not isinstance(OmegaConf.select(config, key), ListConfig):
        return value
    return [part.strip() for part in value.strip("[] ").split(",") if part.strip()]


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _read(path: Path, above: tuple[Path, ...]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The files a layer builds on, then the layer itself."""
    if path.resolve() in above:
        raise UserError(f"{path}: builds on itself through `base`")
    try:
        content = OmegaConf.to_container(OmegaConf.load(path)) if path.stat().st_size else {}
    except FileNotFoundError:
        known = sorted(str(other) for other in path.parent.glob("*.yaml")) or [
            "configs/dataset/demo.yaml"
        ]
        raise UserError(f"{path}: no such file{nearest(str(path), known)}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected `key: value` lines, found {type(content).__name__}")
    for base in content.pop("base", []):
        yield from _read(path.parent / base, (*above, path.resolve()))
    yield path, {str(key): value for key, value in content.items()}


def _merge(
    config: DictConfig, content: dict[str, Any], origin: str, origins: dict[str, str]
) -> DictConfig:
    try:
        merged = OmegaConf.merge(config, content)
    except ConfigKeyError as error:
        key = error.full_key or str(error.key)
        raise UserError(f"{origin}: unknown key {key}{_nearest_key(key)}") from error
    except OmegaConfBaseException as error:
        problem = str(error).splitlines()[0]
        raise UserError(f"{origin}: {error.full_key}: {problem[0].lower()}{problem[1:]}") from error
    origins.update((key, origin) for key, _ in _leaves(content, ""))
    assert isinstance(merged, DictConfig)
    return merged


def _build(merged: DictConfig, origins: dict[str, str]) -> Config:
    missing = sorted(OmegaConf.missing_keys(merged))
    if missing:
        raise UserError(
            f"{COMMAND_LINE}: {missing[-1] if 'data.dataset' not in missing else 'data.dataset'} is"
            " not set: name a dataset's layer, such as configs/dataset/demo.yaml, or"
            " data.dataset=demo"
        )
    try:
        OmegaConf.resolve(merged)
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise UserError(
            f"{COMMAND_LINE}: {error.full_key}: {str(error).splitlines()[0]}"
        ) from error
    except ValueError as error:
        key = str(error).split("=", 1)[0]
        raise UserError(f"{origins.get(key, COMMAND_LINE)}: {error}") from error
    assert isinstance(config, Config)
    return config


def _nearest_key(key: str) -> str:
    """The nearest valid key: one with the same last word first, then by spelling."""
    known = list(dict(_leaves(OmegaConf.to_container(OmegaConf.structured(Config)), "")))
    same = [name for name in known if name.split(".")[-1] == key.rsplit(".", maxsplit=1)[-1]]
    if same:
        return f": did you mean {' or '.join(same)}?"
    suggestion = nearest(key, known)
    return suggestion if suggestion.startswith(":") else ": `llmvs config --keys` lists them all"


def _name(dataset: str, stems: Sequence[str], overrides: Sequence[tuple[str, str | None]]) -> str:
    """An experiment's name: the dataset, the layers, and the overrides that change what is
    computed.
    """
    parts = [*([] if dataset in stems else [dataset]), *stems]
    unnamed = tuple(f"{key}." for key in ("data.dataset", *UNNAMED))
    changes = [(key, value) for key, value in overrides if not f"{key}.".startswith(unnamed)]
    name = "-".join(parts) + "".join(
        f"+{key}={Path(str(value).strip('[]')).name}" for key, value in sorted(changes)
    )
    name = re.sub(r"[^\w.=+-]", "_", name)
    return (
        name
        if len(name) <= 120
        else f"{name[:100]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    )
