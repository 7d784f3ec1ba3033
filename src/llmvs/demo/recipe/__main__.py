"""`python -m llmvs.demo.recipe [FOLDER]`: teach the demo's two models and write them to FOLDER,
each when it is done.

A model that is in FOLDER already, and whole, is not taught again; without FOLDER that is where the
package keeps its own.
"""

import argparse
import logging
import sys
from pathlib import Path

from llmvs.console import print_messages
from llmvs.demo.models.shipped import CHECKSUMS, HEAD, SHIPPED, WEIGHTS, shipped
from llmvs.demo.recipe.teach import teach
from llmvs.errors import UserError
from llmvs.files import sha256, write_json

logger = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Teach what is missing or damaged; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m llmvs.demo.recipe", description="Teach the demo's two models."
    )
    parser.add_argument("folder", type=Path, nargs="?", default=WEIGHTS)
    parser.add_argument("--again", action="store_true", help="also those that are there and whole")
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="how much of the training to do (to try the recipe: far below 1)",
    )
    given = parser.parse_args(arguments)
    print_messages()
    names = [name for name in SHIPPED if given.again or not _is_whole(name, given.folder)]
    for _ in teach(given.folder, names, given.share):
        whole = {
            name: given.folder / name for name in (*SHIPPED, HEAD) if (given.folder / name).is_dir()
        }
        write_json(
            given.folder / CHECKSUMS,
            {
                name: {path.name: sha256(path) for path in sorted(model.iterdir())}
                for name, model in whole.items()
            },
        )
    logger.info(
        "%s: %s",
        given.folder,
        "taught " + " and ".join(names) if names else "both models are there and whole",
    )
    return 0


def _is_whole(name: str, folder: Path) -> bool:
    try:
        return shipped(name, folder).is_dir()
    except UserError:
        return False


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
