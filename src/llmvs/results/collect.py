"""`llmvs table`: a table of experiments that are finished, from what their runs left and nothing
else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmvs.errors import UserError
from llmvs.results.comparison import Contender, comparison, heading, plain
from llmvs.results.experiment import read_experiment
from llmvs.results.published import published_name
from llmvs.results.tables import latex, markdown, text, to_csv

FORMS = {"text": text, "markdown": markdown, "csv": to_csv, "latex": latex}


def collect(
    folders: Sequence[Path],
    reference: str | None = None,
    rule: str | None = None,
    form: str = "text",
) -> tuple[dict[str, Any], str]:
    """Compare experiments, one row each.

    Args:
        folders: `runs/EXPERIMENT`, each with all folds of its seeds.
        reference: name of the experiment that the others are compared with; None: the first.
        rule: which epoch is shown; None: the one that each experiment selected.
        form: one of `FORMS`.

    Returns:
        What the table holds, as a document and in the form asked for.

    Raises:
        UserError: a folder without runs, an unfinished run, results that do not belong in one
            table.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError("a folder is named twice: every experiment is one row")
    rows = [
        Contender(found.name, found, published_name(found.one.dataset, found.name))
        for found in map(read_experiment, folders)
    ]
    tables = comparison(rows, reference, rule)
    title = heading(rows[0].experiment)
    written = FORMS[form](tables).rstrip("\n")
    document = {"title": title, "tables": [plain(table) for table in tables]}
    return document, f"{title}\n\n{written}" if form == "text" else written
