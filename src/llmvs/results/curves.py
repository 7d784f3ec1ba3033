"""Training curves of an experiment: loss and rank correlation of every part by epoch, and the
epochs that were chosen.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from llmvs.errors import UserError
from llmvs.results.labels import RULES
from llmvs.results.plots import save
from llmvs.results.schema import Result
from llmvs.results.tables import grouped

METRICS = Path("logs") / "metrics.csv"
"""In a run's folder: what its training logged after every epoch."""
PARTS = {"train": ("#7a7a7a", "train"), "val": ("#d08a1d", "held out"), "test": ("#1f5f99", "test")}
"""Part of the videos -> its color and name."""
Curves = Mapping[str, npt.NDArray[np.float64]]
"""What was measured, `val/loss` or `test/paper/tau` -> [epochs]; NaN: not measured."""


def read_curves(run: Path) -> Curves:
    """What a run's training logged after every epoch.

    Raises:
        UserError: the file is missing or damaged.
    """
    path = run / METRICS
    epochs: dict[float, dict[str, float]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                measured = {name: float(value) for name, value in row.items() if value}
                epochs.setdefault(measured["epoch"], {}).update(measured)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no readable curves ({error})") from error
    names = dict.fromkeys(name for measured in epochs.values() for name in measured if "/" in name)
    if not names:
        raise UserError(f"{path}: no curves in it")
    nan = float("nan")
    return {
        name: np.array([epochs[epoch].get(name, nan) for epoch in sorted(epochs)]) for name in names
    }


def draw_training(
    runs: Sequence[tuple[Curves, Result]], title: str, rule: str | None, *paths: Path
) -> None:
    """Write the training curves of an experiment's runs: each as a thin line, their mean as a thick
    one, and a mark where the epoch was chosen.

    Args:
        runs: what each measured, and its result.
        title: stands above.
        rule: that chose the epochs which are marked; None: each run's own.
        paths: the suffix decides the format.

    Raises:
        UserError: a file cannot be written.
    """
    first = runs[0][0]
    shared = set.intersection(*(set(result.protocols) for _, result in runs))
    same = grouped(
        {
            name: [result.protocols[name] for _, result in runs]
            for name in runs[0][1].protocols
            if name in shared and f"test/{name}/tau" in first
        }
    )
    panels = {"loss": "loss", **{f"{names[0]}/tau": _name(names) for names in same}}

    def fill(figure: Figure) -> None:
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for place, (what, name) in zip(axes, panels.items(), strict=True):
            _panel(place, what, runs)
            if what != "loss":
                _mark(place, f"test/{what}", runs, rule)
            place.set_title(name, loc="left", fontweight="bold")
            place.set_xlabel("epoch")
            place.xaxis.set_major_locator(MaxNLocator(integer=True))
            place.grid(color="#e3e3e3", linewidth=0.6)
            place.set_axisbelow(True)
            place.spines[["top", "right"]].set_visible(False)
        handles = {
            label: handle
            for place in axes
            for handle, label in zip(*place.get_legend_handles_labels(), strict=True)
        }
        single = "; thin lines: single runs, thick: their mean" if len(runs) > 1 else ""
        figure.suptitle(
            "\n".join(wrap(title + single, 48 * len(panels))), x=0.01, ha="left", fontsize=8
        )
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower left",
            ncols=len(handles),
            frameon=False,
            fontsize=7,
        )

    save(fill, (0.6 + 2.4 * len(panels), 2.6), *paths)


def _name(protocols: Sequence[str]) -> str:
    """The name of a panel."""
    return f"Kendall's τ, {' = '.join(protocols)}"


def _panel(axes: Axes, what: str, runs: Sequence[tuple[Curves, Result]]) -> None:
    for part, (color, label) in PARTS.items():
        lines = [curves[f"{part}/{what}"] for curves, _ in runs if f"{part}/{what}" in curves]
        for line in lines if len(lines) > 1 else ():
            axes.plot(_epochs(line), line, color=color, alpha=0.2, linewidth=0.6)
        if lines:
            mean = _mean(lines)
            axes.plot(_epochs(mean), mean, color=color, linewidth=1.8, label=label)


def _mark(axes: Axes, what: str, runs: Sequence[tuple[Curves, Result]], rule: str | None) -> None:
    """Mark the epoch that each run chose, on its own curve of the test videos."""
    places, label = [], ""
    for curves, result in runs:
        name = rule or result.selection
        chosen = result.rules.get(name)
        if chosen is not None and 1 <= chosen.epoch <= len(curves.get(what, ())):
            places.append((chosen.epoch, curves[what][chosen.epoch - 1]))
            label = f"chosen epoch of a run ({RULES[name].meaning})"
    if places:
        x, y = zip(*places, strict=True)
        color = PARTS["test"][0]
        axes.scatter(
            x, y, s=14, color=color, edgecolor="white", linewidth=0.5, label=label, zorder=4
        )


def _epochs(line: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.arange(1, len(line) + 1)


def _mean(lines: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """The mean over runs, up to where the shortest ends."""
    n = min(map(len, lines))
    return np.asarray(np.mean([line[:n] for line in lines], axis=0))
