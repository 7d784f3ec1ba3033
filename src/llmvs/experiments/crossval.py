"""All folds with several seeds, and what they say together: `llmvs crossval`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmvs.config.load import run_folder
from llmvs.config.schema import Config
from llmvs.datasets import Dataset
from llmvs.errors import UserError
from llmvs.evaluation.protocols import by_name
from llmvs.experiments.many import run_all
from llmvs.experiments.opening import open_dataset
from llmvs.files import write_json
from llmvs.results.comparison import rule_tables
from llmvs.results.experiment import Experiment, VideosBySeeds, experiment
from llmvs.results.heading import heading
from llmvs.results.labels import BASELINES
from llmvs.results.tables import plain, text
from llmvs.training.launch import refuse_ranks

SUMMARY = "crossval.json"


def crossval(
    config: Config, folds: Sequence[int] | None = None, seeds: Sequence[int] | None = None
) -> tuple[dict[str, Any], str]:
    """Train and evaluate every fold with every seed, as `train` would, and write
    `runs/EXPERIMENT/crossval.json`.

    One training per fold and seed gives all rules that choose an epoch: with `selection=val` (the
    default) videos of the training part are held out, and `last`, `val` and `test` are read off the
    same epochs.

    Args:
        config: the runs; its `fold` is not used, its `devices` is how many runs are done side by
            side.
        folds: None: all of the dataset's.
        seeds: None: that of `config`.

    Returns:
        The content of crossval.json, and the table as text.

    Raises:
        UserError: as `train`. What is finished by then is not repeated by the same command.
    """
    refuse_ranks(config.num_nodes)
    dataset = open_dataset(config)
    found = experiment(config.experiment, run_all(runs_of(config, dataset, folds, seeds), dataset))
    document = summary(found)
    write_json(experiment_folder(config) / SUMMARY, document)
    return (
        document,
        f"{heading(found)}\n\n{text(rule_tables(found))}\n\nruns: {experiment_folder(config)}",
    )


def runs_of(
    config: Config, dataset: Dataset, folds: Sequence[int] | None, seeds: Sequence[int] | None
) -> list[Config]:
    """The runs of an experiment, fold by fold.

    Raises:
        UserError: no folds or seeds, one of them twice, or one that no run can have.
    """
    folds = range(len(dataset.splits[config.data.splits])) if folds is None else folds
    seeds = [config.seed] if seeds is None else seeds
    for name, values in (("folds", folds), ("seeds", seeds)):
        if not values or len(set(values)) < len(values):
            raise UserError(
                f"{name}={','.join(map(str, values))}: expected different numbers, such as 0,1,2"
            )
    try:
        return [replace(config, fold=fold, seed=seed) for fold in folds for seed in seeds]
    except ValueError as error:  # a number beyond what the setting takes
        raise UserError(str(error)) from error


def experiment_folder(config: Config) -> Path:
    """`runs/EXPERIMENT`."""
    return run_folder(config).parent.parent


def summary(found: Experiment) -> dict[str, Any]:
    """The figures of an experiment as one JSON document: row -> mean, 95 % interval and sd over
    seeds of every measure.
    """
    one = found.one
    return {
        "format": 1,
        "experiment": found.name,
        "dataset": one.dataset,
        "synthetic": one.synthetic,
        "splits": one.splits,
        "folds": found.folds,
        "seeds": found.seeds,
        "protocols": {name: _protocol(found, name) for name in found.protocols},
        "tables": [plain(table) for table in rule_tables(found)],
    }


def _protocol(found: Experiment, protocol: str) -> dict[str, Any]:
    rows = {row: found.row(row, protocol) for row in found.rows_of(protocol)}
    rows |= {name: row for name in BASELINES if (row := found.baseline(name, protocol))}
    measures = by_name(protocol).measures
    return {
        name: {measure: _numbers(row, which) for which, measure in enumerate(measures)}
        for name, row in rows.items()
    }


def _numbers(row: VideosBySeeds, which: int) -> dict[str, float | None]:
    mean = row.mean(which)
    return {"mean": mean.mean, "low": mean.low, "high": mean.high, "sd": row.sd(which)}
