"""W&B's sweep files without W&B: a grid is run point by point here, a search space by random
points, or by what Optuna makes of the points before (`llmvs sweep`).

The files are those of `wandb sweep`; what is written here reads the part of their format that
sweeps/ uses. Finished points are reused, as every run is.
"""

import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llmvs.config.load import load_config, run_folder
from llmvs.config.schema import Config
from llmvs.config.settings import meaning
from llmvs.config.yaml_files import read_mapping
from llmvs.errors import UserError, nearest
from llmvs.experiments.many import run_all
from llmvs.experiments.opening import open_dataset
from llmvs.experiments.search import has_optuna, learned
from llmvs.experiments.sweep_file import (
    RANDOM_POINTS,
    Point,
    Sweep,
    is_fold,
    on_all_folds,
    others_of,
    points,
    read_sweep,
    without_folds,
)
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


def sweep(
    path: Path, settings: Sequence[str], runs: int | None = None
) -> tuple[dict[str, Any], str]:
    """Train every point on this machine, by the same function as `llmvs train`.

    Args:
        path: the sweep file.
        settings: layers and overrides for all points; one that names a parameter of the file fixes
            it.
        runs: most points, each of them on all its folds and seeds; None: a whole grid, or 10
            points of a search space. With
            `method: bayes` Optuna, where it is installed, makes every point from those before; its
            study is a file, and the same command goes on with it.

    Returns:
        The points with their figures, the mean over folds and seeds, as a JSON document and as
        text. Best first where the figure is of held-out videos; where it is of test videos nothing
        is chosen by it, and they stand in the file's order.

    Raises:
        UserError: as `read_sweep` and `llmvs.experiments.many.run_all`; another process is at work
            on the same search.
    """
    plan = read_sweep(path, settings)
    others = others_of(plan, settings)
    if plan.method == "bayes" and plan.ranked and has_optuna():
        chosen = _searched(plan, others, runs or RANDOM_POINTS)
        others = [*others, "resume=true"]  # all of them were trained just now
    else:
        chosen = points(plan, runs)
        _say_how(plan, runs or RANDOM_POINTS)
    configs, figures = _tried(plan, chosen, others)
    document = {
        "sweep": str(path),
        "method": plan.method,
        "metric": plan.metric,
        "maximize": plan.maximize,
        "points": _averaged(plan, chosen, figures, [str(run_folder(run)) for run in configs]),
    }
    return document, _text(plan, document, configs[0].data.dataset)


def _tried(
    plan: Sweep, chosen: Sequence[Point], others: Sequence[str]
) -> tuple[list[Config], list[float]]:
    """Train points, or find them finished: their settings and their figures."""
    configs = [load_config([*arguments(point), *others]) for point in chosen]
    roots = {(config.data.dataset, config.data.root, config.data.splits) for config in configs}
    if len(roots) > 1:
        raise UserError(
            f"{plan.path}: its points are of several datasets or splits: run them one by one, as"
            " with dataset=FILE"
        )
    refuse_ranks(configs[0].num_nodes)
    documents = run_all(configs, open_dataset(configs[0]))
    return configs, [_figure(document, plan.metric) for document in documents]


def _searched(plan: Sweep, others: Sequence[str], count: int) -> list[Point]:
    """The points that Optuna makes, on all their folds."""

    def evaluate(some: Sequence[Point]) -> list[float]:
        whole = [on_all_folds(plan, point) for point in some]
        _, figures = _tried(plan, [one for group in whole for one in group], others)
        means = np.array(figures).reshape(len(whole), -1).mean(axis=1)
        return [float(mean) for mean in means]

    first = load_config([*arguments(points(plan, 1)[0]), *others])
    spaces = {key: one for key, one in plan.parameters.items() if not is_fold(key, one)}
    folds = len(on_all_folds(plan, {}))
    asked = {"metric": plan.metric, "parameters": plan.parameters, "settings": meaning(first)}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
    folder = Path(first.runs) / f"sweep-{plan.path.stem}-{digest[:8]}"
    at_once = max(1, first.devices // folds)
    made = learned(folder, spaces, plan.maximize, count, at_once, evaluate)
    return [whole for point in made for whole in on_all_folds(plan, point)]


def _say_how(plan: Sweep, count: int) -> None:
    """Why a search space is tried at random."""
    if plan.method == "grid":
        return
    why = "random points, as the file says"
    if plan.method == "bayes":
        why = (
            "random points: learning from them needs optuna (pip install 'llmvs[optuna]') or W&B"
            if plan.ranked
            else "random points: nothing learns from figures of the TEST videos"
        )
    logger.warning("%s: %s %s (more with --runs N)", plan.path, count, why)


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
    others = others_of(plan, settings)
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
        groups.setdefault(repr(without_folds(point)), []).append(i)
    listed: list[dict[str, Any]] = [
        {
            "value": float(np.mean([figures[i] for i in group])),
            "settings": without_folds(chosen[group[0]]) if len(group) > 1 else chosen[group[0]],
            "folders": [folders[i] for i in group],
        }
        for group in groups.values()
    ]
    if plan.ranked:
        sign = -1 if plan.maximize else 1
        listed.sort(key=lambda one: (math.isnan(one["value"]), sign * one["value"]))
    return listed


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
