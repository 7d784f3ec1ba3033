"""One model of a table and its four forms: text for the screen, Markdown, CSV and LaTeX. Figures
are rounded but in CSV.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Kind = Literal["text", "figure", "percent", "p"]
"""Words, a plain number, a share that is shown in per cent, a p-value."""
SHORT = ("difference", "difference: 95 %", "p", "published tau")
"""What a short table has behind the first measure."""
Cell = str | float | tuple[float, float] | None
"""Text, a number, the two ends of an interval, or nothing. NaN is shown as undefined."""


@dataclass(frozen=True)
class Column:
    """A heading, and how the numbers below it are written."""

    name: str
    kind: Kind = "text"
    digits: int | None = None
    """Decimals of its numbers; None: 3, of a percentage 1."""
    signed: bool = False
    """Whether a plus stands before what is above 0."""


@dataclass(frozen=True)
class Table:
    """Rows under columns, with a title above and notes below."""

    name: str
    """A word that tells it from its neighbours, such as the protocol; the first column of the CSV.
    """
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"a row of {len(row)} cells under {len(self.columns)} columns: {row}"
                )

    def without_empty(self) -> "Table":
        """The table without the columns in which no row has anything."""
        return self._only(
            i for i in range(len(self.columns)) if any(row[i] is not None for row in self.rows)
        )

    def short(self) -> "Table":
        """The table no wider than a screen: of the first measure alone, without deviations."""
        measures = [i for i, column in enumerate(self.columns) if column.kind != "text"]
        first = self.columns[measures[0]].name if measures else ""
        names = {first, f"{first}: 95 %", *SHORT}
        return self._only(
            i for i, column in enumerate(self.columns) if i == 0 or column.name in names
        )

    def noted(self, notes: Sequence[str]) -> "Table":
        """The table with more notes, before those it has."""
        return replace(self, notes=[*notes, *self.notes])

    def _only(self, which: Iterable[int]) -> "Table":
        kept = list(which)
        return Table(
            self.name,
            self.title,
            [self.columns[i] for i in kept],
            [[row[i] for i in kept] for row in self.rows],
            self.notes,
        )


def text(tables: Sequence[Table]) -> str:
    """Aligned columns for the screen; a note that all tables have is said once."""
    return "\n\n".join([*(_aligned(table) for table in tables), *_last("\n".join(_notes(tables)))])


def markdown(tables: Sequence[Table]) -> str:
    """GitHub's tables under headings."""
    parts = []
    for table in tables:
        align = ["---" if column.kind == "text" else "---:" for column in table.columns]
        rows = [[column.name for column in table.columns], *_strings(table)]
        lines = [_piped([_markdown(cell) for cell in row]) for row in rows]
        parts.append(
            f"### {_markdown(table.title)}\n\n" + "\n".join([lines[0], _piped(align), *lines[1:]])
        )
    notes = "\n".join(f"* {_markdown(note)}" for note in _notes(tables))
    return "\n\n".join([*parts, *_last(notes)]) + "\n"


def to_csv(tables: Sequence[Table]) -> str:
    """One header and all rows in full precision; an interval takes two columns, what is undefined
    or absent is empty.
    """
    columns = list(dict.fromkeys(column.name for table in tables for column in table.columns))
    intervals = {
        table.columns[i].name
        for table in tables
        for row in table.rows
        for i, cell in enumerate(row)
        if isinstance(cell, tuple)
    }
    fields = [
        "table",
        *(
            field
            for name in columns
            for field in ([f"{name} low", f"{name} high"] if name in intervals else [name])
        ),
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, restval="", lineterminator="\n")
    writer.writeheader()
    for table in tables:
        for row in table.rows:
            written: dict[str, str] = {"table": table.name}
            for column, cell in zip(table.columns, row, strict=True):
                if isinstance(cell, tuple):
                    written |= {
                        f"{column.name} low": _full(cell[0]),
                        f"{column.name} high": _full(cell[1]),
                    }
                elif column.name not in intervals:
                    written[column.name] = cell if isinstance(cell, str) else _full(cell)
            writer.writerow(written)
    return out.getvalue()


