r"""Write tables for LaTeX: a `table` environment each, with the packages booktabs and graphicx.

A table that is wider than the text is made as wide as the text, and no other is made smaller.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from llmvs.results.tables import Cell, Column, Estimate, Table, shown

PACKAGES = "% needs \\usepackage{booktabs} and \\usepackage{graphicx}"
FITTED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""Smaller where it is wider than a line, otherwise as it is."""
SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "†": r"$\dagger$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
"""What means something else to LaTeX, or nothing to a font of it."""
PLUS_MINUS = r" $\pm$ "
WORDS = {"tau": r"$\tau$", "rho": r"$\rho$"}
"""How the name of a column is set."""


def latex(tables: Sequence[Table]) -> str:
    """A `table` environment each: heading and title are the caption, the notes stand below.

    Remarks are comments.
    """
    return PACKAGES + "\n" + "\n\n".join(map(_environment, tables)) + "\n"


def escaped(value: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(SIGNS.get(sign, sign) for sign in " ".join(value.split()))


def _environment(table: Table) -> str:
    spec = "".join("l" if column.kind == "text" else "r" for column in table.columns)
    caption = ". ".join(part for part in (table.title, table.heading) if part)
    notes = [
        rf"\par\smallskip{{\raggedright\scriptsize {escaped(one)}\par}}" for one in table.notes
    ]
    return "\n".join(
        [
            *(f"% {' '.join(remark.split())}" for remark in table.remarks),
            r"\begin{table}[t]",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}\smallskip",
            r"\footnotesize\setlength{\tabcolsep}{4pt}",
            FITTED,
            rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
            r"\toprule",
            *_head(table.columns),
            r"\midrule",
            *_body(table),
            r"\bottomrule",
            r"\end{tabular}}",
            *notes,
            r"\end{table}",
        ]
    )


def _head(columns: Sequence[Column]) -> list[str]:
    """The names of the columns, with what neighbours share above them."""
    names = [_name(column) for column in columns]
    if not any(column.group for column in columns):
        return [_row(names)]
    above, lines, first = list[str](), list[str](), 1
    for group, members in groupby(columns, key=lambda column: column.group):
        n = len(list(members))
        above.append(
            rf"\multicolumn{{{n}}}{{c}}{{{_word(group)}}}" if group else " & ".join([""] * n)
        )
        lines += [rf"\cmidrule(lr){{{first}-{first + n - 1}}}"] if group else []
        first += n
    centred = [
        name if column.kind == "text" else rf"\multicolumn{{1}}{{c}}{{{name}}}"
        for name, column in zip(names, columns, strict=True)
    ]
    return [_row(above), " ".join(lines), _row(centred)]


def _name(column: Column) -> str:
    """A column's name without what stands above it: `tau: sd` below `tau` is `sd`."""
    if not column.group:
        return _word(column.name)
    if column.name == column.group:
        return "mean" if column.kind != "text" else ""
    return _word(column.name.removeprefix(column.group).lstrip(": "))


def _word(name: str) -> str:
    return WORDS.get(name, escaped(name))


def _body(table: Table) -> Iterator[str]:
    widest = [
        max((_deviation(row[j], column) for row in table.rows), key=len)
        for j, column in enumerate(table.columns)
    ]
    for i, row in enumerate(table.rows):
        if i in table.blocks:
            yield r"\midrule"
        yield _row(
            [
                _cell(cell, column, (i, j) in table.best) + _room(cell, column, widest[j])
                for j, (column, cell) in enumerate(zip(table.columns, row, strict=True))
            ]
        )


def _cell(cell: Cell, column: Column, best: bool) -> str:
    """A cell, an interval as [low, high], what is best in bold."""
    written = escaped(shown(cell, column))
    if isinstance(cell, (str, type(None))):
        return written
    if isinstance(cell, tuple) and " to " in written:
        written = "[{}, {}]".format(*written.split(" to "))
    if best:
        mean, sign, sd = written.partition(PLUS_MINUS)
        written = rf"\textbf{{{mean}}}{sign}{sd}"
    return re.sub(r"-(?=\d)", "$-$", written)  # a minus, no hyphen


def _deviation(cell: Cell, column: Column) -> str:
    """What stands behind the mean in a cell."""
    if not isinstance(cell, Estimate):
        return ""
    return "".join(escaped(shown(cell, column)).partition(PLUS_MINUS)[1:])


def _room(cell: Cell, column: Column, widest: str) -> str:
    """What keeps a mean without deviation below those with one."""
    alone = isinstance(cell, (float, Estimate)) and not _deviation(cell, column)
    return rf"\phantom{{{widest}}}" if widest and alone else ""


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
