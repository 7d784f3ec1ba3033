"""Training curves of an experiment: loss and rank correlation of every part by epoch, and the
epochs that were chosen.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Curve:
    """One figure over the course of a training."""

    at: npt.NDArray[np.float64]
    """[points]: how many epochs were done, 2.5 in the middle of the third."""
    looks: npt.NDArray[np.int64]
    """[points]: which look in the middle of an epoch it was, counted from 1; 0: the epoch's end."""
    values: npt.NDArray[np.float64]
    """[points]; NaN: not measured, or undefined."""

    def value(self, epoch: int, look: int) -> tuple[float, float] | None:
        """The point of a look at an epoch, counted from 1: how many epochs were done, and the
        figure. None: there is none.
        """
        there = np.flatnonzero((np.ceil(self.at) == epoch) & (self.looks == look))
        return (float(self.at[there[0]]), float(self.values[there[0]])) if len(there) else None


Curves = Mapping[str, Curve]
"""What was measured, `val/loss` or `test/paper/tau` -> its curve."""


def read_curves(run: Path) -> Curves:
    """What a run's training logged after every epoch, and at looks in the middle of one.

    Raises:
        UserError: the file is missing or damaged.
    """
    path = run / METRICS
    points: dict[tuple[float, float], dict[str, float]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                measured = {name: float(value) for name, value in row.items() if value}
                place = measured["epoch"], measured.get("look", 0.0)
                points.setdefault(place, {}).update(measured)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no readable curves ({error})") from error
    names = dict.fromkeys(name for measured in points.values() for name in measured if "/" in name)
    if not names:
        raise UserError(f"{path}: no curves in it")
    return {name: _curve(name, points) for name in names}


def _curve(name: str, points: Mapping[tuple[float, float], Mapping[str, float]]) -> Curve:
    """One figure at the end of every epoch, and wherever else it was measured."""
    ends = {
        epoch: one.get("step", 0.0) for (epoch, look), one in sorted(points.items()) if not look
    }
    found = sorted(
        (_epochs_done(epoch, one.get("step", 0.0), ends) if look else epoch + 1, look, place)
        for place, one in points.items()
        for epoch, look in [place]
        if not look or name in one
    )
    return Curve(
        np.array([at for at, _, _ in found]),
        np.array([look for _, look, _ in found], dtype=np.int64),
        np.array([points[place].get(name, float("nan")) for _, _, place in found]),
    )


def _epochs_done(epoch: float, step: float, ends: Mapping[float, float]) -> float:
    """How many epochs were done after a step in the middle of one.

    Args:
        epoch: which, counted from 0.
        step: counted from 0 over the whole training.
        ends: epoch -> its last step.
    """
    before = ends.get(epoch - 1, -1.0)
    return epoch + (step - before) / (ends.get(epoch, step + 1) - before)


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
            axes.plot(line.at, line.values, color=color, alpha=0.2, linewidth=0.6)
        if lines:
            at, mean = _mean([line.at for line in lines]), _mean([line.values for line in lines])
            axes.plot(at, mean, color=color, linewidth=1.8, label=label)


def _mark(axes: Axes, what: str, runs: Sequence[tuple[Curves, Result]], rule: str | None) -> None:
    """Mark the epoch that each run chose, on its own curve of the test videos."""
    places, label = [], ""
    for curves, result in runs:
        name = rule or result.selection
        chosen = result.rules.get(name)
        if chosen is None or what not in curves:
            continue
        look = 0 if chosen.look == result.selection_looks else chosen.look
        if place := curves[what].value(chosen.epoch, look):
            places.append(place)
            label = f"chosen epoch of a run ({RULES[name].meaning})"
    if places:
        x, y = zip(*places, strict=True)
        color = PARTS["test"][0]
        axes.scatter(
            x, y, s=14, color=color, edgecolor="white", linewidth=0.5, label=label, zorder=4
        )


def _mean(lines: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """The mean over runs, up to where the shortest ends."""
    n = min(map(len, lines))
    return np.asarray(np.mean([line[:n] for line in lines], axis=0))
