"""The table that papers print: methods in rows, datasets beside each other in columns, a mean with
its deviation in a cell, the best of a column in bold, published figures below a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmvs.errors import UserError
from llmvs.evaluation.bootstrap import paired_difference
from llmvs.evaluation.protocols import by_name
from llmvs.results.comparison import chosen_rule, kind_of
from llmvs.results.experiment import (
    VideosBySeeds,
    embedding_notes,
    refuse_mixture,
    revision_notes,
)
from llmvs.results.heading import Heading, heading_of
from llmvs.results.labels import BASELINES, DATASETS, EPOCHS, TIES_BROKEN, tie_broken
from llmvs.results.notes import Contender, epoch_cells
from llmvs.results.published import published, published_by_others, source
from llmvs.results.resolution import resolution_note
from llmvs.results.tables import Cell, Column, Estimate, Table, shown

DAGGER = "†"
LEVEL = 0.05
"""Rows whose p-value is not below it are not told apart."""
CELLS = (
    "Mean ± standard deviation over seeds (of Random over draws; none where seeds change nothing)."
    " Bold, in plain text a star: the best mean of a column, among the rows above the first line."
)


@dataclass(frozen=True)
class Side:
    """The rows of one dataset, which take some columns."""

    rows: Sequence[Contender]
    rules: Sequence[str]
    """Which epoch each of them shows."""
    heading: Heading

    @property
    def name(self) -> str:
        """The dataset, as papers write it."""
        one = self.rows[0].experiment.one
        return DATASETS.get(one.dataset, one.heading)

    def place(self, name: str) -> int | None:
        """Which of its different protocols a name is; None: the dataset has none of this name."""
        groups = self.rows[0].experiment.same_protocols()
        return next((i for i, names in enumerate(groups) if name in names), None)


@dataclass(frozen=True)
class Line:
    """A row: what it got on each dataset that has it."""

    label: str
    found: Mapping[str, VideosBySeeds]
    """Dataset -> figures."""
    seeded: bool = True
    """Whether its figures depend on the seed."""


def paper_tables(
    groups: Sequence[Sequence[Contender]],
    rule: str | None = None,
    title: str = "",
    parts: Sequence[str] = (),
) -> list[Table]:
    """Per protocol one table of all methods on all datasets.

    Args:
        groups: the rows of each dataset; a method has the same label in all of them.
        rule: which epoch; None: each experiment's own choice.
        title: stands before the heading.
        parts: of each dataset, what part of unfinished experiments its rows are.

    Raises:
        UserError: results that do not belong in one table, two rows of one label, or an unknown
            rule.
    """
    sides = []
    for i, rows in enumerate(groups):
        experiments = [row.experiment for row in rows]
        refuse_mixture(experiments)
        _refuse_same_labels(rows)
        rules = [chosen_rule(one, rule) for one in experiments]
        part = parts[i] if parts else ""
        sides.append(Side(rows, rules, heading_of(experiments, rules, part)))
    line = "; ".join(side.heading.line() for side in sides)
    heading = f"{title}. {line}" if title else line
    return [_table(names, sides, heading) for names in _protocols(sides)]


def _refuse_same_labels(rows: Sequence[Contender]) -> None:
    labels = [row.label for row in rows]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UserError(f"two rows of one dataset are called {twice!r}")


def _protocols(sides: Sequence[Side]) -> list[list[str]]:
    """The protocols, those together that are the same on every dataset that has them."""
    groups: dict[tuple[int | None, ...], list[str]] = {}
    for side in sides:
        for name in side.rows[0].experiment.protocols:
            group = groups.setdefault(tuple(other.place(name) for other in sides), [])
            group.extend([name] if name not in group else [])
    return list(groups.values())


def _table(names: Sequence[str], every: Sequence[Side], heading: str) -> Table:
    protocol = by_name(names[0])
    sides = [side for side in every if side.place(names[0]) is not None]
    columns = [
        Column(""),
        *(
            Column(f"{side.name} {header}", kind_of(protocol), group=side.name)
            for side in sides
            for header in protocol.headers
        ),
    ]
    methods, floors = _methods(names[0], sides), _baselines(names[0], sides)
    rows = [_cells(line, sides, len(protocol.measures)) for line in (*methods, *floors)]
    beside = _published_rows(sides) if "paper" in names else []
    blocks = [len(methods)] if floors else []
    blocks += [len(rows)] if beside else []
    return Table(
        names[0],
        _title(names, sides),
        columns,
        [*rows, *beside],
        [
            CELLS,
            *(note for side in sides for note in _apart_notes(names[0], side, methods)),
            *_revisions(sides),
            *([_published_note(sides)] if beside else []),
        ],
        heading=heading,
        about=_about(sides),
        blocks=blocks,
        best=_best(rows[: len(methods)], columns),
    )


def _title(names: Sequence[str], sides: Sequence[Side]) -> str:
    titles = {side.name: side.rows[0].experiment.one.titles.get(names[0], "") for side in sides}
    different = set(titles.values())
    said = (
        different.pop()
        if len(different) == 1
        else "; ".join(f"{name}: {title}" for name, title in titles.items())
    )
    return f"{' = '.join(names)}: {said}"


def _methods(name: str, sides: Sequence[Side]) -> list[Line]:
    """The rows of all methods, in the order in which they first appear."""
    lines: dict[str, dict[str, VideosBySeeds]] = {}
    seeded: set[str] = set()
    for side in sides:
        epochs = epoch_cells(side.rows, side.rules)
        mixed = len({epoch for epoch in epochs if epoch}) > 1
        for row, rule, epoch in zip(side.rows, side.rules, epochs, strict=True):
            trained, there = row.experiment.one.trained, row.experiment.rows_of(name)
            label = f"{row.label}, epoch: {epoch}" if mixed and trained else row.label
            seeded |= {label} if trained else set()
            lines.setdefault(label, {})[side.name] = row.experiment.row(rule, name)
            if tie_broken(rule) in there:
                broken = row.experiment.row(tie_broken(rule), name)
                lines.setdefault(f"{row.label}, {TIES_BROKEN}", {})[side.name] = broken
    return [Line(label, found, label in seeded) for label, found in lines.items()]


def _baselines(name: str, sides: Sequence[Side]) -> list[Line]:
    """Random, human and upper bound: the same for all rows of a dataset. What is a row of its own
    is not repeated.
    """
    methods = {row.experiment.one.method.model for side in sides for row in side.rows}
    found = [
        Line(
            row.label,
            {
                side.name: figures
                for side in sides
                if (figures := side.rows[0].experiment.baseline(row.key, name))
            },
        )
        for row in BASELINES.values()
        if row.key not in methods
    ]
    return [line for line in found if line.found]


def _cells(line: Line, sides: Sequence[Side], measures: int) -> list[Cell]:
    cells: list[Cell] = [line.label]
    for side in sides:
        figures = line.found.get(side.name)
        for which in range(measures):
            if figures is None:
                cells.append(None)
            else:
                sd = figures.sd(which) if line.seeded else None
                cells.append(Estimate(figures.mean(which).mean, sd))
    return cells


def _published_rows(sides: Sequence[Side]) -> list[list[Cell]]:
    """The published rows that ours repeat, then those of other methods."""
    datasets = [side.rows[0].experiment.one.dataset for side in sides]
    rows: list[list[Cell]] = []
    names = {row.published: row for side in sides for row in side.rows if row.published}
    for name, row in names.items():
        printed = [published(dataset, name) for dataset in datasets]
        epoch = "test" if row.experiment.one.trained else "none"
        rows.append([_marked(row.label, epoch), *_printed(printed)])
    others: dict[str, dict[int, dict[str, Any]]] = {}
    for i, dataset in enumerate(datasets):
        for one in published_by_others(dataset):
            if one["method"] != "LLMVS" or "llmvs" not in names:
                label = _marked(f"{one['method']} {one['year']}", one["epoch"])
                others.setdefault(label, {})[i] = one
    rows += [
        [label, *_printed([there.get(i, {}) for i in range(len(datasets))])]
        for label, there in others.items()
    ]
    return [row for row in rows if any(cell is not None for cell in row[1:])]


def _marked(label: str, epoch: str) -> str:
    """The label of a published row: how its epoch was chosen is part of what it is."""
    return f"{label}{DAGGER} ({EPOCHS.get(epoch, 'choice of the epoch not known')})"


def _printed(figures: Sequence[Mapping[str, Any]]) -> list[Cell]:
    """Kendall's tau and Spearman's rho of each dataset, as printed."""
    return [one.get(measure) for one in figures for measure in ("tau", "rho")]


def _published_note(sides: Sequence[Side]) -> str:
    paper, note = source()
    others = {
        f"{one['method']}: {one['where']}, reads {one['reads']}": None
        for side in sides
        for one in published_by_others(side.rows[0].experiment.one.dataset)
        if one["method"] != "LLMVS"
    }
    return (
        f"{DAGGER} published, of other models. Rows named as ours: {paper}. "
        + "".join(f"{one}. " for one in others)
        + note
    )


def _best(rows: Sequence[Sequence[Cell]], columns: Sequence[Column]) -> frozenset[tuple[int, int]]:
    """The cells whose mean is, as it is written, the largest of their column."""
    best = set()
    for j, column in enumerate(columns):
        means = {
            i: cell.mean
            for i, row in enumerate(rows)
            if isinstance(cell := row[j], Estimate) and not np.isnan(cell.mean)
        }
        if len(means) > 1:
            top = shown(max(means.values()), column)
            best |= {(i, j) for i, mean in means.items() if shown(mean, column) == top}
    return frozenset(best)


def _apart_notes(name: str, side: Side, methods: Sequence[Line]) -> list[str]:
    """What of a dataset's rows cannot be told from its best, and what its videos resolve."""
    found = {line.label: line.found[side.name] for line in methods if side.name in line.found}
    means = {label: row.mean(0).mean for label, row in found.items()}
    if len(found) < 2 or np.isnan(list(means.values())).any():
        return []
    best = max(means, key=lambda label: means[label])
    others = {label: row for label, row in found.items() if label != best}
    apart = [label for label, row in others.items() if _p(row, found[best]) < LEVEL]
    header = by_name(name).headers[0].removesuffix(" %")
    said = (
        f"{side.name}, {name}, {header}: of {len(others)} other rows, {len(apart)} are apart from"
        f" the best, {best} (paired sign flips over videos, p < {LEVEL:g}, one test each)"
    )
    notes = [f"{said}: {'; '.join(apart)}." if apart else f"{said}."]
    resolved = resolution_note(name, list(others.values()), found[best], best)
    return notes + [f"{side.name}, {note}" for note in resolved]


def _p(row: VideosBySeeds, base: VideosBySeeds) -> float:
    """The p-value of a row's difference to another, in the first measure."""
    return paired_difference(row.values[:, :, 0], base.values[:, :, 0], weights=row.weights).p


def _revisions(sides: Sequence[Side]) -> list[str]:
    experiments = [row.experiment for side in sides for row in side.rows]
    return [*embedding_notes(experiments), *revision_notes(experiments)]


def _about(sides: Sequence[Side]) -> dict[str, str]:
    """The columns of the CSV that say of what its figures are, of all datasets."""
    found = [side.heading.columns() for side in sides]
    keys = dict.fromkeys(key for columns in found for key in columns)
    return {key: "; ".join(columns.get(key, "") for columns in found) for key in keys}
