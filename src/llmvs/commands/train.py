"""`llmvs train`: one run."""

import argparse

from llmvs.commands._arguments import add_json, add_settings, add_yes, load, print_document

SUMMARY = "train and evaluate one fold: extract what is missing, fit the head, print the table"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    add_json(parser)
    add_yes(parser)
    add_settings(parser)


def call(given: argparse.Namespace) -> None:
    """Train, or show the finished run."""
    from llmvs.commands._checks import check_run

    config = load(given.settings)
    check_run(config)
    from llmvs.experiments.costs import ask_first
    from llmvs.experiments.run import train

    ask_first(config, given.yes)
    print_document(*train(config), given.json)
