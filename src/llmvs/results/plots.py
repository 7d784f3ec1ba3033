"""A forest plot of a comparison: every row's mean and interval in tau and rho, published values,
and lines where random scores and people stand.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llmvs.files import atomic
from llmvs.results.comparison import GAP
from llmvs.results.labels import BASELINES, PUBLISHED
from llmvs.results.tables import Table

OURS, REFERENCE, PUBLISHED_COLOR, RANDOM = "#1f5f99", "#b3471d", "#1a1a1a", "#8a8a8a"
LINES = {
    "random": (RANDOM, "--", "random (band: 95 % of draws)"),
    "human_pairwise": ("#4b8b3b", ":", "one person against another"),
    "human_others": ("#4b8b3b", "-.", "one person against the mean of the others"),
    "ceiling": ("#2f5a26", "-", "the annotators' own mean"),
}
"""Baseline -> color, style and name of its line."""
MEASURES = {"tau": "Kendall's τ", "rho": "Spearman's ρ"}
STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "svg.hashsalt": "llmvs",
    "pdf.fonttype": 42,  # text stays text
    "axes.linewidth": 0.6,
}


def draw(tables: Sequence[Table], title: str, *paths: Path) -> None:
    """Write the plot of all tables of tau and rho, a line of panels each; the suffix of a path
    decides its format.

    Raises:
        UserError: a file cannot be written.
    """
    shown = [table for table in tables if {"tau", "rho"} <= {one.name for one in table.columns}]
    n_rows = max((len(_rows(table)) for table in shown), default=1)
    longest = max((len(row[""]) for table in shown for row in _rows(table)), default=1)

    def fill(figure: Figure) -> None:
        panels = figure.subplots(
            max(1, len(shown)), len(MEASURES), squeeze=False, sharey="row", sharex="col"
        )
        for line, table in zip(panels, shown, strict=False):
            for place, measure in zip(line, MEASURES, strict=True):
                _panel(place, table, measure)
            line[0].set_title(table.title.split(":")[0], loc="left", fontweight="bold")
        for place, name in zip(panels[-1], MEASURES.values(), strict=True):
            place.set_xlabel(name)
        figure.suptitle("\n".join(wrap(title, 110)), x=0.01, ha="left", fontsize=8)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False, fontsize=7)

    height = 1.35 + max(1, len(shown)) * (0.45 + 0.19 * n_rows)
    save(fill, (4.6 + 0.062 * longest, height), *paths)


def save(fill: Callable[[Figure], None], size: tuple[float, float], *paths: Path) -> None:
    """Draw a figure and write it, the same bytes for the same content.

    Args:
        fill: draws into it.
        size: width and height in inches.
        paths: the suffix decides the format.

    Raises:
        UserError: a file cannot be written.
    """
    undated: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        fill(figure)
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic(path) as temporary:
                figure.savefig(temporary, dpi=200, metadata=undated.get(path.suffix, {}))


def plain_axes(axes: Axes) -> None:
    """Leave only what is needed of the frame and a pale grid."""
    axes.grid(axis="x", color="#e3e3e3", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _panel(axes: Axes, table: Table, measure: str) -> None:
    """One measure of one table."""
    rows = _rows(table)
    compared = any("p" in row for row in rows)
    for place, row in enumerate(rows):
        reference = compared and row.get("p") is None
        _row(axes, row, measure, place, REFERENCE if reference else OURS)
    for key, (color, style, label) in LINES.items():
        found = _baseline(table, BASELINES[key].label, measure)
        if found is not None:
            axes.axvline(found[0], color=color, linestyle=style, linewidth=1, label=label, zorder=1)
            if key == "random":
                axes.axvspan(*found[1], color=color, alpha=0.15, linewidth=0, zorder=0)
    axes.plot([], [], "o-", color=OURS, markersize=4, label="mean, 95 % over videos")
    if compared:
        axes.plot([], [], "o-", color=REFERENCE, markersize=4, label="the row compared with")
    if any(row.get("published tau") is not None for row in rows):
        axes.plot([], [], "D", **_DIAMOND, label=PUBLISHED)
    axes.set_yticks(range(len(rows)), [row[""] for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    plain_axes(axes)
    axes.spines[["left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


_DIAMOND: dict[str, Any] = {
    "markerfacecolor": "none",
    "markeredgecolor": PUBLISHED_COLOR,
    "markersize": 5,
    "linestyle": "none",
}


def _row(axes: Axes, row: dict[str, Any], measure: str, place: int, color: str) -> None:
    mean, interval = row[measure], row[f"{measure}: 95 %"]
    if mean == mean:
        ends = list(interval)
        axes.plot(ends, [place, place], color=color, linewidth=1.4, solid_capstyle="butt")
        axes.plot(mean, place, "o", color=color, markersize=4)
    else:  # an undefined mean has no place on the axis
        where = ("axes fraction", "data")
        axes.annotate("undefined", (0.02, place), xycoords=where, va="center", color=RANDOM)
    printed = row.get(f"published {measure}")
    if printed is not None:
        axes.plot(printed, place, "D", **_DIAMOND)


def _rows(table: Table) -> list[dict[str, Any]]:
    """The experiments of a table by column."""
    names = [column.name for column in table.columns]
    lines = {GAP, *(BASELINES[key].label for key in LINES)}
    rows = (dict(zip(names, cells, strict=True)) for cells in table.rows)
    return [row for row in rows if row[""] not in lines]


def _baseline(table: Table, label: str, measure: str) -> tuple[float, tuple[float, float]] | None:
    """Mean and interval of a baseline; None where it is absent or undefined."""
    names = [column.name for column in table.columns]
    row = next((cells for cells in table.rows if cells[0] == label), None)
    if row is None:
        return None
    mean, interval = row[names.index(measure)], row[names.index(f"{measure}: 95 %")]
    assert isinstance(interval, tuple)
    return (mean, interval) if isinstance(mean, float) and mean == mean else None
