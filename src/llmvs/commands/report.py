"""`llmvs report`: pages about a run, to look at."""

import argparse
from pathlib import Path

SUMMARY = "pages of a finished run: its scores of every test video beside what people said"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="new folder (default: RUN/report)"
    )
    parser.add_argument("--force", action="store_true", help="replace earlier pages")
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="data.root=DIR|cache=DIR",
        help="where dataset and cache are now, if not where they were",
    )


def call(given: argparse.Namespace) -> None:
    """Write the pages, and print where they are."""
    from llmvs.config.load import chosen

    places = chosen(given.settings, {"data.root": "", "cache": ""})
    from llmvs.experiments.pages import write_pages

    moved = [f"{key}={place}" for key, place in places.items() if place]
    print(write_pages(given.run, given.force, given.output, moved), flush=True)
