"""`llmvs table`: a table of experiments that are finished, from what their runs left and nothing
else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmvs.errors import UserError, nearest
from llmvs.results.comparison import comparison
from llmvs.results.experiment import Experiment
from llmvs.results.folders import Wanted, read_groups
from llmvs.results.latex import latex
from llmvs.results.meaning import Row, rows_of
from llmvs.results.notes import Contender
from llmvs.results.paper import paper_tables
from llmvs.results.published import published_name
from llmvs.results.tables import Table, markdown, plain, text, to_csv

STYLES = ("full", "short", "paper")
"""All columns; those of the first measure; as papers print it, datasets beside each other."""
FORMS = {"text": text, "markdown": markdown, "csv": to_csv, "latex": latex}


def collect(
    folders: Sequence[Path],
    reference: str | None = None,
    rule: str | None = None,
    form: str = "text",
    style: str = "full",
    wanted: Wanted | None = None,
) -> tuple[dict[str, Any], str]:
    """Compare experiments, one row each; those of one dataset in one table.

    Args:
        folders: `runs/EXPERIMENT`.
        reference: name of the experiment that the others are compared with; None: the first.
        rule: which epoch is shown; None: the one that each experiment selected.
        form: one of `FORMS`.
        style: one of `STYLES`.
        wanted: which of their runs; None: all.

    Returns:
        What the table holds, as a document and in the form asked for.

    Raises:
        UserError: nothing finished in any folder, or results that do not belong in one table.
    """
    groups, notes = read_groups(folders, wanted)
    named = [contenders(group.experiments) for group in groups]
    rows = [mine for mine, _ in named]
    check_reference(reference, [row for group in rows for row in group])
    said = [*notes, *(note for _, more in named for note in more)]
    parts = [group.part for group in groups]
    if style == "paper":
        tables = paper_tables(rows, rule, parts=parts)
    else:
        tables = [
            table.short() if style == "short" else table
            for part, mine in zip(parts, rows, strict=True)
            for table in comparison(mine, reference_in(mine, reference), rule, part=part)
        ]
    tables = [table.remarked(said) for table in tables]
    return document(tables), FORMS[form](tables).rstrip("\n")


def document(tables: Sequence[Table]) -> dict[str, Any]:
    """What some tables hold, as one document."""
    return {"title": tables[0].heading, "tables": [plain(table) for table in tables]}


def contenders(experiments: Sequence[Experiment]) -> tuple[list[Contender], list[str]]:
    """The rows of experiments on one dataset, and notes on what they are."""
    rows, notes = rows_of(experiments)
    return [_contender(row) for row in rows], notes


def _contender(row: Row) -> Contender:
    found = row.experiment
    by_name = published_name(found.one.dataset, found.name)
    return Contender(row.label, found, row.published or by_name)


def _names(row: Contender) -> tuple[str, str]:
    return row.label, row.experiment.name


def reference_in(rows: Sequence[Contender], reference: str | None) -> str | None:
    """The reference among the rows of one dataset; None: the first of them, where it is not."""
    return reference if any(reference in _names(row) for row in rows) else None


def check_reference(reference: str | None, rows: Sequence[Contender]) -> None:
    """Refuse a reference that is no row.

    Raises:
        UserError: it is none.
    """
    known = [name for row in rows for name in _names(row)]
    if reference is not None and reference not in known:
        raise UserError(f"--reference {reference}: no such row{nearest(reference, known)}")
