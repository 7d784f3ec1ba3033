"""`llmvs evaluate`: anybody's scores."""

import argparse
from pathlib import Path

from llmvs.commands._arguments import add_draws, add_json, add_settings, load, print_document

SUMMARY = "evaluate a file of scores beside chance and people"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    add_json(parser)
    parser.add_argument(
        "--scores",
        type=Path,
        required=True,
        action="append",
        metavar="FILE",
        help="JSON {video: [one number per step]}, or h5; several times: one row each, compared"
        " video by video with the first",
    )
    parser.add_argument(
        "--per",
        choices=("step", "frame"),
        default="step",
        help="what there is one score for (of frames, those at the steps count)",
    )
    add_draws(parser)
    add_settings(parser)


def call(given: argparse.Namespace) -> None:
    """Evaluate the scores and print them beside the baselines."""
    from llmvs.commands._checks import check_dataset

    config = load(given.settings)
    check_dataset(config)
    from llmvs.experiments.evaluate import evaluate_document

    print_document(*evaluate_document(config, given.scores, given.draws, given.per), given.json)
