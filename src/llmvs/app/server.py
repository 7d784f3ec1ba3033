"""Serve the app at an address, with a folder of its own."""

import logging
import socket
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from llmvs.app.browser import application
from llmvs.app.jobs import Jobs, Limits
from llmvs.errors import UserError

logger = logging.getLogger(__name__)


def serve(
    host: str,
    port: int,
    folder: Path | None = None,
    megabytes: float = 500,
    minutes: float = 120,
    model: str | None = None,
    settings: Sequence[str] = (),
) -> None:
    """Serve the app until it is interrupted.

    Args:
        host: address to listen at.
        port: where.
        folder: of uploads and results; None: a temporary one, removed at the end.
        megabytes: largest upload.
        minutes: longest video.
        model: a trained head for the method `language`.
        settings: of the language models.

    Raises:
        UserError: Gradio is not installed, or the address is taken.
    """
    _refuse_taken(host, port)
    with ExitStack() as stack:
        root = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmvs-app-")))
        app = application(Jobs(root.resolve(), Limits(megabytes, minutes), model, settings))
        import uvicorn

        logger.info("http://%s:%d (Ctrl-C ends it)", host, port)
        uvicorn.run(app, host=host, port=port, log_level="warning")


def _refuse_taken(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(f"--host {host} --port {port}: {reason}: name another --port") from None
