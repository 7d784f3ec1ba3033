"""`llmvs export`: a trained head or adapter as a folder to share."""

import argparse
from pathlib import Path

from llmvs.errors import UserError

SUMMARY = (
    "write a run's head as a folder for LLMVS.from_pretrained, with a model card; upload it if"
    " asked"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="to=DIR|push=true|repo=USER/NAME",
        help="where to (default: RUN/export)",
    )


def call(given: argparse.Namespace) -> None:
    """Write the folder, upload it where asked, and print where it is."""
    from llmvs.config.load import chosen

    choices = chosen(given.settings, {"to": "", "push": "false", "repo": ""})
    to, push_it, repo = choices["to"], choices["push"].lower(), choices["repo"]
    if push_it not in ("true", "false") or (push_it == "true") != bool(repo):
        raise UserError(
            f"push={choices['push']} repo={repo}: to upload, give both, push=true and"
            " repo=USER/NAME"
        )
    from llmvs.results.export import export, push

    folder = export(given.run, Path(to) if to else None, repo or None)
    print(push(folder, repo) if repo else folder, flush=True)
