"""From results to tables: the rules of one experiment side by side, or one row per experiment
beside published figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmvs.errors import UserError, nearest
from llmvs.evaluation.bootstrap import Interval, paired_difference
from llmvs.evaluation.criteria import words
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
    PUBLISHED,
    RULES,
    SIMPLE,
    TIES_BROKEN,
    label_of,
    tie_broken,
)
from llmvs.results.published import published, source
from llmvs.results.resolution import resolution_note
from llmvs.results.tables import Cell, Column, Kind, Table

INTERVALS = (
    "Intervals: 95 %, bootstrap over videos (10,000 draws, the same videos for every row), seeds"
    " averaged; of Random: where 95 % of the draws lie."
)
GAP = "TEST choice minus held-out choice"


@dataclass(frozen=True)
class Contender:
    """One experiment in a table."""

    label: str
    experiment: Experiment
    published: str | None = None
    """Its name in published.json."""


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
    epochs = _epoch_cells(rows, chosen)
    notes = [
        *_epoch_notes(rows, chosen),
        INTERVALS,
        _test_of(against.label),
        *_rule_notes(rows, chosen),
        *_seed_notes(rows),
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
        *(_sources(rows, printed) if names[0] == "paper" else []),
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


def selection_notes(experiment: Experiment) -> list[str]:
    """What was done so that several rules could choose from the same trainings."""
    rules = [rule for rule in RULES if rule in experiment.rows]
    if len(rules) < 2:
        return []
    held = sorted({len(run.videos.val) for run in experiment.runs.values()})
    trained = sorted({len(run.videos.train) for run in experiment.runs.values()})
    line = (
        f"The {len(rules)} choices of an epoch are from the same trainings, each on"
        f" {_range(trained)} videos"
    )
    best = f" Best means: by {by}." if (by := _by(experiment, rules[-1])) else ""
    if "val" in rules:
        also = f"{_range(held)} more of each fold's training videos were held out"
        return [f"{line}; {also} and only chose the epoch of `val`.{best}"]
    if "inner" in rules:
        return [f"{line}; inner folds of them, trained before, chose the epoch of `inner`.{best}"]
    honest = "so there is no honest choice of an epoch but the last"
    return [f"{line}, with none held out, {honest}.{best}"]


def _printed(row: Contender) -> dict[str, Any]:
    return published(row.experiment.one.dataset, row.published) if row.published else {}


def _sources(rows: Sequence[Contender], printed: Sequence[dict[str, Any]]) -> list[str]:
    where = [
        f"{row.label}: {beside['where']}"
        for row, beside in zip(rows, printed, strict=True)
        if beside
    ]
    paper, note = source()
    said = PUBLISHED[0].upper() + PUBLISHED[1:]
    return [f"{said}. {paper}; {'; '.join(where)}. {note}"] if where else []


def _rule_notes(rows: Sequence[Contender], chosen: Sequence[str]) -> list[str]:
    """A line where trained rows show epochs that different rules chose."""
    by_rule = {
        rule: [
            row.label
            for row, own in zip(rows, chosen, strict=True)
            if own == rule and row.experiment.one.trained
        ]
        for rule in RULES
    }
    there = [f"{rule}: {', '.join(labels)}" for rule, labels in by_rule.items() if labels]
    if len(there) < 2:
        return []
    note = (
        f"Not all rows choose their epoch by the same rule ({'; '.join(there)}); --rule shows one"
        " for all."
    )
    return [note]


def _seed_notes(rows: Sequence[Contender]) -> list[str]:
    trained = [row for row in rows if row.experiment.one.trained]
    if len({len(row.experiment.seeds) for row in trained}) < 2:
        return []
    counts = ", ".join(f"{row.label} {len(row.experiment.seeds)}" for row in trained)
    return [f"Not all rows have equally many seeds: {counts}."]


def _reference(rows: Sequence[Contender], name: str | None) -> Contender:
    if name is None:
        return rows[0]
    for row in rows:
        if name in (row.label, row.experiment.name):
            return row
    raise UserError(f"--reference {name}: no such row{nearest(name, [row.label for row in rows])}")


def _epoch_cells(rows: Sequence[Contender], chosen: Sequence[str]) -> list[str]:
    """Of every row the rule that chose its epoch, and by what where rows differ in it; nothing
    where nothing was trained.
    """
    several = len({by for _, by in _choices(rows, chosen) if by}) > 1
    return [
        ""
        if not row.experiment.one.trained
        else f"{rule} by {by}"
        if several and (by := _by(row.experiment, rule))
        else rule
        for row, rule in zip(rows, chosen, strict=True)
    ]


def _epoch_notes(rows: Sequence[Contender], chosen: Sequence[str]) -> list[str]:
    """What the rules mean that chose the rows' epochs."""
    choices = _choices(rows, chosen)
    said = [
        f"{name}: {RULES[name].meaning}{f', by {by}' if by else ''}"
        for name in RULES
        for rule, by in choices
        if rule == name
    ]
    return [f"Epoch: {'; '.join(said)}."] if said else []


def _choices(rows: Sequence[Contender], chosen: Sequence[str]) -> list[tuple[str, str]]:
    """Every rule that chose a trained row's epoch, and by what; each once."""
    found = [
        (rule, _by(row.experiment, rule))
        for row, rule in zip(rows, chosen, strict=True)
        if row.experiment.one.trained
    ]
    return list(dict.fromkeys(found))


def _by(experiment: Experiment, rule: str) -> str:
    """By what a rule compared epochs, in words; nothing where it compared none, or where that is
    not known any more.
    """
    return "" if rule == "last" else words(next(iter(experiment.one.selection_by), ""))


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


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
