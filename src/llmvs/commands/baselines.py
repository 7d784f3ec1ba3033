"""`llmvs baselines`: what random scores and people reach."""

import argparse

from llmvs.commands._arguments import add_draws, add_json, add_settings, load, print_document

SUMMARY = "what chance and people reach on a dataset: Random, Human, Ceiling"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    add_json(parser)
    add_draws(parser)
    add_settings(parser, "DATASET|SETTING", "a dataset's name; ")


def call(given: argparse.Namespace) -> None:
    """Print the baselines of a dataset."""
    from llmvs.commands._checks import check_dataset

    config = load(given.settings)
    check_dataset(config)
    from llmvs.experiments.evaluate import baselines_document

    print_document(*baselines_document(config, given.draws), given.json)
