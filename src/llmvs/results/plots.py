"""A forest plot of a comparison: every row's mean and interval, published values, and the random
baseline and the upper bound as lines.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llmvs.files import atomic
from llmvs.results.labels import BASELINES
from llmvs.results.tables import Table

OURS, REFERENCE, PUBLISHED, RANDOM, CEILING = "#1f5f99", "#b3471d", "#1a1a1a", "#8a8a8a", "#4b8b3b"


def draw(tables: Sequence[Table], title: str, *paths: Path) -> None:
    """Write the plot of all tables of tau, a panel each; the suffix of a path decides its format.

    Raises:
        UserError: a file cannot be written.
    """
    shown = [table for table in tables if any(column.name == "tau" for column in table.columns)]
    n_rows = max((len(_rows(table)) for table in shown), default=1)
    with mpl.rc_context({"svg.hashsalt": "llmvs", "font.size": 9}):
        figure = Figure(figsize=(3.2 + 4.2 * len(shown), 1.5 + 0.36 * n_rows), layout="constrained")
        axes = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
        for place, table in zip(axes, shown, strict=True):
            _panel(place, table)
        figure.suptitle(title, x=0.01, ha="left", fontsize=9)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower right", ncols=len(labels), frameon=False, fontsize=8
        )
        for path in paths:
            with atomic(path) as temporary:
                plain: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {}
                figure.savefig(temporary, dpi=160, metadata=plain)


def _panel(axes: Axes, table: Table) -> None:
    rows = _rows(table)
    for place, row in enumerate(rows):
        mean, (low, high), reference = row["tau"], row["tau: 95 %"], row.get("p") is None
        if mean == mean:  # an undefined mean has no place on the axis
            axes.plot(
                [low, high],
                [place, place],
                color=REFERENCE if reference else OURS,
                linewidth=1.6,
                solid_capstyle="butt",
            )
            axes.plot(mean, place, "o", color=REFERENCE if reference else OURS, markersize=5.5)
        else:
            axes.annotate(
                "undefined",
                (0.02, place),
                xycoords=("axes fraction", "data"),
                va="center",
                color=RANDOM,
            )
        if row.get("published tau") is not None:
            axes.plot(
                row["published tau"],
                place,
                "D",
                markerfacecolor="none",
                markeredgecolor=PUBLISHED,
                markersize=6.5,
            )
    for name, color, style in (("random", RANDOM, "--"), ("ceiling", CEILING, "-.")):
        label = BASELINES[name].label
        baseline = _baseline(table, label)
        if baseline is not None:
            axes.axvline(
                baseline, color=color, linestyle=style, linewidth=1.1, label=label.split(",")[0]
            )
    axes.plot([], [], "o-", color=OURS, label="ours, 95 % over videos")
    axes.plot([], [], "o-", color=REFERENCE, label="the row compared with")
    if any(row.get("published tau") is not None for row in rows):
        axes.plot(
            [],
            [],
            "D",
            markerfacecolor="none",
            markeredgecolor=PUBLISHED,
            linestyle="none",
            label="published",
        )
    axes.set_yticks(range(len(rows)), [row[""] for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("Kendall's tau")
    axes.set_title(table.title.split(":")[0], loc="left", fontsize=9)
    axes.grid(axis="x", color="#e3e3e3", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _rows(table: Table) -> list[dict[str, Any]]:
    """The experiments of a table by column."""
    names = [column.name for column in table.columns]
    return [
        row
        for row in (dict(zip(names, cells, strict=True)) for cells in table.rows)
        if row[""] not in {baseline.label for baseline in BASELINES.values()}
    ]


def _baseline(table: Table, label: str) -> float | None:
    names = [column.name for column in table.columns]
    found = next((cells[names.index("tau")] for cells in table.rows if cells[0] == label), None)
    return found if isinstance(found, float) and found == found else None
