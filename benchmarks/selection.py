"""Compare ways to choose an epoch: rows of experiments on the same videos, each against the first.

    python benchmarks/selection.py runs/A:last runs/A:val runs/A:val-by-loss runs/B:last

Every argument is an experiment's folder and a row of its results (`last`, `val`, `val-by-loss`,
`inner`, ...). Printed are, per protocol, the mean tau with its interval over videos, the paired
difference to the first row, and the noise of the choice: the standard deviation over seeds of a
fold's tau, pooled over folds.
"""

import argparse
from pathlib import Path

import numpy as np

from llmvs.errors import UserError
from llmvs.evaluation.bootstrap import paired_difference
from llmvs.results.experiment import Experiment, experiment
from llmvs.results.schema import RESULT, read_result
from llmvs.results.tables import Cell, Column, Kind, Table, text

COLUMNS = ("tau", "tau: 95 %", "difference", "difference: 95 %", "p", "sd over seeds")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("rows", nargs="+", metavar="EXPERIMENT:ROW")
    parser.add_argument("--protocols", default="per_annotator,paper")
    parser.add_argument("--seeds", help="only these, as in 0,1")
    given = parser.parse_args()
    seeds = {int(seed) for seed in given.seeds.split(",")} if given.seeds else None
    rows = [(name, *_read(name, seeds)) for name in given.rows]
    tables = [_table(rows, protocol) for protocol in given.protocols.split(",")]
    print(text(tables))


def seed_noise(found: Experiment, row: str, protocol: str) -> float:
    """The standard deviation over seeds of a fold's mean tau, pooled over folds."""
    variances = []
    for fold in found.folds:
        taus = [
            np.mean(
                [values[0] for values in found.runs[fold, seed].per_video[row][protocol].values()]
            )
            for seed in found.seeds
        ]
        variances.append(np.var(taus, ddof=1))
    return float(np.sqrt(np.mean(variances)))


def _read(name: str, seeds: set[int] | None) -> tuple[Experiment, str]:
    folder, _, row = name.rpartition(":")
    places = sorted(Path(folder).glob(f"fold*/seed*/{RESULT}"))
    results = [read_result(place) for place in places]
    found = experiment(name, [one for one in results if seeds is None or one.seed in seeds])
    if row not in found.rows:
        raise UserError(f"{name}: has no row {row}: {', '.join(found.rows)}")
    return found, row


def _table(rows: list[tuple[str, Experiment, str]], protocol: str) -> Table:
    _, first, first_row = rows[0]
    base = first.row(first_row, protocol)
    lines: list[list[Cell]] = []
    for name, found, row in rows:
        mine = found.row(row, protocol)
        mean = mine.mean(0)
        compared: list[Cell] = [None, None, None]
        if name != rows[0][0]:
            one = paired_difference(
                mine.values[:, :, 0], base.values[:, :, 0], weights=mine.weights
            )
            compared = [one.mean, (one.low, one.high), one.p]
        noise = seed_noise(found, row, protocol) if len(found.seeds) > 1 else None
        lines.append([name, mean.mean, (mean.low, mean.high), *compared, noise])
    kinds: tuple[Kind, ...] = ("figure", "figure", "figure", "figure", "p", "figure")
    columns = [
        Column(head, kind, signed=head.startswith("difference"))
        for head, kind in zip(COLUMNS, kinds, strict=True)
    ]
    seeds = ", ".join(map(str, first.seeds))
    return Table(protocol, f"{protocol}: seeds {seeds}", [Column(""), *columns], lines)


if __name__ == "__main__":
    main()
