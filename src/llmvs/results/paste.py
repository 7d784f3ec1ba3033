"""Put the tables of finished experiments into documents: `python -m llmvs.results.paste README.md
...` (`make tables`).

A document names the file that a table comes from, and what stands between the two comments is
replaced with its content:

    <!-- table: runs/ablation-pattern-demo/table.md -->
    <!-- end of table -->
"""

import logging
import re
import sys
from pathlib import Path

from llmvs.console import print_messages
from llmvs.errors import UserError
from llmvs.files import write_text

logger = logging.getLogger(__name__)

_BLOCK = re.compile(r"(<!-- table: (\S+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)


def pasted(document: str, folder: Path) -> tuple[str, list[Path]]:
    """The document with its tables as they are in `folder` now, and the files they came from.

    Raises:
        UserError: a file that the document names is missing.
    """
    found: list[Path] = []

    def block(match: re.Match[str]) -> str:
        path = folder / match[2]
        if not path.is_file():
            raise UserError(
                f"{path}: no such table, and a document wants it: run the experiment that writes it"
            )
        found.append(path)
        return f"{match[1]}{path.read_text(encoding='utf-8').strip()}\n{match[4]}"

    return _BLOCK.sub(block, document), found


def main(arguments: list[str]) -> int:
    """Renew the tables of the documents named; return the exit status."""
    for place in map(Path, arguments):
        if not place.is_file():
            raise UserError(f"{place}: no such document")
        before = place.read_text(encoding="utf-8")
        after, found = pasted(before, Path())
        if not found:
            raise UserError(
                f"{place}: names no table (expected a line such as <!-- table:"
                " runs/EXPERIMENT/table.md -->)"
            )
        if after != before:
            write_text(place, after)
        logger.info(
            "%s: %s %s",
            place,
            "renewed from" if after != before else "as in",
            ", ".join(map(str, found)),
        )
    return 0


if __name__ == "__main__":
    print_messages()
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        logger.error("llmvs: %s", error)  # noqa: TRY400 - a line for the user, no traceback
        sys.exit(2)
