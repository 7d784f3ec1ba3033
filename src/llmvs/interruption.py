"""What Ctrl-C and SIGTERM do to a command: it removes its temporary files, says one line, ends."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TWICE = 1.0
"""Seconds within which the same signal again is the same wish: `timeout` sends SIGTERM to the
process and to its group, and would cut the tidying up short.
"""
_received: list[tuple[int, float]] = []
"""(signal, time) of what has come since the command began."""


class Interrupted(KeyboardInterrupt):
    """Told to end. A class of its own: where KeyboardInterrupt itself passes through `exec`, as it
    may while a module with dataclasses is imported, Python ends by SIGINT whatever the status.
    """


def received() -> int | None:
    """The signal that has told this command to end; None where none has."""
    return _received[0][0] if _received else None


def end_of(number: int = signal.SIGINT) -> int:
    """Say that a command was interrupted, and return its exit status: 130 after Ctrl-C, 143 after
    SIGTERM.
    """
    sys.stderr.write("llmvs: interrupted; the same command goes on from here\n")
    return 128 + number


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` in the block for SIGTERM as well as for Ctrl-C, and remember which.

    What runs in the background of a shell ignores Ctrl-C, and goes on doing so.
    """
    _received.clear()
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other may set handlers
        before = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: FrameType | None) -> None:
    now = time.monotonic()
    again = any(one == number and now - at < TWICE for one, at in _received)
    _received.append((number, now))
    if not again:
        raise Interrupted
