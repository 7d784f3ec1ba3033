"""`llmvs app`: a page in the browser that summarizes uploaded videos."""

import argparse
from pathlib import Path

from llmvs.errors import UserError, require_package

SUMMARY = "a page in the browser that summarizes uploaded videos (needs the extra app)"
LOCAL = "127.0.0.1"
MANY = 1e9


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="SETTING",
        help="of the language models, as for `llmvs summarize`: small, accelerator=gpu",
    )
    parser.add_argument("--model", metavar="RUN|FOLDER|HUB ID|demo", help="a trained head")
    parser.add_argument("--host", default=LOCAL, help="address to listen at; default: %(default)s")
    parser.add_argument("--port", type=int, default=7860, help="default: %(default)s")
    parser.add_argument(
        "--max-mb", type=float, default=500, help="largest upload in MB; default: %(default)s"
    )
    parser.add_argument(
        "--max-minutes", type=float, default=120, help="longest video; default: %(default)s"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="in which a folder for uploads and results is made, and removed at the end; default:"
        " the system's for temporary files",
    )


def call(given: argparse.Namespace) -> None:
    """Serve the page until it is interrupted."""
    require_package("gradio", "app", "llmvs app")
    if not 0 < given.port < 65_536:
        raise UserError(f"--port {given.port}: from 1 to 65535")
    if not (0 < given.max_mb < MANY and 0 < given.max_minutes < MANY):
        raise UserError(
            f"--max-mb {given.max_mb:g} --max-minutes {given.max_minutes:g}: above 0 each, and"
            f" below {MANY:g}"
        )
    from llmvs.app.jobs import Limits
    from llmvs.app.server import serve

    limits = Limits(given.max_mb, given.max_minutes)
    serve(given.host, given.port, limits, given.folder, given.model, given.settings)
