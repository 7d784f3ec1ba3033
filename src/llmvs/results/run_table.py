"""Tables as text: per protocol, one row per contender, with what chance and people reach below."""

from collections.abc import Mapping, Sequence
from math import isnan

from llmvs.evaluation.baselines import Figure
from llmvs.evaluation.measures import CORRELATIONS, MEASURES

UNTIED = "untied"
"""A frozen model's numbers, or anybody's coarse scores, judged again with their ties broken by
chance.
"""
TITLES = {
    "zero_shot": "LLM alone, zero-shot",
    "captioner_zero_shot": "Captioner alone, zero-shot",
    UNTIED: "The same, ties broken by chance",
    "random": "Random",
    "human_pairwise": "Human, one against another",
    "human_others": "Human, one against the mean of the others",
    "ceiling": "Ceiling, the annotators' own mean",
}
Rows = Mapping[str, Figure]
"""Row name -> figure; names that `TITLES` knows are spelled out."""


def text_table(
    blocks: Mapping[str, Rows], titles: Mapping[str, str], notes: Sequence[str] = ()
) -> str:
    """One block per protocol (blocks with the same rows are merged), then the notes.

    Args:
        blocks: protocol or measure -> row -> figure; measures are shown in per cent.
        titles: protocol -> what it compares, in one line.
        notes: lines that explain figures, shown below.
    """
    merged: list[tuple[list[str], Rows]] = []
    for name, rows in blocks.items():
        same = next(
            (names for names, other in merged if repr(other) == repr(rows)), None
        )  # an undefined figure is not equal to itself
        if same:
            same.append(name)
        else:
            merged.append(([name], rows))
    parts = [_block(names, rows, titles.get(names[0], "")) for names, rows in merged]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else [])])


def _block(names: Sequence[str], rows: Rows, title: str) -> str:
    percent = names[0] in MEASURES
    columns = MEASURES[names[0]].headers if percent else CORRELATIONS
    width = max(len(TITLES.get(row, row)) for row in rows)
    lines = [f"{' = '.join(names)}: {title}", f"  {'':{width}} {columns[0]:>8} {columns[1]:>8}"]
    for row, figure in rows.items():
        shown = (
            f"  {TITLES.get(row, row):{width}} {_number(figure.first, percent)}"
            f" {_number(figure.second, percent)}"
        )
        if figure.first_sd is not None and figure.second_sd is not None:
            shown += (
                f"   sd {_number(figure.first_sd, percent).strip(' +')}"
                f" {_number(figure.second_sd, percent).strip(' +')}"
            )
        lines.append(shown)
    return "\n".join(lines)


def _number(value: float, percent: bool) -> str:
    if isnan(value):
        return f"{'undefined':>8}"
    return f"{100 * value:8.2f}" if percent else f"{value:+8.4f}"
