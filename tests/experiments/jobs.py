"""Tasks of jobs in the tests; they need no torch, so that a job begins at once."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from llmvs.errors import UserError


def double(number: int, queued_again: bool) -> dict[str, Any]:
    """A job that ends well."""
    return {"result": 2 * number}


def refuse(number: int, queued_again: bool) -> dict[str, Any]:
    """A job that finds a user's mistake."""
    return {"error": str(UserError("no space left"))}


def die(number: int, queued_again: bool) -> dict[str, Any]:
    """A job that is killed, as for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def stumble(number: int, queued_again: bool) -> dict[str, Any]:
    """A job with a mistake of ours."""
    raise ZeroDivisionError("no steps")


def linger(folder: str, queued_again: bool) -> dict[str, Any]:
    """A job whose first attempt takes too long."""
    Path(folder, "again" if queued_again else "begun").touch()
    if not queued_again:
        time.sleep(60)
    return {"result": queued_again}
