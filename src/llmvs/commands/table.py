"""`llmvs table`: finished experiments beside each other."""

import argparse
from pathlib import Path

from llmvs.commands._arguments import add_folds_and_seeds, add_json, add_rule, print_document

SUMMARY = "a table of finished experiments, from their result.json files alone"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    add_json(parser)
    parser.add_argument(
        "settings",
        nargs="+",
        metavar="RUNS",
        help="folders of experiments, such as runs/summe runs/summe-mlp",
    )
    parser.add_argument(
        "--reference",
        metavar="NAME",
        help="the experiment that the others are compared with (default: the first)",
    )
    parser.add_argument(
        "--format",
        choices=("text", "markdown", "csv", "latex"),
        default="text",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--style",
        choices=("full", "short", "paper"),
        default="full",
        help="all columns, those of the first measure, or as papers print it: datasets beside each"
        " other, mean and deviation, the best in bold (default: %(default)s)",
    )
    parser.add_argument(
        "--protocol",
        action="append",
        default=[],
        metavar="NAME",
        help="only this protocol, such as per_annotator; may be given again (default: all)",
    )
    add_rule(parser)
    add_folds_and_seeds(parser, "all there are", "all there are", "which seeds")
    parser.add_argument(
        "--partial",
        action="store_true",
        help="of unfinished experiments show the folds and seeds that all of them have finished",
    )


def call(given: argparse.Namespace) -> None:
    """Read the results and print the table."""
    from llmvs.results.collect import collect
    from llmvs.results.folders import Wanted

    folders = [Path(folder) for folder in given.settings]
    wanted = Wanted(given.folds, given.seeds, given.protocol, given.partial)
    document, text = collect(
        folders, given.reference, given.rule, given.format, given.style, wanted
    )
    print_document(document, text, given.json)
