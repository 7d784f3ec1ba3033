"""A grid of variants from nothing to one table: `llmvs ablate`. Variants that differ in the head
alone share all extraction.
"""

import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmvs.config.schema import Config
from llmvs.datasets import Dataset
from llmvs.experiments.absence import nothing_of_any
from llmvs.experiments.crossval import SUMMARY, experiment_folder, runs_of, summary
from llmvs.experiments.grids import Grid, GridRow, load_grid
from llmvs.experiments.many import run_all
from llmvs.experiments.opening import open_dataset
from llmvs.experiments.run import finished
from llmvs.files import write_json, write_text
from llmvs.results.comparison import comparison
from llmvs.results.experiment import experiment
from llmvs.results.latex import latex
from llmvs.results.notes import Contender
from llmvs.results.paper import paper_tables
from llmvs.results.tables import Table, markdown, plain, text, to_csv
from llmvs.training.launch import refuse_ranks

logger = logging.getLogger(__name__)


def ablate(
    name: str,
    settings: Sequence[str],
    folds: Sequence[int] | None = None,
    seeds: Sequence[int] | None = None,
    rule: str | None = None,
) -> tuple[dict[str, Any], str]:
    """Run every row of a grid on every fold with every seed, and write its table and plot into
    `runs/ablation-GRID-DATASET`.

    The rows' runs are those of `llmvs crossval` with the same layers, so what either has finished
    the other reuses. A row that reads what there is of no video, such as clips where only captions
    are at hand, is left out, and a note says so; the reference is not.

    Args:
        name: of the grid, or the path of its file.
        settings: YAML layers and overrides that all rows share.
        folds: None: all of the dataset's.
        seeds: None: that of the settings.
        rule: which epoch is shown; None: the rows' own `selection`.

    Returns:
        What the table holds, as a document and as text.

    Raises:
        UserError: a mistake in the grid or the settings, before anything is computed; afterwards as
            `train`.
    """
    grid = load_grid(name)
    configs = grid.configs(settings)
    refuse_ranks(configs[0].num_nodes)
    dataset = open_dataset(configs[0])
    every = [runs_of(config, dataset, folds, seeds) for config in configs]
    made, notes = _possible(grid, every, dataset)
    documents = run_all([run for _, runs in made for run in runs], dataset)
    rows = []
    for line, runs in made:
        config = configs[grid.rows.index(line)]
        found = experiment(config.experiment, documents[: len(runs)])
        documents = documents[len(runs) :]
        write_json(experiment_folder(config) / SUMMARY, summary(found))
        rows.append(Contender(line.label, found, line.published))
    compared = comparison(rows, grid.reference, rule, grid.title)
    tables = [table.remarked(notes) for table in compared]
    folder = Path(configs[0].runs) / f"ablation-{grid.name}-{dataset.name}"
    title = tables[0].heading
    paper = [table.remarked(notes) for table in paper_tables([rows], rule, grid.title)]
    _write(folder, title, tables, paper)
    document = {
        "grid": grid.name,
        "title": title,
        "folder": str(folder),
        "experiments": [row.experiment.name for row in rows],
        "tables": [plain(table) for table in tables],
    }
    return document, f"{text(tables)}\n\ntable and plot: {folder}"


def _possible(
    grid: Grid, every: Sequence[list[Config]], dataset: Dataset
) -> tuple[list[tuple[GridRow, list[Config]]], list[str]]:
    """The rows that can be made or are there, with their runs, and a note of each other one."""
    made, notes = [], []
    for row, runs in zip(grid.rows, every, strict=True):
        reason = None if row.label == grid.reference else nothing_of_any(runs[0], dataset)
        if reason and any(finished(run) is None for run in runs):
            notes.append(f"Left out: {row.label} ({reason}).")
            logger.warning("note: %s: left out: %s", row.label, reason)
        else:
            made.append((row, runs))
    return made, notes


def _write(folder: Path, title: str, tables: Sequence[Table], paper: Sequence[Table]) -> None:
    shorter = [table.short() for table in tables]
    for name, found in (("table", tables), ("short", shorter), ("paper", paper)):
        write_text(folder / f"{name}.md", markdown(found))
        write_text(folder / f"{name}.csv", to_csv(found))
        write_text(folder / f"{name}.tex", latex(found))
    if importlib.util.find_spec("matplotlib"):
        from llmvs.results.plots import draw

        draw(tables, title, folder / "plot.png", folder / "plot.svg")
    else:
        logger.warning("no plot: it needs matplotlib (pip install 'llmvs[plot]')")
