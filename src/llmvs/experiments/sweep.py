"""W&B's sweep files without W&B: a grid is run point by point here, a search space by random points
(`llmvs sweep`).

The files are those of `wandb sweep`; what is written here reads the part of their format that
sweeps/ uses. Finished points are reused, as every run is.
"""

import itertools
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llmvs.config.layers import find_layer, is_override, split
from llmvs.config.load import load_config, run_folder
from llmvs.config.yaml_files import read_mapping
from llmvs.errors import UserError, nearest
from llmvs.experiments.many import run_all
from llmvs.experiments.opening import open_dataset
from llmvs.results.tables import Column, Table, text
from llmvs.training.launch import refuse_ranks

logger = logging.getLogger(__name__)

COMMAND = (
    "${env}",
    "${interpreter}",
    "-m",
    "llmvs",
    "train",
    "log.wandb=online",
    "${args_no_hyphens}",
)
"""What an agent runs; settings given to `create` go before the last."""
RANDOM_POINTS = 10
"""How many points of a search space are tried, unless said otherwise."""
LARGEST = 1e15
"""No end of a range is larger: every whole number up to it is exact."""
DIGITS = 4
"""Significant digits of a drawn number: its run's folder is named after it."""
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
    given = _fixing(parameters, settings)
    spaces = {
        str(key): {"value": given[key]} if key in given else space
        for key, space in parameters.items()
    }
    for key, space in spaces.items():
        _check(path, key, space, method)
    return Sweep(path, method, metric["name"], metric.get("goal", "minimize") == "maximize", spaces)


def points(sweep: Sweep, runs: int | None = None) -> list[Point]:
    """The points to try, each setting -> value.

    A grid's are all combinations (the first `runs` of them), the last setting changing fastest. Of
    a search space they are drawn at random, the same ones every time, so that finished ones are
    found again and a larger `runs` only adds some.
    """
    if sweep.method == "grid":
        values = [
            space["values"] if "values" in space else [space["value"]]
            for space in sweep.parameters.values()
        ]
        return [
            dict(zip(sweep.parameters, combination, strict=True))
            for combination in itertools.islice(itertools.product(*values), runs)
        ]
    return [
        {
            key: _draw(space, np.random.default_rng([index, place]))
            for place, (key, space) in enumerate(sweep.parameters.items())
        }
        for index in range(runs or RANDOM_POINTS)
    ]


def sweep(
    path: Path, settings: Sequence[str], runs: int | None = None
) -> tuple[dict[str, Any], str]:
    """Train every point on this machine, by the same function as `llmvs train`.

    Args:
        path: the sweep file.
        settings: layers and overrides for all points; one that names a parameter of the file fixes
            it.
        runs: most points; None: a whole grid, or 10 points of a search space.

    Returns:
        The points with their figures, the mean over folds and seeds, as a JSON document and as
        text. Best first where the figure is of held-out videos; where it is of test videos nothing
        is chosen by it, and they stand in the file's order.

    Raises:
        UserError: as `read_sweep` and `llmvs.experiments.many.run_all`.
    """
    plan = read_sweep(path, settings)
    chosen = points(plan, runs)
    if plan.method != "grid":
        logger.warning(
            "%s: method=%s needs W&B; here %s random points of its space are tried (more "
            "with --runs N)",
            path,
            plan.method,
            len(chosen),
        )
    others = _others(plan, settings)
    configs = [load_config([*arguments(point), *others]) for point in chosen]
    roots = {(config.data.dataset, config.data.root, config.data.splits) for config in configs}
    if len(roots) > 1:
        raise UserError(
            f"{path}: its points are of several datasets or splits: run them one by one, as with"
            " dataset=FILE"
        )
    refuse_ranks(configs[0].num_nodes)
    figures = [
        _figure(document, plan.metric) for document in run_all(configs, open_dataset(configs[0]))
    ]
    document = {
        "sweep": str(path),
        "method": plan.method,
        "metric": plan.metric,
        "maximize": plan.maximize,
        "points": _averaged(plan, chosen, figures, [str(run_folder(run)) for run in configs]),
    }
    return document, _text(plan, document, configs[0].data.dataset)


def arguments(point: Point) -> list[str]:
    """A point as an agent's `${args_no_hyphens}` writes it: `key=value`."""
    return [f"{key}={value}" for key, value in point.items()]


def create(path: Path, settings: Sequence[str]) -> str:
    """Create the sweep on W&B, with `settings` in the command of its runs. Returns its id, for
    `wandb agent`.

    Raises:
        UserError: as `read_sweep`; W&B is not installed, not logged in or unreachable.
    """
    plan = read_sweep(path, settings)
    others = _others(plan, settings)
    config = load_config([*arguments(points(plan, 1)[0]), *others])
    content = {
        **read_mapping(path, old=True),
        "parameters": plan.parameters,
        "command": [*COMMAND[:-1], *others, COMMAND[-1]],
    }
    try:
        import wandb
    except ModuleNotFoundError:
        raise UserError(
            "creating a sweep needs wandb: pip install 'llmvs[wandb]'; without --create it runs"
            " here, without W&B"
        ) from None
    try:
        logged_in = wandb.login(prompt=False)
        if logged_in:
            return wandb.sweep(content, project=config.log.project)
    except Exception as error:  # whatever W&B raises
        raise UserError(
            f"{path}: W&B did not take the sweep ({' '.join(str(error).split())[:200]}); "
            "without --create it runs here"
        ) from error
    raise UserError(
        f"{path}: not logged in to W&B: run `wandb login`, or set WANDB_API_KEY; without --create"
        " it runs here"
    )


