"""`llmvs crossval`: all folds, several seeds."""

import argparse

from llmvs.commands._arguments import (
    add_folds_and_seeds,
    add_json,
    add_settings,
    add_yes,
    load,
    print_document,
    settings_of_many,
)

SUMMARY = "train and evaluate all folds with several seeds: means, intervals"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    add_json(parser)
    add_folds_and_seeds(parser)
    add_yes(parser)
    add_settings(parser)


def call(given: argparse.Namespace) -> None:
    """Run what is not finished, and put all runs together."""
    from llmvs.commands._checks import check_run

    config = load(settings_of_many(given))
    check_run(config, given.folds)
    from llmvs.experiments.costs import ask_first
    from llmvs.experiments.crossval import crossval

    ask_first(config, given.yes)
    print_document(*crossval(config, given.folds, given.seeds), given.json)
