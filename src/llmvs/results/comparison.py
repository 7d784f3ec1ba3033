"""From results to tables: the rules of one experiment side by side, or one row per experiment
beside published figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmvs.errors import UserError, nearest
from llmvs.evaluation.bootstrap import Interval, paired_difference
from llmvs.evaluation.measures import CORRELATIONS, MEASURES
from llmvs.files import read_json
from llmvs.results.experiment import (
    Experiment,
    Figures,
    embedding_notes,
    refuse_mixture,
    revision_notes,
)
from llmvs.results.tables import Cell, Column, Kind, Table

RULES = {"last": "last epoch", "val": "best on held-out videos", "test": "best on the TEST videos"}
FLOORS = {
    "random": "Random",
    "human_pairwise": "Human, one against another",
    "human_others": "Human, one against the mean of the others",
    "ceiling": "Ceiling, the annotators' own mean",
}
UNTIED = "ties broken by chance"
LABELS = {**RULES, "zero_shot": "LLM alone, zero-shot", "untied": f"The same, {UNTIED}", **FLOORS}
INTERVALS = (
    "Intervals: 95 %, bootstrap over videos (10,000 draws, the same videos for every row), seeds"
    " averaged; of Random: where 95 % of the draws lie."
)
GAP = "TEST choice minus held-out choice"
Blocks = list[tuple[list[str], str]]


@dataclass(frozen=True)
class Row:
    """One experiment in a table."""

    label: str
    experiment: Experiment
    published: str | None = None
    """Its name in published.json."""


def rule_tables(experiment: Experiment) -> list[Table]:
    """Per protocol: every rule that chooses an epoch, the gap between an honest and a TEST choice,
    and floors and ceilings.
    """
    notes = [
        *selection_notes(experiment),
        INTERVALS,
        *embedding_notes([experiment]),
        *revision_notes([experiment]),
    ]
    return [_rule_table(experiment, names, title, notes) for names, title in blocks(experiment)]


def _rule_table(
    experiment: Experiment, names: Sequence[str], title: str, notes: Sequence[str]
) -> Table:
    kind, first, second = _measures(names[0])
    rows = [
        [LABELS[row], *_cells(experiment.figures(row, names[0]))]
        for row in experiment.judged(names[0])
    ]
    if {"val", "test"} <= set(experiment.rows):
        gap = (
            _difference(
                experiment.figures("test", names[0]), experiment.figures("val", names[0]), which
            )
            for which in (0, 1)
        )
        rows.append([GAP, *(cell for one in gap for cell in (one.mean, (one.low, one.high), None))])
    rows += [
        [FLOORS[name], *_cells(found)]
        for name in FLOORS
        if (found := experiment.floor(name, names[0]))
    ]
    columns = [
        Column(""),
        *(
            column
            for name in (first, second)
            for column in (
                Column(name, kind),
                Column(f"{name}: 95 %", kind),
                Column(f"{name}: sd", kind),
            )
        ),
    ]
    return Table(names[0], f"{' = '.join(names)}: {title}", columns, rows, notes)


def comparison(
    rows: Sequence[Row], reference: str | None = None, rule: str | None = None
) -> list[Table]:
    """Per protocol one row per experiment: figures, the difference to a reference with a paired
    test, published figures.

    Args:
        rows: of one dataset, one kind of splits, the same folds and protocols.
        reference: the experiment's name or label that the others are compared with; None: the
            first.
        rule: which epoch; None: each experiment's own choice. What was not trained has only its
            `last`.

    Raises:
        UserError: results that do not belong in one table, or an unknown reference or rule.
    """
    experiments = [row.experiment for row in rows]
    refuse_mixture(experiments)
    against = _reference(rows, reference)
    chosen = [_rule(row.experiment, rule) for row in rows]
    printed = [_printed(row) for row in rows]
    shown = [_epoch_cell(row.experiment, rule) for row, rule in zip(rows, chosen, strict=True)]
    epochs = "; ".join(f"{name}: {meaning}" for name, meaning in RULES.items() if name in shown)
    notes = [
        *([f"Epoch: {epochs}."] if epochs else []),
        INTERVALS,
        f"Difference to {against.label}; p: two-sided, sign flips over videos.",
        *_seed_notes(rows),
        *embedding_notes(experiments),
        *revision_notes(experiments),
        *_sources(rows, printed),
    ]
    return [
        _comparison(rows, chosen, printed, against, names, title, notes)
        for names, title in blocks(experiments[0])
    ]


def _comparison(
    rows: Sequence[Row],
    chosen: Sequence[str],
    printed: Sequence[dict[str, Any]],
    against: Row,
    names: Sequence[str],
    title: str,
    notes: Sequence[str],
) -> Table:
    kind, first, second = _measures(names[0])
    change: Kind = "percent difference" if kind == "percent" else "difference"
    columns = [
        Column(""),
        Column("epoch"),
        Column(first, kind),
        Column(f"{first}: 95 %", kind),
        Column(f"{first}: sd", kind),
        Column(second, kind),
        Column(f"{second}: 95 %", kind),
        Column(f"{second}: sd", kind),
        Column("difference", change),
        Column("difference: 95 %", change),
        Column("p", "p"),
        Column("published tau", "figure"),
        Column("published rho", "figure"),
    ]
    base = against.experiment.figures(chosen[rows.index(against)], names[0])
    lines: list[list[Cell]] = []

    def add(
        label: str, epoch: str, found: Figures, beside: Mapping[str, Any], compare: bool
    ) -> None:
        compared = _difference(found, base, 0) if compare else None
        lines.append(
            [
                label,
                epoch,
                *_cells(found),
                *(
                    (compared.mean, (compared.low, compared.high), compared.p)
                    if compared
                    else (None,) * 3
                ),
                *((beside.get("tau"), beside.get("rho")) if names[0] == "paper" else (None, None)),
            ]
        )

    for row, rule, beside in zip(rows, chosen, printed, strict=True):
        experiment = row.experiment
        add(
            row.label,
            _epoch_cell(experiment, rule),
            experiment.figures(rule, names[0]),
            beside,
            row is not against,
        )
        if not experiment.trained and "untied" in experiment.judged(names[0]):
            add(f"{row.label}, {UNTIED}", "", experiment.figures("untied", names[0]), {}, True)
    lines += [
        [title_of_floor, "", *_cells(floor), *(None,) * 5]
        for name, title_of_floor in FLOORS.items()
        if (floor := against.experiment.floor(name, names[0]))
    ]
    return Table(names[0], f"{' = '.join(names)}: {title}", columns, lines, notes).without_empty()


def blocks(experiment: Experiment) -> Blocks:
    """The protocols with the same figures under their names together, and what they compare."""
    merged: Blocks = []
    for name in experiment.protocols:
        same = next(
            (
                names
                for names, _ in merged
                if all(
                    run["protocols"][name] == run["protocols"][names[0]]
                    for run in experiment.runs.values()
                )
            ),
            None,
        )
        if same:
            same.append(name)
        else:
            merged.append(([name], experiment.one["titles"].get(name, "")))
    return merged


def heading(experiment: Experiment) -> str:
    """One line that says of what the figures are."""
    one, seeds = experiment.one, experiment.seeds
    return (
        f"{one['heading']}, {one['splits']} splits, folds {', '.join(map(str, experiment.folds))}, "
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    )


def plain(table: Table) -> dict[str, Any]:
    """A table as plain values for JSON."""
    return {
        "name": table.name,
        "title": table.title,
        "columns": [column.name for column in table.columns],
        "rows": table.rows,
        "notes": table.notes,
    }


def selection_notes(experiment: Experiment) -> list[str]:
    """What was done so that several rules could choose from the same trainings."""
    rules = [rule for rule in RULES if rule in experiment.rows]
    if len(rules) < 2:
        return []
    held = sorted({len(run["videos"]["val"]) for run in experiment.runs.values()})
    trained = sorted({len(run["videos"]["train"]) for run in experiment.runs.values()})
    line = (
        f"The {len(rules)} choices of an epoch are from the same trainings, each on"
        f" {_range(trained)} videos"
    )
    if "val" in rules:
        also = f"{_range(held)} more of each fold's training videos were held out"
        return [f"{line}; {also} and only chose the epoch of `val`."]
    return [f"{line}, with none held out, so there is no honest choice of an epoch but the last."]


def published(dataset: str, name: str) -> dict[str, Any]:
    """tau, rho and where they are printed; empty where nothing was published for this dataset."""
    table: dict[str, Any] = _published().get(dataset, {})
    found: dict[str, Any] = table.get(name, {})
    return found


def published_names() -> list[str]:
    """All rows of published.json."""
    return sorted(
        {name for table in _published().values() if isinstance(table, dict) for name in table}
    )


def published_name(experiment: Experiment) -> str | None:
    """The published row that an experiment named by `llmvs train` repeats: `summe` is LLMVS,
    `summe-mlp` the row `mlp`.
    """
    dataset = experiment.one["dataset"]
    if experiment.name == dataset:
        return "llmvs"
    name = experiment.name.removeprefix(f"{dataset}-")
    return name if published(dataset, name) else None


def _published() -> dict[str, Any]:
    table: dict[str, Any] = read_json(Path(__file__).parent / "published.json", "published figures")
    return table


def _printed(row: Row) -> dict[str, Any]:
    return published(row.experiment.one["dataset"], row.published) if row.published else {}


def _sources(rows: Sequence[Row], printed: Sequence[dict[str, Any]]) -> list[str]:
    where = [
        f"{row.label}: {beside['where']}"
        for row, beside in zip(rows, printed, strict=True)
        if beside
    ]
    return (
        [f"Published: {_published()['source']}; {'; '.join(where)}. {_published()['note']}"]
        if where
        else []
    )


def _seed_notes(rows: Sequence[Row]) -> list[str]:
    counts = {len(row.experiment.seeds) for row in rows}
    if len(counts) == 1:
        return []
    return [
        "Not all rows have equally many seeds: "
        + ", ".join(f"{row.label} {len(row.experiment.seeds)}" for row in rows)
        + "."
    ]


def _reference(rows: Sequence[Row], name: str | None) -> Row:
    if name is None:
        return rows[0]
    for row in rows:
        if name in (row.label, row.experiment.name):
            return row
    raise UserError(f"--reference {name}: no such row{nearest(name, [row.label for row in rows])}")


def _epoch_cell(experiment: Experiment, rule: str) -> str:
    """The rule that chose the epoch; nothing where nothing was trained."""
    return rule if experiment.trained else ""


def _rule(experiment: Experiment, rule: str | None) -> str:
    wanted = rule or str(experiment.one["selection"])
    rules = [name for name in RULES if name in experiment.rows]
    if wanted in rules:
        return wanted
    if rules == ["last"]:
        return "last"
    raise UserError(
        f"--rule {wanted}: {experiment.name} has only {', '.join(rules)}: held-out videos need"
        " selection=val"
    )


def _measures(protocol: str) -> tuple[Kind, str, str]:
    return (
        ("percent", *MEASURES[protocol].headers)
        if protocol in MEASURES
        else ("figure", *CORRELATIONS)
    )


def _cells(figures: Figures) -> list[Cell]:
    cells: list[Cell] = []
    for which in (0, 1):
        found: Interval = figures.mean(which)
        cells += [found.mean, (found.low, found.high), figures.sd(which)]
    return cells


def _difference(a: Figures, b: Figures, which: int) -> Any:
    return paired_difference(a.values[:, :, which], b.values[:, :, which], weights=a.weights)


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
