"""`llmvs cache`: list, verify or prune what lies in the cache."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from llmvs.commands._arguments import load, print_document
from llmvs.errors import UserError

SUMMARY = "list, verify or prune what lies in the cache"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs below this one, with their arguments."""
    verbs = parser.add_subparsers(metavar="list|verify|prune", required=True)
    shown = verbs.add_parser("list", help="every folder: videos, size, last use, and what made it")
    checked = verbs.add_parser(
        "verify", help="open every file; name what is damaged, and end with status 2"
    )
    checked.add_argument(
        "--delete",
        action="store_true",
        help="remove damaged files, so that the next extraction makes just them",
    )
    pruned = verbs.add_parser(
        "prune", help="remove what killed runs left, unusable folders, and the folders named"
    )
    pruned.add_argument(
        "--older-than",
        type=float,
        metavar="DAYS",
        help="also captions and embeddings not used for so many days",
    )
    pruned.add_argument(
        "--yes", action="store_true", help="remove; without it, only say what would be removed"
    )
    for one, function in ((shown, call), (checked, _verify), (pruned, _prune)):
        one.add_argument(
            "settings",
            nargs="*",
            metavar="FOLDER|cache=DIR" if one is pruned else "cache=DIR",
            help=(
                "where the cache is (default: cache); for prune also folders, as `llmvs cache list`"
                " names them"
            ),
        )
        one.set_defaults(call=function)
    shown.add_argument("--json", action="store_true", help="print the same as one JSON document")


def call(given: argparse.Namespace) -> None:
    """Print the folders of the cache."""
    from llmvs.cache.listing import listing

    documents, text = listing(_cache(given.settings))
    print_document({"folders": documents}, text, given.json)


def _verify(given: argparse.Namespace) -> int:
    """Print what is damaged; the status is 2 where something is."""
    from llmvs.cache.verify import verify

    damages, summary = verify(_cache(given.settings), given.delete)
    print("\n".join([*damages, summary]), flush=True)
    return 2 if damages else 0


def _prune(given: argparse.Namespace) -> None:
    """Print what was removed, or would be."""
    from llmvs.cache.prune import prune
    from llmvs.config.layers import SUFFIXES, is_override

    settings = [one for one in given.settings if is_override(one) or one.endswith(SUFFIXES)]
    folders = [one for one in given.settings if one not in settings]
    print(prune(_cache(settings), folders, given.older_than, given.yes), flush=True)


def _cache(settings: Sequence[str]) -> Path:
    """The cache folder, which must be there."""
    folder = Path(load(["data.dataset=own", *settings]).cache)
    if not folder.is_dir():
        raise UserError(f"cache={folder}: no such folder: name the cache with cache=DIR")
    return folder
