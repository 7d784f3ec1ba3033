"""From results to tables: the rules of one experiment side by side, or one row per experiment
beside published figures.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from llmvs.errors import UserError, nearest
from llmvs.evaluation.bootstrap import Interval, paired_difference
from llmvs.evaluation.protocol import Protocol
from llmvs.evaluation.protocols import by_name
from llmvs.results.experiment import (
    Experiment,
    VideosBySeeds,
    embedding_notes,
    refuse_mixture,
    revision_notes,
)
from llmvs.results.heading import heading_of
from llmvs.results.labels import (
    BASELINES,
    RULES,
    SIMPLE,
    TIES_BROKEN,
    label_of,
    tie_broken,
)
from llmvs.results.notes import (
    Contender,
    epoch_cells,
    epoch_notes,
    rule_notes,
    seed_notes,
    selection_notes,
    sources,
)
from llmvs.results.published import published
from llmvs.results.resolution import resolution_note
from llmvs.results.tables import Cell, Column, Kind, Table

INTERVALS = (
    "Intervals: 95 %, bootstrap over videos (10,000 draws, the same videos for every row), seeds"
    " averaged; of Random: where 95 % of the draws lie."
)
GAP = "TEST choice minus held-out choice"


def rule_tables(experiment: Experiment) -> list[Table]:
    """Per protocol: every rule that chooses an epoch, the gap between an honest and a TEST choice,
    and the baselines.
    """
    notes = [
        *selection_notes(experiment),
        INTERVALS,
        *embedding_notes([experiment]),
        *revision_notes([experiment]),
    ]
    return [_rule_table(experiment, names, notes) for names in experiment.same_protocols()]


def _rule_table(experiment: Experiment, names: Sequence[str], notes: Sequence[str]) -> Table:
    protocol = by_name(names[0])
    scored = experiment.rows_of(names[0])
    rows: list[list[Cell]] = [
        [label_of(row, scored), *_cells(experiment.row(row, names[0]))] for row in scored
    ]
    honest = next((rule for rule in ("val", "inner") if rule in experiment.rows), None)
    if honest and "test" in experiment.rows:
        gap = (
            _difference(experiment.row("test", names[0]), experiment.row(honest, names[0]), which)
            for which in range(len(protocol.measures))
        )
        rows.append([GAP, *(cell for one in gap for cell in (one.mean, (one.low, one.high), None))])
    rows += [
        [row.label, *_cells(found)]
        for row in BASELINES.values()
        if (found := experiment.baseline(row.key, names[0]))
    ]
    columns = [Column(""), *_columns(protocol)]
    own = next((row for row in (experiment.one.selection, "last") if row in scored), scored[0])
    others = [experiment.row(row, names[0]) for row in scored if row != own]
    base = experiment.row(own, names[0])
    notes = [*notes, *resolution_note(names[0], others, base, label_of(own, scored))]
    return Table(names[0], _title(experiment, names), columns, rows, notes)


def comparison(
    rows: Sequence[Contender],
    reference: str | None = None,
    rule: str | None = None,
    title: str = "",
    part: str = "",
) -> list[Table]:
    """Per protocol one row per experiment: figures, the difference to a reference with a paired
    test, published figures.

    Args:
        rows: of one dataset, one kind of splits, the same folds and protocols.
        reference: the experiment's name or label that the others are compared with; None: the
            first.
        rule: which epoch; None: each experiment's own choice. What was not trained has only its
            `last`.
        title: stands before the heading of every table.
        part: what part of unfinished experiments the rows are, for the heading.

    Raises:
        UserError: results that do not belong in one table, or an unknown reference or rule.
    """
    experiments = [row.experiment for row in rows]
    refuse_mixture(experiments)
    against = _reference(rows, reference)
    chosen = [chosen_rule(row.experiment, rule) for row in rows]
    above = heading_of(experiments, chosen, part)
    printed = [_printed(row) for row in rows]
    epochs = epoch_cells(rows, chosen)
    notes = [
        *epoch_notes(rows, chosen),
        INTERVALS,
        _test_of(against.label),
        *rule_notes(rows, chosen),
        *seed_notes(rows),
        *embedding_notes(experiments),
        *revision_notes(experiments),
    ]
    tables = [
        _comparison(rows, chosen, epochs, printed, against, names, notes)
        for names in experiments[0].same_protocols()
    ]
    line = f"{title}. {above.line()}" if title else above.line()
    return [replace(table, heading=line, about=above.columns()) for table in tables]


def _comparison(
    rows: Sequence[Contender],
    chosen: Sequence[str],
    epochs: Sequence[str],
    printed: Sequence[dict[str, Any]],
    against: Contender,
    names: Sequence[str],
    notes: Sequence[str],
) -> Table:
    protocol = by_name(names[0])
    kind = kind_of(protocol)
    columns = [
        Column(""),
        Column("epoch"),
        *_columns(protocol),
        Column("difference", kind, signed=True, group="difference"),
        Column("difference: 95 %", kind, signed=True, group="difference"),
        Column("p", "p", group="difference"),
        Column("published tau", "figure", group="published"),
        Column("published rho", "figure", group="published"),
    ]
    base = against.experiment.row(chosen[rows.index(against)], names[0])
    others: list[VideosBySeeds] = []
    lines: list[list[Cell]] = []
    for row, rule, epoch, beside in zip(rows, chosen, epochs, printed, strict=True):
        experiment, there = row.experiment, row.experiment.rows_of(names[0])
        print_beside = (
            [beside.get("tau"), beside.get("rho")] if names[0] == "paper" else [None, None]
        )
        mine = experiment.row(rule, names[0])
        others += [mine] if row != against else []
        lines.append(
            [
                row.label,
                epoch,
                *_compared(mine, base if row != against else None),
                *print_beside,
            ]
        )
        if tie_broken(rule) in there:
            found = experiment.row(tie_broken(rule), names[0])
            others.append(found)
            label = f"{row.label}, {TIES_BROKEN}"
            lines.append([label, "", *_compared(found, base), None, None])
    methods = {row.experiment.one.method.model for row in rows}
    for line in BASELINES.values():
        baseline = against.experiment.baseline(line.key, names[0])
        if baseline is None or line.key in methods:
            continue
        compared = _compared(baseline, base if line.key in SIMPLE else None)
        lines.append([line.label, "", *compared, None, None])
    title = _title(rows[0].experiment, names)
    notes = [
        *notes,
        *(sources(rows, printed) if names[0] == "paper" else []),
        *resolution_note(names[0], others, base, against.label),
    ]
    return Table(names[0], title, columns, lines, notes).without_empty()


def _test_of(label: str) -> str:
    return (
        f"Difference to {label}: p is two-sided, from sign flips over videos; the interval holds"
        " what the same test does not refuse."
    )


def _compared(found: VideosBySeeds, base: VideosBySeeds | None) -> list[Cell]:
    """A row's values, and the difference of its first measure to the reference's."""
    if base is None:
        return [*_cells(found), None, None, None]
    compared = _difference(found, base, 0)
    return [*_cells(found), compared.mean, (compared.low, compared.high), compared.p]


def _title(experiment: Experiment, names: Sequence[str]) -> str:
    return f"{' = '.join(names)}: {experiment.one.titles.get(names[0], '')}"


def _printed(row: Contender) -> dict[str, Any]:
    return published(row.experiment.one.dataset, row.published) if row.published else {}


def _reference(rows: Sequence[Contender], name: str | None) -> Contender:
    if name is None:
        return rows[0]
    for row in rows:
        if name in (row.label, row.experiment.name):
            return row
    raise UserError(f"--reference {name}: no such row{nearest(name, [row.label for row in rows])}")


def chosen_rule(experiment: Experiment, rule: str | None) -> str:
    """The rule whose epoch a row shows: the one asked for, or its own.

    Raises:
        UserError: it has no such, or its runs have different ones.
    """
    own = list(dict.fromkeys(run.selection for run in experiment.runs.values()))
    if rule is None and len(own) > 1:
        raise UserError(
            f"{experiment.name}: its runs choose their epoch by different rules"
            f" ({' and '.join(own)}): name one with --rule"
        )
    wanted = rule or own[0]
    rules = [name for name in RULES if name in experiment.rows]
    if wanted in rules:
        return wanted
    if rules == ["last"]:
        return "last"
    raise UserError(
        f"--rule {wanted}: {experiment.name} has only {', '.join(rules)}: held-out videos need"
        " selection=val"
    )


def kind_of(protocol: Protocol) -> Kind:
    """How its numbers are written."""
    return "percent" if protocol.percent else "figure"


def _columns(protocol: Protocol) -> list[Column]:
    """Of every measure the mean, its interval and its deviation, as `_cells` fills them."""
    return [
        Column(header + what, kind_of(protocol), group=header)
        for header in protocol.headers
        for what in ("", ": 95 %", ": sd")
    ]


def _cells(row: VideosBySeeds) -> list[Cell]:
    cells: list[Cell] = []
    for which in range(row.values.shape[2]):
        found: Interval = row.mean(which)
        cells += [found.mean, (found.low, found.high), row.sd(which)]
    return cells


def _difference(a: VideosBySeeds, b: VideosBySeeds, which: int) -> Any:
    return paired_difference(a.values[:, :, which], b.values[:, :, which], weights=a.weights)