def _fixing(parameters: Mapping[str, Any], settings: Sequence[str]) -> dict[str, str]:
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


def _others(plan: Sweep, settings: Sequence[str]) -> list[str]:
    return [setting for setting in settings if not _fixing(plan.parameters, [setting])]


def _check(path: Path, key: str, space: Mapping[str, Any], method: str) -> None:
    """Only what `points` can expand, and no number that YAML has read as text."""
    listed = space.get("values", [space["value"]] if "value" in space else None)
    if listed is None and method == "grid":
        raise UserError(f"{path}: parameters.{key}: a grid needs value or values")
    if listed is None:
        shape = space.get("distribution", "uniform")
        if (
            shape not in ("uniform", "int_uniform", "log_uniform_values")
            or not {"min", "max"} <= space.keys()
        ):
            raise UserError(
                f"{path}: parameters.{key}: known here are value, values, and min and max with"
                f" distribution uniform, int_uniform or log_uniform_values (found {dict(space)})"
            )
        listed = [space["min"], space["max"]]
        if problem := _no_range(space["min"], space["max"], shape):
            raise UserError(f"{path}: parameters.{key}: {problem}")
    if not isinstance(listed, list) or not listed:
        raise UserError(f"{path}: parameters.{key}: values={listed}: expected a list")


def _no_range(low: Any, high: Any, shape: str) -> str | None:
    """Why no point can be drawn between two ends; None where one can."""
    ends = (low, high)
    if not all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends):
        return f"{[low, high]} are not numbers (YAML wants 1.0e-4, not 1e-4)"
    if not all(math.isfinite(end) and abs(end) <= LARGEST for end in ends):
        return f"min={low} and max={high} must be finite, and no larger than {LARGEST:g}"
    if low > high:
        return f"min={low} is above max={high}: exchange them"
    if shape == "log_uniform_values" and low <= 0:
        return f"min={low} must be above 0 with log_uniform_values"
    if shape == "int_uniform" and not all(float(end).is_integer() for end in ends):
        return f"min={low} and max={high} must be whole with int_uniform"
    return None


def _draw(space: Mapping[str, Any], rng: np.random.Generator) -> Any:
    if "value" in space:
        return space["value"]
    if "values" in space:
        return space["values"][rng.integers(len(space["values"]))]
    low, high, shape = space["min"], space["max"], space.get("distribution", "")
    if shape == "int_uniform" or (not shape and isinstance(low, int) and isinstance(high, int)):
        return int(rng.integers(low, high + 1))
    drawn = (
        math.exp(rng.uniform(math.log(low), math.log(high)))
        if shape == "log_uniform_values"
        else rng.uniform(low, high)
    )
    return float(f"{drawn:.{DIGITS}g}")


def _figure(document: Mapping[str, Any], metric: str) -> float:
    from llmvs.training.loggers import selected

    known = selected(document)
    if metric not in known:
        raise UserError(
            f"metric.name={metric}: {document['folder']} has no such figure{nearest(metric, known)}"
        )
    return float("nan") if known[metric] is None else known[metric]


def _averaged(
    plan: Sweep, chosen: Sequence[Point], figures: Sequence[float], folders: Sequence[str]
) -> list[dict[str, Any]]:
    """The points with the mean of their folds and seeds, in the order that the plan allows."""
    groups: dict[str, list[int]] = {}
    for i, point in enumerate(chosen):
        groups.setdefault(repr(_without_folds(point)), []).append(i)
    listed: list[dict[str, Any]] = [
        {
            "value": float(np.mean([figures[i] for i in group])),
            "settings": _without_folds(chosen[group[0]]) if len(group) > 1 else chosen[group[0]],
            "folders": [folders[i] for i in group],
        }
        for group in groups.values()
    ]
    if plan.ranked:
        sign = -1 if plan.maximize else 1
        listed.sort(key=lambda one: (math.isnan(one["value"]), sign * one["value"]))
    return listed


def _without_folds(point: Point) -> Point:
    """What makes a point another one than its neighbour: not the fold, and not the seed."""
    return {key: value for key, value in point.items() if key not in FOLDS}


def _text(plan: Sweep, document: Mapping[str, Any], dataset: str) -> str:
    listed = document["points"]
    varied = [
        key
        for key, space in plan.parameters.items()
        if "value" not in space and all(key in point["settings"] for point in listed)
    ]
    rows = [
        [str(place + 1), point["value"], *(str(point["settings"][key]) for key in varied)]
        for place, point in enumerate(listed)
    ]
    several = any(len(point["folders"]) > 1 for point in listed)
    mean = ", mean over folds and seeds" if several else ""
    goal = "highest" if plan.maximize else "lowest"
    order = f"{goal} first" if plan.ranked else "of the TEST videos, so nothing is chosen by it"
    shown = Table(
        "sweep",
        f"{plan.path}: {plan.metric}{mean}, {order}; dataset {dataset}",
        [Column(""), Column(plan.metric, "figure"), *(Column(key) for key in varied)],
        rows,
    )
    if not plan.ranked or len(listed) < 2:
        return text([shown])
    return f"{text([shown])}\n\nbest: {', '.join(listed[0]['folders'])}"
