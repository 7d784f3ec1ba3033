"""One model of a table, and its forms as text for the screen, Markdown and CSV. Figures are rounded
but in CSV. `llmvs.results.latex` has the fourth form.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Kind = Literal["text", "figure", "percent", "p"]
"""Words, a plain number, a share that is shown in per cent, a p-value."""
ROW = "row"
"""What the CSV calls the column of the rows' labels, which has no name elsewhere."""
SHORT = ("difference", "difference: 95 %", "p", "published tau")
"""What a short table has behind the first measure."""


@dataclass(frozen=True)
class Estimate:
    """A mean and its standard deviation in one cell."""

    mean: float
    sd: float | None
    """None: there is none, as of one seed."""


Cell = str | float | tuple[float, float] | Estimate | None
"""Text, a number, the two ends of an interval, a mean with its deviation, or nothing. NaN is shown
as undefined.
"""


@dataclass(frozen=True)
class Column:
    """A heading, and how the numbers below it are written."""

    name: str
    kind: Kind = "text"
    digits: int | None = None
    """Decimals of its numbers; None: 3, of a percentage 1."""
    signed: bool = False
    """Whether a plus stands before what is above 0."""
    group: str = ""
    """What it shares with its neighbours; LaTeX writes it once above them. A name that begins with
    it is shortened there."""


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
    remarks: Sequence[str] = ()
    """Notes on where the rows are from, before the others; LaTeX has them as comments."""
    heading: str = ""
    """Of what the figures are, in one line; neighbours that have the same say it once."""
    about: Mapping[str, str] = field(default_factory=dict)
    """The same as columns of the CSV, which stand before all others: `dataset`, `folds`, ..."""
    blocks: Sequence[int] = ()
    """The rows above which a line is drawn."""
    best: frozenset[tuple[int, int]] = frozenset()
    """(row, column) of the cells that are emphasized."""

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

    def remarked(self, remarks: Sequence[str]) -> "Table":
        """The table with more remarks."""
        return replace(self, remarks=[*self.remarks, *remarks])

    def _only(self, which: Iterable[int]) -> "Table":
        kept = list(which)
        return replace(
            self,
            columns=[self.columns[i] for i in kept],
            rows=[[row[i] for i in kept] for row in self.rows],
            best=frozenset(
                (row, kept.index(column)) for row, column in self.best if column in kept
            ),
        )


def text(tables: Sequence[Table]) -> str:
    """Aligned columns for the screen; a note that all tables have is said once, best cells have a
    star.
    """
    parts = [_aligned(table) for table in tables]
    notes = "\n".join(notes_of(tables))
    return "\n\n".join([*_headed(tables, parts, "{}"), *_last(notes)])


def markdown(tables: Sequence[Table]) -> str:
    """GitHub's tables under headings."""
    parts = []
    for table in tables:
        align = ["---" if column.kind == "text" else "---:" for column in table.columns]
        cells = [
            [_bold(_markdown(cell)) if best else _markdown(cell) for cell, best in row]
            for row in _marked(table)
        ]
        rows = [[_markdown(column.name) for column in table.columns], align, *cells]
        parts.append(f"### {_markdown(table.title)}\n\n" + "\n".join(map(_piped, rows)))
    notes = "\n".join(f"* {_markdown(note)}" for note in notes_of(tables))
    return "\n\n".join([*_headed(tables, parts, "## {}", _markdown), *_last(notes)]) + "\n"


def to_csv(tables: Sequence[Table]) -> str:
    """One header and all rows in full precision. An interval takes two columns, and so does a mean
    with its deviation; what is undefined or absent is empty.
    """
    parts = _parts(tables)
    about = dict.fromkeys(name for table in tables for name in table.about)
    names = [(name or ROW) + part for name, ends in parts.items() for part in ends]
    fields = [*about, "table", *names]
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, restval="", lineterminator="\n")
    writer.writeheader()
    for table in tables:
        for row in table.rows:
            written = {**table.about, "table": table.name}
            for column, cell in zip(table.columns, row, strict=True):
                for end, value in zip(parts[column.name], _values(cell, column), strict=False):
                    written[(column.name or ROW) + end] = value
            writer.writerow(written)
    return out.getvalue()


def _values(cell: Cell, column: Column) -> list[str]:
    """A cell as the CSV has it, in one or two parts; a share in per cent, as elsewhere."""
    if isinstance(cell, str):
        return [cell]
    parts = (cell.mean, cell.sd) if isinstance(cell, Estimate) else cell
    numbers = parts if isinstance(parts, tuple) else (parts,)
    scale = 100 if column.kind == "percent" else 1
    return [_full(None if number is None else scale * number) for number in numbers]


