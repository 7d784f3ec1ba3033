"""`llmvs plot`: pictures of finished experiments for a paper."""

import argparse
from pathlib import Path

from llmvs.commands._arguments import add_folds_and_seeds, add_rule
from llmvs.errors import UserError, require_package

SUMMARY = "pictures of finished experiments: intervals of all rows, training and score curves"
KINDS = ("forest", "training", "scores")
FORMATS = ("png", "pdf", "svg")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument(
        "settings",
        nargs="+",
        metavar="RUNS",
        help="folders of experiments, such as runs/summe runs/summe-mlp, or of single runs; then"
        " data.root=DIR or cache=DIR where they are not where they were",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="where the pictures go (default: plots in the folder of each experiment)",
    )
    parser.add_argument(
        "--kind",
        action="append",
        choices=KINDS,
        help="draw only this; may be given again. forest: tau and rho with intervals; training:"
        " curves by epoch; scores: test videos of an experiment's first run (default: all)",
    )
    parser.add_argument(
        "--format",
        action="append",
        choices=FORMATS,
        help="may be given again (default: png and pdf)",
    )
    parser.add_argument(
        "--reference",
        metavar="NAME",
        help="the experiment that the others are compared with (default: the first)",
    )
    add_rule(parser)
    add_folds_and_seeds(parser, "all there are", "all there are", "which seeds")
    parser.add_argument(
        "--partial",
        action="store_true",
        help="of unfinished experiments draw the folds and seeds that all of them have finished",
    )


def call(given: argparse.Namespace) -> None:
    """Draw, and print the files."""
    require_package("matplotlib", "plot", "llmvs plot")
    from llmvs.config.load import chosen, is_override
    from llmvs.files import is_there

    moved = [one for one in given.settings if is_override(one) and not is_there(one)]
    places = chosen(moved, {"data.root": "", "cache": ""})
    folders = [Path(one) for one in given.settings if one not in moved]
    if not folders:
        raise UserError("name the folder of an experiment, such as runs/summe")
    from llmvs.experiments.pictures import Request, plot
    from llmvs.results.folders import Wanted

    request = Request(
        given.kind or KINDS,
        given.format or FORMATS[:2],
        given.rule,
        given.reference,
        given.output,
        [f"{key}={place}" for key, place in places.items() if place],
    )
    wanted = Wanted(given.folds, given.seeds, partial=given.partial)
    for path in plot(folders, request, wanted):
        print(path, flush=True)
