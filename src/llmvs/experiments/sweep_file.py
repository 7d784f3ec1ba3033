"""What a sweep file says, and the points of it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llmvs.config.layers import find_layer, is_override, split
from llmvs.config.yaml_files import read_mapping
from llmvs.errors import UserError
from llmvs.experiments.spaces import check_space, draw

RANDOM_POINTS = 10
"""How many points of a search space are tried, unless said otherwise."""
FOLDS = ("fold", "seed")
"""Parameters over which a point's figure is a mean."""

Point = dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """What a sweep file says."""

    path: Path
    method: str
    """`grid`, `random` or `bayes`."""
    metric: str
    """As the runs log it, `selected/PART/PROTOCOL/MEASURE`."""
    maximize: bool
    parameters: dict[str, dict[str, Any]]
    """Setting -> `value`, `values`, or a distribution with `min` and `max`."""

    @property
    def ranked(self) -> bool:
        """Whether points are ordered by the figure: never by that of test videos."""
        return not self.metric.startswith("selected/test/")

    def fixed(self) -> Point:
        """The settings with one value."""
        return {key: space["value"] for key, space in self.parameters.items() if "value" in space}


def read_sweep(path: Path, settings: Sequence[str] = ()) -> Sweep:
    """Read a sweep file; `key=value` settings that name one of its parameters fix that parameter.

    Raises:
        UserError: missing or malformed file, or a form that only W&B itself understands.
    """
    content = read_mapping(path, old=True)
    metric, method, parameters = (
        content.get("metric", {}),
        content.get("method"),
        content.get("parameters"),
    )
    if method not in ("grid", "random", "bayes"):
        raise UserError(f"{path}: method={method}: must be grid, random or bayes")
    if (
        not isinstance(parameters, dict)
        or not all(isinstance(space, dict) for space in parameters.values())
        or not parameters
    ):
        raise UserError(f"{path}: parameters: expected `setting: {{values: [...]}}` lines")
    if not isinstance(metric, dict) or not str(metric.get("name", "")).startswith("selected/"):
        raise UserError(
            f"{path}: metric.name must be a figure of the selected epoch, such as"
            " selected/val/paper/tau"
        )
    given = fixing(parameters, settings)
    spaces = {
        str(key): {"value": given[key]} if key in given else space
        for key, space in parameters.items()
    }
    for key, space in spaces.items():
        check_space(path, key, space, method)
    return Sweep(path, method, metric["name"], metric.get("goal", "minimize") == "maximize", spaces)


def points(sweep: Sweep, runs: int | None = None) -> list[Point]:
    """The points to try, each setting -> value.

    A grid's are all combinations (the first `runs` of them), the last setting changing fastest. Of
    a search space they are drawn at random, the same ones every time, so that finished ones are
    found again and a larger `runs` only adds some. Each is tried on all its folds and seeds, so
    that two points' means are of the same ones.
    """
    if sweep.method == "grid":
        values = {
            key: space["values"] if "values" in space else [space["value"]]
            for key, space in sweep.parameters.items()
            if not is_fold(key, space)
        }
        combined = [
            dict(zip(values, combination, strict=True))
            for combination in itertools.islice(itertools.product(*values.values()), runs)
        ]
        return [whole for point in combined for whole in on_all_folds(sweep, point)]
    drawn = [
        {
            key: draw(space, np.random.default_rng([index, place]))
            for place, (key, space) in enumerate(sweep.parameters.items())
            if not is_fold(key, space)
        }
        for index in range(runs or RANDOM_POINTS)
    ]
    return [whole for point in drawn for whole in on_all_folds(sweep, point)]


def on_all_folds(sweep: Sweep, point: Point) -> list[Point]:
    """A point of a search space with every fold and seed of the file: its figure is their mean."""
    folds = {key: space["values"] for key, space in sweep.parameters.items() if is_fold(key, space)}
    return [
        {**point, **dict(zip(folds, some, strict=True))}
        for some in itertools.product(*folds.values())
    ]


def is_fold(key: str, space: Mapping[str, Any]) -> bool:
    """Whether a parameter of a search space is tried whole with every point."""
    return key in FOLDS and "values" in space


def fixing(parameters: Mapping[str, Any], settings: Sequence[str]) -> dict[str, str]:
    """Of the settings, those that name a parameter: by its key, or as a layer of its kind."""
    fixed = {}
    for setting in settings:
        layer = find_layer(setting)
        if layer is not None and not layer.named and layer.kind in parameters:
            fixed[layer.kind] = setting
        elif is_override(setting) and split(setting)[0] in parameters:
            key, value = split(setting)
            fixed[key] = value
    return fixed


def others_of(plan: Sweep, settings: Sequence[str]) -> list[str]:
    """The settings that fix no parameter of the file."""
    return [setting for setting in settings if not fixing(plan.parameters, [setting])]


def without_folds(point: Point) -> Point:
    """What makes a point another one than its neighbour: not the fold, and not the seed."""
    return {key: value for key, value in point.items() if key not in FOLDS}
