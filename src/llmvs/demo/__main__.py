"""`python -m llmvs.demo FOLDER`: render a few clips of the demo's world, as videos to try things
on.
"""

import argparse
import sys
from pathlib import Path

from llmvs.demo.dataset import load
from llmvs.errors import UserError


def main(arguments: list[str]) -> int:
    """Render what is missing; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m llmvs.demo", description="Render clips of the demo's world into a folder."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--clips", type=int, default=5, help="how many, at least 5 (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=6.0,
        help="length of every clip, at least 6 (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    try:
        load(given.folder, clips=given.clips, seconds=(given.seconds, given.seconds))
    except UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
