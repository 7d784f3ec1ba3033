"""`llmvs sweep`: a W&B sweep file, with or without W&B."""

import argparse

from llmvs.commands._arguments import add_json, at_least_one, print_document

SUMMARY = "run a W&B sweep file on this machine, without W&B: a grid, or a search of a space"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    add_json(parser)
    parser.add_argument(
        "file", metavar="SWEEP", help="a name in sweeps, or the path of a sweep's file"
    )
    parser.add_argument(
        "--runs",
        type=at_least_one,
        metavar="N",
        help="most points, each on all its folds (default: a whole grid, 10 points of a space)",
    )
    parser.add_argument(
        "--create", action="store_true", help="create the sweep on W&B instead, for its agents"
    )
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="SETTING",
        help="for all points; a dataset's name or key=value fixes the parameter of that name",
    )


def call(given: argparse.Namespace) -> None:
    """Run the points, or create the sweep on W&B and print its id."""
    from llmvs.config.layers import find_file
    from llmvs.errors import require_package

    path = find_file(given.file, "sweeps", "sweep")
    if given.create:
        require_package("wandb", "wandb", "creating a sweep (without --create it runs here)")
    from llmvs.experiments.sweep import create, sweep

    if given.create:
        print(create(path, given.settings), flush=True)
    else:
        print_document(*sweep(path, given.settings, given.runs), given.json)
