"""Serve the app at an address, with a folder of its own."""

import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from llmvs.app.browser import application
from llmvs.app.jobs import KEPT, Jobs, Limits
from llmvs.errors import UserError
from llmvs.files import unwritable
from llmvs.summary.method import language_for

logger = logging.getLogger(__name__)

PREFIX = "llmvs-app-"
PATIENCE = 2
"""Seconds that open pages have to take leave."""
EVERY = 300.0
"""Seconds between two looks for what is old."""


def serve(
    host: str,
    port: int,
    limits: Limits,
    folder: Path | None = None,
    model: str | None = None,
    settings: Sequence[str] = (),
) -> None:
    """Serve the app until it is interrupted.

    Args:
        host: address to listen at.
        port: where.
        limits: of uploads.
        folder: in which the app makes a folder of its own, removed at the end; None: the system's
            for temporary files.
        model: a trained head for the method `language`.
        settings: of the language models.

    Raises:
        UserError: Gradio is not installed, the address is taken, there is no such model or
            setting, or the folder cannot be written.
    """
    _refuse_taken(host, port)
    if model or settings:  # a wrong name is no visitor's mistake
        language_for("language", model, settings=settings)
    with _own_folder(folder or Path(tempfile.gettempdir())) as root:
        jobs = Jobs(root, limits, model, settings)
        app = application(jobs)
        with _tidied(jobs):
            logger.info("http://%s:%d (Ctrl-C ends it)", f"[{host}]" if ":" in host else host, port)
            _answer(app, host, port)
    if jobs.working:  # no thread can be ended from outside, and Python would wait for it
        logger.info("ended; the video that was being summarized is given up")
        for _ in range(5):  # what it still writes, making its folders anew
            shutil.rmtree(jobs.root, ignore_errors=True)
            time.sleep(0.05)
        shutil.rmtree(jobs.root, ignore_errors=True)
        os._exit(0)


def _answer(app: Any, host: str, port: int) -> None:
    """Answer requests until told to end."""
    import uvicorn

    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=PATIENCE
    )
    server = uvicorn.Server(config)
    for name in ("uvicorn.error", "asyncio"):  # a traceback for each page that is open at the end
        logging.getLogger(name).addFilter(lambda record: not server.should_exit)
    with suppress(KeyboardInterrupt):
        server.run()


@contextmanager
def _own_folder(parent: Path) -> Iterator[Path]:
    """Make a folder that nobody else has, and remove those of servers that were killed: a living
    one touches its own (see `_tidied`).
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f"{PREFIX}*"):
            with suppress(OSError):
                status = left.lstat()
                if status.st_uid == os.getuid() and status.st_mtime < time.time() - KEPT:
                    shutil.rmtree(left, ignore_errors=True)
        root = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
    except OSError as error:
        raise unwritable(parent, error) from error
    try:
        yield Path(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def _tidied(jobs: Jobs, every: float = EVERY) -> Iterator[None]:
    """Remove what is old while the block runs, also where nobody uploads anything more."""
    ended = threading.Event()

    def tidy() -> None:
        while not ended.wait(every):
            os.utime(jobs.root)
            jobs.tidy()

    thread = threading.Thread(target=tidy, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _refuse_taken(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(f"--host {host} --port {port}: {reason}: name another --port") from None
