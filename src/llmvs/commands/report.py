"""`llmvs report`: pages about a run, to look at."""

import argparse
from pathlib import Path

SUMMARY = "pages of a finished run: its scores of every test video beside what people said"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--force", action="store_true", help="replace earlier pages")


def call(given: argparse.Namespace) -> None:
    """Write the pages, and print where they are."""
    from llmvs.experiments.pages import write_pages

    print(write_pages(given.run, given.force), flush=True)
