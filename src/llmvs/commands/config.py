"""`llmvs config`: what would run."""

import argparse

from llmvs.commands._arguments import add_settings, load

SUMMARY = "print the configuration that would run, and its folder"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument(
        "--keys",
        action="store_true",
        help="list every setting, its default, what it means and what it affects",
    )
    add_settings(parser)


def call(given: argparse.Namespace) -> None:
    """Print the configuration, or the list of all settings."""
    from llmvs.config.load import run_folder, to_yaml

    if given.keys:
        from llmvs.config.describe import describe

        print(describe())
        return
    config = load(given.settings)
    print(f"# folder of the run: {run_folder(config)}\n{to_yaml(config)}", end="")
