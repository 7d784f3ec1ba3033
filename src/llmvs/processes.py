"""Processes that this one starts: how, how many the machine has room for, and what becomes of them
when it, or one of them, is killed.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from llmvs.console import Outlets

START = "forkserver" if sys.platform == "linux" else "spawn"
"""How processes are started: forked from this one they could not use a GPU that it has used, and
might hang where it has threads. On Linux they are forked from a server, which has neither and
imports libraries once for all of them.
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


def prepare(modules: Sequence[str]) -> None:
    """Begin to import what processes to come will need, beside whatever this one does meanwhile.

    Args:
        modules: what their server imports, unless it runs already; a process imports by itself what
            is missing.
    """
    if START == "forkserver":
        from multiprocessing import forkserver  # not on Windows

        multiprocessing.get_context(START).set_forkserver_preload(list(modules))
        with threads(1):
            forkserver.ensure_running()


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Processes that are started in the block use so many threads each: numpy reads it when it is
    imported, before a process does anything of ours.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(number)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
        begin = (dict(os.environ), Outlets.here(), initializer, arguments)
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
    environment: Mapping[str, str],
    outlets: Outlets,
    initializer: Callable[..., None] | None,
    arguments: Sequence[Any],
) -> None:
    """The first thing a started process does."""
    end_with_parent()
    for name in os.environ.keys() - environment.keys():  # a server's are of when it started
        del os.environ[name]
    os.environ.update(environment)
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
