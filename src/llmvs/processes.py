"""Processes that this one starts: how, how many the machine has room for, and what becomes of them
when it, or one of them, is killed.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from llmvs.console import Outlets

START = "spawn"
"""How processes are started: forked ones could not use a GPU that this process has used, and may
hang where it has threads.
"""
INTERRUPTED = 130
"""Exit status after Ctrl-C."""
GRACE = 5.0
"""Seconds that a process has to remove its temporary files when it is told to end."""
Returned = TypeVar("Returned")


def cores() -> int:
    """How many cores this process may use: fewer than there are under `taskset`, SLURM or in a
    container with a CPU set.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent() -> None:
    """End this process when the one that started it is killed: nobody would wait for it then."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class WorkerProcess:
    """A process pool of one process, of which it is known whether and how it died.

    A pool of several processes does not say which of them died, and ends the others with it: so
    every device has a pool of its own. The process starts with its first task. Ctrl-C ends it
    silently, since whoever started it says so.
    """

    def __init__(self, initializer: Callable[..., None] | None = None, *arguments: Any) -> None:
        """Prepare a pool.

        Args:
            initializer: what the process does first; `arguments` are handed to it.
            arguments: sent once, when the process starts.
        """
        context = multiprocessing.get_context(START)
        begin = (Outlets.here(), initializer, arguments)
        self._pool = ProcessPoolExecutor(1, context, _begin, begin)
        self._process: BaseProcess | None = None

    def submit(self, task: Callable[..., Returned], *arguments: Any) -> "Future[Returned]":
        """Let the process call a function; the future raises BrokenProcessPool where it dies."""
        others = multiprocessing.active_children()
        try:
            future = self._pool.submit(_call, task, *arguments)
        except BrokenProcessPool as error:  # it died while it had nothing to do
            future = Future()
            future.set_exception(error)
        if self._process is None:
            started = (one for one in multiprocessing.active_children() if one not in others)
            self._process = next(started, None)
        return future

    def close(self) -> int | None:
        """Let the process end once its tasks are done, wait for that, and return its exit status
        (negative: the signal that killed it).
        """
        self._pool.shutdown()
        return self._process.exitcode if self._process else None


def end(workers: Sequence[WorkerProcess]) -> None:
    """End processes whatever they are doing, those first that tidy up in time."""
    processes = [worker._process for worker in workers if worker._process]
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GRACE
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        process.kill()
    for worker in workers:
        worker._pool.shutdown(cancel_futures=True)


def _begin(
    outlets: Outlets, initializer: Callable[..., None] | None, arguments: Sequence[Any]
) -> None:
    """The first thing a started process does."""
    end_with_parent()
    outlets.open()
    _answer_signals(_leave)
    if initializer is not None:
        initializer(*arguments)


def _call(task: Callable[..., Returned], *arguments: Any) -> Returned:
    """Do a task in a started process; interrupted, it may remove its temporary files first."""
    _answer_signals(signal.default_int_handler)
    try:
        return task(*arguments)
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    except SystemExit as error:  # a pool would raise it in the process that started this one
        os._exit(error.code if isinstance(error.code, int) else 1)
    finally:
        _answer_signals(_leave)


def _answer_signals(handler: Callable[..., Any]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _leave(*_: object) -> None:
    os._exit(INTERRUPTED)
