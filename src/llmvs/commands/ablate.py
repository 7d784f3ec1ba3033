"""`llmvs ablate`: a grid of variants."""

import argparse

from llmvs.commands._arguments import (
    add_folds_and_seeds,
    add_json,
    add_rule,
    add_settings,
    add_yes,
    print_document,
    settings_of_many,
)

SUMMARY = "run a grid of variants on all folds: one table beside the published figures, and a plot"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    add_json(parser)
    parser.add_argument(
        "grid", metavar="GRID", help="a name in configs/grid, or the path of a grid's file"
    )
    add_folds_and_seeds(parser)
    add_rule(parser)
    add_yes(parser)
    add_settings(parser)


def call(given: argparse.Namespace) -> None:
    """Run what is not finished of every row, and put the table together."""
    from llmvs.commands._checks import check_run
    from llmvs.config.layers import find_file

    find_file(given.grid, "configs/grid", "grid")  # at once, before numpy is imported
    from llmvs.experiments.costs import ask_first
    from llmvs.experiments.grids import load_grid

    settings = settings_of_many(given)
    for config in load_grid(given.grid).configs(settings):
        check_run(config, given.folds)
        ask_first(config, given.yes)
    from llmvs.experiments.ablation import ablate

    document, text = ablate(given.grid, settings, given.folds, given.seeds, given.rule)
    print_document(document, text, given.json)
