"""What stands below a table: how its rows chose their epochs, and where its figures are from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmvs.results.experiment import Experiment
from llmvs.results.heading import by_what
from llmvs.results.labels import PUBLISHED, RULES
from llmvs.results.published import source


@dataclass(frozen=True)
class Contender:
    """One experiment in a table."""

    label: str
    experiment: Experiment
    published: str | None = None
    """Its name in published.json."""


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
    best = f" Best means: by {by}." if (by := by_what(experiment.one, rules[-1])) else ""
    if "val" in rules:
        also = f"{_range(held)} more of each fold's training videos were held out"
        return [f"{line}; {also} and only chose the epoch of `val`.{best}"]
    if "inner" in rules:
        return [f"{line}; inner folds of them, trained before, chose the epoch of `inner`.{best}"]
    honest = "so there is no honest choice of an epoch but the last"
    return [f"{line}, with none held out, {honest}.{best}"]


def sources(rows: Sequence[Contender], printed: Sequence[dict[str, Any]]) -> list[str]:
    """A line that says where the published figures `printed` beside the rows stand."""
    where = [
        f"{row.label}: {beside['where']}"
        for row, beside in zip(rows, printed, strict=True)
        if beside
    ]
    paper, note = source()
    said = PUBLISHED[0].upper() + PUBLISHED[1:]
    return [f"{said}. {paper}; {'; '.join(where)}. {note}"] if where else []


def rule_notes(rows: Sequence[Contender], chosen: Sequence[str]) -> list[str]:
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


def seed_notes(rows: Sequence[Contender]) -> list[str]:
    """A line where trained rows have different numbers of seeds."""
    trained = [row for row in rows if row.experiment.one.trained]
    if len({len(row.experiment.seeds) for row in trained}) < 2:
        return []
    counts = ", ".join(f"{row.label} {len(row.experiment.seeds)}" for row in trained)
    return [f"Not all rows have equally many seeds: {counts}."]


def epoch_cells(rows: Sequence[Contender], chosen: Sequence[str]) -> list[str]:
    """Of every row the rule that chose its epoch, and by what where rows differ in it; nothing
    where nothing was trained.
    """
    several = len({by for _, by in _choices(rows, chosen) if by}) > 1
    return [
        ""
        if not row.experiment.one.trained
        else f"{rule} by {by}"
        if several and (by := by_what(row.experiment.one, rule))
        else rule
        for row, rule in zip(rows, chosen, strict=True)
    ]


def epoch_notes(rows: Sequence[Contender], chosen: Sequence[str]) -> list[str]:
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
        (rule, by_what(row.experiment.one, rule))
        for row, rule in zip(rows, chosen, strict=True)
        if row.experiment.one.trained
    ]
    return list(dict.fromkeys(found))


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