def latex(tables: Sequence[Table]) -> str:
    """A `table` environment each, with rules of the package booktabs and the notes below."""
    parts = []
    for table in tables:
        spec = "".join("l" if column.kind == "text" else "r" for column in table.columns)
        rows = [[column.name for column in table.columns], *_strings(table)]
        lines = [" & ".join(_latex(cell) for cell in row) + r" \\" for row in rows]
        notes = [r"\par\smallskip\footnotesize " + _latex(note) for note in table.notes]
        parts.append(
            "\n".join(
                [
                    r"\begin{table}",
                    r"\centering",
                    rf"\caption{{{_latex(table.title)}}}",
                    rf"\begin{{tabular}}{{{spec}}}",
                    r"\toprule",
                    lines[0],
                    r"\midrule",
                    *lines[1:],
                    r"\bottomrule",
                    r"\end{tabular}",
                    *notes,
                    r"\end{table}",
                ]
            )
        )
    return "% needs \\usepackage{booktabs}\n" + "\n\n".join(parts) + "\n"


def shown(cell: Cell, column: Column) -> str:
    """A cell as people read it.

    >>> shown(0.25321, Column("tau", "figure")), shown(0.00004, Column("p", "p"))
    ('0.253', '< 0.001')
    >>> shown((-0.01, 0.2), Column("difference", "figure", signed=True))
    '-0.010 to +0.200'
    >>> shown((-math.inf, math.inf), Column("difference"))  # five videos refuse nothing
    'unbounded'
    """
    if cell is None or isinstance(cell, str):
        return cell or ""
    if isinstance(cell, tuple):
        if any(math.isinf(end) for end in cell):
            return "unbounded"
        low, high = (shown(end, column) for end in cell)
        return "undefined" if "undefined" in (low, high) else f"{low} to {high}"
    if math.isnan(cell):
        return "undefined"
    if column.kind == "p":
        return "< 0.001" if cell < 0.001 else f"{cell:.3f}"
    percent = column.kind == "percent"
    digits = column.digits if column.digits is not None else 1 if percent else 3
    return f"{100 * cell if percent else cell:{'+' if column.signed else ''}.{digits}f}"


def grouped(blocks: Mapping[str, Any]) -> list[list[str]]:
    """The names of equal blocks together, in order; what is undefined in both is equal.

    >>> grouped({"paper": [1.0, float("nan")], "f1": [2.0], "per_annotator": [1.0, float("nan")]})
    [['paper', 'per_annotator'], ['f1']]
    """
    groups: dict[str, list[str]] = {}
    for name, block in blocks.items():
        groups.setdefault(repr(block), []).append(name)
    return list(groups.values())


def _strings(table: Table) -> list[list[str]]:
    return [
        [shown(cell, column) for column, cell in zip(table.columns, row, strict=True)]
        for row in table.rows
    ]


def _notes(tables: Sequence[Table]) -> list[str]:
    return list(dict.fromkeys(note for table in tables for note in table.notes))


def _last(part: str) -> list[str]:
    return [part] if part else []


def _aligned(table: Table) -> str:
    rows = [[column.name for column in table.columns], *_strings(table)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = [column.kind == "text" for column in table.columns]
    lines = [
        "  ".join(
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(row, widths, left, strict=True)
        )
        for row in rows
    ]
    return "\n".join([table.title, *(f"  {line}".rstrip() for line in lines)])


def _full(number: float | None) -> str:
    return "" if number is None or math.isnan(number) else repr(float(number))


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown(value: str) -> str:
    """Text that Markdown shows as it is, inside a table too."""
    return re.sub(r"([\\|*_`\[\]<>#])", r"\\\1", " ".join(value.split()))


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def _latex(value: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(value.split()))
