"""From the command line to a `Config`: layers of YAML, then `key=value` overrides; later wins.

A YAML file may name others it builds on (`base: [../backbone/tiny.yaml]`, relative to itself).
Every error is one line that says where the value came from. A `$` is a `$`: nothing is
interpolated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import NoneType
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from llmvs.config.layers import (
    COMMAND_LINE,
    find_layer,
    in_order,
    is_layer,
    is_override,
    read_layer,
    split,
    unknown,
)
from llmvs.config.naming import experiment_name
from llmvs.config.schema import Config
from llmvs.config.settings import all_settings, flat, groups, leaves, nearest_key, setting_of
from llmvs.config.values import entries, text_of, value_of
from llmvs.config.yaml_files import dump
from llmvs.errors import UserError, nearest
from llmvs.files import shown

__all__ = ["chosen", "flat", "is_layer", "is_override", "load_config", "run_folder", "to_yaml"]

DOLLAR = "\ue000"
"""Stands for `$` in text while OmegaConf checks its type: it would interpolate `${...}`."""
SAVED = "config.yaml"
"""Name of the file that a run keeps its configuration in."""


def load_config(
    arguments: Sequence[str], below: Mapping[str, Any] | None = None, origin: str = ""
) -> Config:
    """Build the configuration from layers and `key=value` (or `--key=value`) overrides.

    Args:
        arguments: in any order. A layer is a YAML file or a bare name (see
            `llmvs.config.layers`); layers are merged in the order of `in_order`, then overrides in
            theirs.
        below: nested settings that stand below all of them.
        origin: where those come from, for errors.

    Raises:
        UserError: missing or malformed file, unknown name or key (suggests the nearest), wrong type
            or value, missing setting.
    """
    found, overrides = [], []
    for argument in arguments:
        layer = find_layer(argument)
        if layer is not None:
            found.append(layer)
        elif is_override(argument):
            overrides.append(split(argument))
        else:
            raise unknown(argument)
    merged, layers = _Merged(), in_order(found)
    merged.add(below or {}, origin)
    for layer in layers:
        for path, content in read_layer(layer.path):
            merged.add(content, str(path))
    layered = merged.values()
    for key, text in overrides:
        merged.override(key, text)
    final = merged.values()
    if "experiment" not in final and "data.dataset" in final:
        stems = [layer.path.stem for layer in layers]
        merged.set("experiment", experiment_name(stems, layered, final), COMMAND_LINE)
    return merged.config()


def chosen(arguments: Sequence[str], defaults: Mapping[str, str]) -> dict[str, str]:
    """The choices of a verb that takes no configuration: `key=value` arguments over their defaults.

    Raises:
        UserError: another form, or a key without a default.
    """
    for argument in arguments:
        if not is_override(argument):
            raise UserError(f"{COMMAND_LINE}: {argument!r} is neither an option nor key=value")
    given = dict(map(split, arguments))
    for key in given:
        if key not in defaults:
            raise UserError(f"{COMMAND_LINE}: unknown key {key}{nearest(key, defaults)}")
    return {**defaults, **given}


def to_yaml(config: Config) -> str:
    """The whole configuration as YAML, readable as a layer again."""
    return dump(asdict(config))


def run_folder(config: Config) -> Path:
    """Where a run's files go: a pure function of its configuration, so that all ranks of a run
    agree.
    """
    return Path(config.runs) / config.experiment / f"fold{config.fold}" / f"seed{config.seed}"


class _Merged:
    """Settings merged so far, and where each of them was last set."""

    def __init__(self) -> None:
        self._typed: DictConfig = OmegaConf.structured(Config)
        self._origins: dict[str, str] = {}

    def add(self, content: Mapping[str, Any], origin: str) -> None:
        """Merge nested settings."""
        for key, value in content.items():
            self._add(str(key), value, origin)

    def override(self, key: str, text: str) -> None:
        """Merge one setting, or a group of them, from the text of an override."""
        self._known(key, COMMAND_LINE)
        setting = None if key in groups() else setting_of(key)
        self._add(key, value_of(setting, text, f"{COMMAND_LINE}: {key}"), COMMAND_LINE)

    def _add(self, key: str, value: Any, origin: str) -> None:
        self._known(key, origin)
        if key in groups():
            value = {} if value is None else value  # a group whose lines are comments
            if not isinstance(value, dict):
                raise UserError(
                    f"{origin}: {key}={_shown(value)}: {key} is a group of settings: set one of"
                    f" them, such as {_first_of(key)}"
                )
            for name, inner in value.items():
                self._add(f"{key}.{name}", inner, origin)
        else:
            self.set(key, value, origin)

    def set(self, key: str, value: Any, origin: str) -> None:
        """Set one setting, checking its type."""
        setting = setting_of(key)
        if isinstance(value, str) and setting is not None and setting.is_list:
            value = entries(value)
        if isinstance(value, str) and setting is not None and setting.text:
            value = text_of(value, f"{origin}: {key}={value}")
        is_open = setting is not None and setting.is_open and key == setting.key
        if is_open and not isinstance(value, (dict, NoneType)):
            form = "a dictionary, such as {name: value}"
            raise UserError(f"{origin}: {key}={_shown(value)}: expected {form}")
        if problem := _no_text(value):
            raise UserError(f"{origin}: {key}={shown(str(value))}: {problem}")
        try:
            OmegaConf.update(self._typed, key, _replaced(value, "$", DOLLAR), merge=False)
        except (OmegaConfBaseException, ValueError, TypeError) as error:
            problem = str(error).splitlines()[0].replace(DOLLAR, "$")[:300]
            raise UserError(f"{origin}: {key}: {problem[0].lower()}{problem[1:]}") from error
        self._origins[key] = origin

    def values(self) -> dict[str, Any]:
        """Every setting that has a value, by its key."""
        container = OmegaConf.to_container(self._typed)
        assert isinstance(container, dict)
        found = dict(leaves({str(key): value for key, value in container.items()}))
        return {
            key: _replaced(value, DOLLAR, "$") for key, value in found.items() if value != "???"
        }

    def config(self) -> Config:
        """The settings as objects of the schema, with its checks."""
        missing = sorted(OmegaConf.missing_keys(self._typed))
        if missing:
            key = "data.dataset" if "data.dataset" in missing else missing[-1]
            raise UserError(
                f"{COMMAND_LINE}: {key} is not set: name a dataset's layer, such as demo, or"
                " data.dataset=demo"
            )
        try:
            config = OmegaConf.to_object(self._typed)
            assert isinstance(config, Config)
            for key, value in flat(config).items():
                if (text := _replaced(value, DOLLAR, "$")) != value:
                    _put(config, key, text)
        except (OmegaConfBaseException, ValueError) as error:
            problem = str(error).splitlines()[0].replace(DOLLAR, "$")
            key = problem.split("=", 1)[0]
            raise UserError(f"{self._origins.get(key, COMMAND_LINE)}: {problem}") from error
        return config

    def _known(self, key: str, origin: str) -> None:
        if key in groups() or setting_of(key) is not None:
            return
        line = f"{origin}: unknown key {key}{nearest_key(key)}"
        if Path(origin).name == SAVED:
            line += " (a run of another version? resume=false makes it anew)"
        raise UserError(line)


def _put(config: Config, key: str, value: Any) -> None:
    """Set one setting of a finished configuration."""
    *above, name = key.split(".")
    group: Any = config
    for part in above:
        group = group[part] if isinstance(group, dict) else getattr(group, part)
    if isinstance(group, dict):
        group[name] = value
    else:
        setattr(group, name, value)


def _replaced(value: Any, old: str, new: str) -> Any:
    """A value with one character exchanged in all its text."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, (list, tuple)):
        return [_replaced(one, old, new) for one in value]
    if isinstance(value, dict):
        return {key: _replaced(one, old, new) for key, one in value.items()}
    return value


def _no_text(value: Any) -> str | None:
    """Why no file could hold the texts in a value; None where all is well."""
    if isinstance(value, dict):
        return next(filter(None, map(_no_text, [*value, *value.values()])), None)
    if isinstance(value, (list, tuple)):
        return next(filter(None, map(_no_text, value)), None)
    if not isinstance(value, str):
        return None
    if "\0" in value:
        return "holds a NUL: leave it out"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds bytes that are not UTF-8: write it in UTF-8, or rename the file or folder"
    return None


def _shown(value: Any) -> str:
    text = "null" if value is None else " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:60]}..."


def _first_of(group: str) -> str:
    key = next(key for key in all_settings() if key.startswith(f"{group}."))
    return f"{key}={all_settings()[key].default}"
