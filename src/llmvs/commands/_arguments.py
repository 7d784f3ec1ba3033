"""What several verbs have in common: their arguments, and what they print."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmvs.errors import UserError

if TYPE_CHECKING:
    from llmvs.config.schema import Config

SETTINGS_HELP = (
    "layers (names in configs, such as demo or tvsum, or YAML files), then key=value; later wins"
)


def add_settings(parser: argparse.ArgumentParser, metavar: str = "SETTING", more: str = "") -> None:
    """The layers and `key=value` settings of a configuration."""
    parser.add_argument("settings", nargs="*", metavar=metavar, help=f"{more}{SETTINGS_HELP}")


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument(
        "--json", action="store_true", help="print the same numbers as one JSON document"
    )


def add_yes(parser: argparse.ArgumentParser) -> None:
    """`--yes`."""
    parser.add_argument(
        "--yes", action="store_true", help="start also what takes days on this machine"
    )


def add_folds_and_seeds(
    parser: argparse.ArgumentParser,
    folds: str = "all of the dataset",
    seeds: str = "the seed set",
    seeds_are: str = "one training per fold and seed",
) -> None:
    """`--folds` and `--seeds`."""
    parser.add_argument(
        "--folds",
        type=whole_numbers,
        metavar="0,1,...",
        help=f"which folds (default: {folds})",
    )
    parser.add_argument(
        "--seeds",
        type=whole_numbers,
        metavar="0,1,...",
        help=f"{seeds_are} (default: {seeds})",
    )


def add_rule(parser: argparse.ArgumentParser) -> None:
    """`--rule`."""
    parser.add_argument(
        "--rule",
        choices=("last", "val", "inner", "test"),
        help="which epoch is shown (default: the one that the runs selected)",
    )


def add_draws(parser: argparse.ArgumentParser) -> None:
    """`--draws`."""
    parser.add_argument(
        "--draws",
        type=number_of_draws,
        default=50,
        help="random scores drawn per video (default: %(default)s)",
    )


def number_of_draws(text: str) -> int:
    """The type of `--draws`."""
    draws = int(text)
    if draws < 1:
        raise UserError(f"--draws {draws}: at least 1 random draw is needed")
    return draws


def whole_numbers(text: str) -> list[int]:
    """The type of `--folds` and `--seeds`: `0,1,2`."""
    parts = text.strip("[] ").split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise UserError(
            f"{text!r}: expected whole numbers from 0 with commas between them, such as 0,1,2"
        )
    return [int(part) for part in parts]


def at_least_one(text: str) -> int:
    """The type of `--runs`."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected 1 or more")
    return int(text)


def settings_of_many(given: argparse.Namespace) -> list[str]:
    """The settings of many runs without `folds=` and `seeds=`, which may stand among them: a
    sweep's agent writes everything so.

    Raises:
        UserError: `fold=`, which is for one run.
    """
    settings = []
    for argument in given.settings:
        name, _, value = argument.removeprefix("--").partition("=")
        if name in ("folds", "seeds"):
            setattr(given, name, whole_numbers(value))
        elif name == "fold":
            raise UserError(
                f"fold={value}: {given.verb} runs several folds: choose them with folds={value}"
            )
        else:
            settings.append(argument)
    return settings


def load(settings: Sequence[str]) -> "Config":
    """The configuration of some settings."""
    from llmvs.config.load import load_config

    return load_config(settings)


def print_document(document: dict[str, Any], text: str, as_json: bool) -> None:
    """Print a result, as text or as JSON; only the first process of a run does."""
    from llmvs.console import is_first_process
    from llmvs.files import dumps

    if is_first_process():
        print(dumps(document) if as_json else text, flush=True)
