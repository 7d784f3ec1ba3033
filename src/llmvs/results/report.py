"""The text that one run, `llmvs baselines` and `llmvs evaluate` print: figures with four decimals,
beside what chance and people reach.
"""

from collections.abc import Mapping, Sequence

from llmvs.evaluation.protocols import by_name
from llmvs.results.heading import by_what
from llmvs.results.labels import RULES, ZERO_SHOT, label_of
from llmvs.results.schema import Result
from llmvs.results.tables import Cell, Column, Table, grouped, text


def run_text(result: Result) -> str:
    """What `llmvs train` prints: the run's table, and where the run is."""
    return f"{run_table(result)}\n\nrun: {result.folder}"


def run_table(result: Result) -> str:
    """The table of one run, from its result alone, below two lines that say what was run."""
    videos = result.videos
    return "\n".join(
        [
            (
                f"{result.heading}, {result.splits} splits, fold {result.fold}, seed"
                f" {result.seed}: {len(videos.train)} videos trained on{_elsewhere(result)},"
                f" {len(videos.val)} held out, {len(videos.test)} tested"
            ),
            _chosen(result),
            "",
            figures_text(result.protocols, result.titles, result.notes),
        ]
    )


def figures_text(
    protocols: Mapping[str, Mapping[str, Mapping[str, float]]],
    titles: Mapping[str, str],
    notes: Sequence[str] = (),
) -> str:
    """One table per protocol (protocols with the same figures are merged), then the notes.

    Args:
        protocols: protocol -> row -> measure (`tau`, and `tau_sd` of random draws) -> value.
        titles: protocol -> what it compares, in one line.
        notes: lines that explain figures, shown below.
    """
    return text(
        [
            _table(names, protocols[names[0]], titles.get(names[0], ""), notes)
            for names in grouped(protocols)
        ]
    )


def _table(
    names: Sequence[str],
    rows: Mapping[str, Mapping[str, float]],
    title: str,
    notes: Sequence[str],
) -> Table:
    protocol = by_name(names[0])
    heads = [Column("")]
    for suffix in ("", ": sd"):
        for header in protocol.headers:
            name = header + suffix
            heads.append(
                Column(name, "percent", 2)
                if protocol.percent
                else Column(name, "figure", 4, signed=not suffix)
            )
    cells: list[list[Cell]] = [
        [
            label_of(row, rows),
            *(
                values.get(measure + suffix)
                for suffix in ("", "_sd")
                for measure in protocol.measures
            ),
        ]
        for row, values in rows.items()
    ]
    return Table(names[0], f"{' = '.join(names)}: {title}", heads, cells, notes).without_empty()


def _elsewhere(result: Result) -> str:
    """How many of the training videos other datasets gave."""
    counts = {
        name: sum(key.startswith(f"{name}/") for key in result.videos.train)
        for name in result.other_datasets
    }
    return (
        f" ({', '.join(f'{count} of {name}' for name, count in counts.items())})" if counts else ""
    )


def chosen_by(result: Result) -> str:
    """By what the epoch was chosen; nothing where no epoch was, or it is not known any more."""
    by = by_what(result, result.selection)
    return f", by {by}" if by else ""


def _chosen(result: Result) -> str:
    """Which epoch of what the table shows."""
    method, rule = result.method, RULES[result.selection]
    if not result.trained:
        if method.model in ZERO_SHOT:
            return f"the {method.model} alone, zero-shot: nothing is trained"
        return f"{method.model}, a baseline that costs nothing"
    tuned = f"the {method.model}, fine-tuned (LoRA); " if method.lora else ""
    looks = result.selection_looks
    look = f", look {result.rules[rule.name].look} of {looks}" if looks > 1 else ""
    return (
        f"{tuned}selection={rule.name}: epoch {result.epoch} of {result.epochs}{look},"
        f" {rule.meaning}{chosen_by(result)}{rule.remark}"
    )