def _parts(tables: Sequence[Table]) -> dict[str, tuple[str, ...]]:
    """Column -> what is added to its name in the fields of the CSV that it takes."""
    found: dict[str, tuple[str, ...]] = {}
    for table in tables:
        for i, column in enumerate(table.columns):
            cells = [row[i] for row in table.rows]
            if any(isinstance(cell, tuple) for cell in cells):
                found[column.name] = (" low", " high")
            elif any(isinstance(cell, Estimate) for cell in cells):
                found[column.name] = ("", ": sd")
            else:
                found.setdefault(column.name, ("",))
    return found


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
    if isinstance(cell, Estimate):
        deviation = "" if cell.sd is None else f" ± {shown(cell.sd, replace(column, signed=False))}"
        return shown(cell.mean, column) + ("" if math.isnan(cell.mean) else deviation)
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


def plain(table: Table) -> dict[str, Any]:
    """A table as plain values for JSON."""
    return {
        "name": table.name,
        "title": table.title,
        "heading": table.heading,
        "about": dict(table.about),
        "columns": [column.name for column in table.columns],
        "rows": [
            [asdict(cell) if isinstance(cell, Estimate) else cell for cell in row]
            for row in table.rows
        ],
        "notes": [*table.remarks, *table.notes],
    }


def grouped(blocks: Mapping[str, Any]) -> list[list[str]]:
    """The names of equal blocks together, in order; what is undefined in both is equal.

    >>> grouped({"paper": [1.0, float("nan")], "f1": [2.0], "per_annotator": [1.0, float("nan")]})
    [['paper', 'per_annotator'], ['f1']]
    """
    groups: dict[str, list[str]] = {}
    for name, block in blocks.items():
        groups.setdefault(repr(block), []).append(name)
    return list(groups.values())


def notes_of(tables: Sequence[Table]) -> list[str]:
    """The remarks and notes of some tables, each once."""
    every = [table.remarks for table in tables] + [table.notes for table in tables]
    return list(dict.fromkeys(note for notes in every for note in notes))


def _marked(table: Table) -> list[list[tuple[str, bool]]]:
    """Every cell as people read it, and whether it is emphasized."""
    return [
        [
            (shown(cell, column), (i, j) in table.best)
            for j, (column, cell) in enumerate(zip(table.columns, row, strict=True))
        ]
        for i, row in enumerate(table.rows)
    ]


def _headed(
    tables: Sequence[Table],
    parts: Sequence[str],
    form: str,
    escaped: Callable[[str], str] = str,
) -> list[str]:
    """The written tables, with a heading above each that has not its neighbour's."""
    found, last = list[str](), ""
    for table, part in zip(tables, parts, strict=True):
        found += [form.format(escaped(table.heading))] if table.heading != last else []
        found.append(part)
        last = table.heading
    return found


def _bold(written: str) -> str:
    return f"**{written}**"


def _last(part: str) -> list[str]:
    return [part] if part else []


def _aligned(table: Table) -> str:
    rows = [
        [column.name for column in table.columns],
        *([cell + "*" * best for cell, best in row] for row in _marked(table)),
    ]
    for j in range(len(table.columns)):
        _justify(rows, j)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = [column.kind == "text" for column in table.columns]
    lines = [
        "  ".join(
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(row, widths, left, strict=True)
        )
        for row in rows
    ]
    for i in sorted(table.blocks, reverse=True):
        lines.insert(i + 1, "-" * len(lines[0]))
    return "\n".join([table.title, *(f"  {line}".rstrip() for line in lines)])


def _justify(rows: list[list[str]], j: int) -> None:
    """Put means below each other where some of a column have a deviation or a star behind them."""
    if any(row[j].endswith("*") for row in rows[1:]):
        for row in rows[1:]:
            row[j] += "" if row[j].endswith("*") else " "
    tail = max((len(row[j]) - row[j].find(" ±") for row in rows[1:] if " ±" in row[j]), default=0)
    for row in rows[1:]:
        if tail and row[j].strip() and " ±" not in row[j]:
            star = row[j].endswith("*")
            row[j] = row[j].rstrip("* ") + "*" * star
            row[j] += " " * (tail - star)


def _full(number: float | None) -> str:
    return "" if number is None or math.isnan(number) else repr(float(number))


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown(value: str) -> str:
    """Text that Markdown shows as it is, inside a table too."""
    return re.sub(r"([\\|*_`\[\]<>#])", r"\\\1", " ".join(value.split()))
