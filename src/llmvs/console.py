"""What the program says while it works: on standard error, once, from however many processes."""

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from llmvs import __version__
from llmvs.errors import UserError
from llmvs.files import regular

logger = logging.getLogger(__name__)

T = TypeVar("T")
EVERY = 30.0
"""Seconds between two lines about progress where there is no terminal."""


FROM_ANY_RANK = {"from_any_rank": True}
"""`extra=` of a message that every process of a run may print, not only the first."""


class ConsoleHandler(logging.Handler):
    """Print messages for the user on standard error, bare and above any progress bar; only the
    first process of a run speaks, but for messages that are marked `FROM_ANY_RANK`. A warning is
    said once, however many runs of a command come upon it; the log of each has it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()
        """The warnings of this command."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        if not _may_speak(record):
            return
        line = self.format(record)
        if record.levelno == logging.WARNING:
            if line in self.said:
                return
            self.said.add(line)
        if not is_first_process() and sys.stderr.isatty():
            line = f"\r{line}\x1b[K"  # over the bar of the first process
        if "tqdm" in sys.modules:
            from tqdm import tqdm

            tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)


class LogFile(logging.FileHandler):
    """Append messages to a file, with time, level and logger. A log must not end what it is about:
    where the file cannot be written, it is given up and one message says so.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", delay=True)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self.path: Path | None = path

    def _open(self) -> Any:
        """Open the file; a pipe would wait for a reader."""
        if self.path is not None and self.path.exists():
            regular(self.path)
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        if self.path is not None and _may_speak(record):
            try:
                super().emit(record)  # opens the file, the first time
            except OSError:
                self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Give the file up."""
        path, self.path = self.path, None
        if path is not None:
            logger.warning("%s cannot be written: there is no log from here on", path)

    def close(self) -> None:
        """Close the file, written or not."""
        with suppress(OSError):  # what was not written was told before
            super().close()


@dataclass(frozen=True)
class Outlets:
    """Where what llmvs has to say goes: processes that are started take over those of this one."""

    printed: bool
    """On standard error."""
    log: Path | None
    """Into a file."""

    @classmethod
    def here(cls) -> "Outlets":
        """Find out those of this process."""
        handlers = logging.getLogger("llmvs").handlers
        logs = (handler.path for handler in handlers if isinstance(handler, LogFile))
        printed = any(isinstance(handler, ConsoleHandler) for handler in handlers)
        return cls(printed, next(logs, None))

    def open(self) -> None:
        """Use them in this process."""
        package = logging.getLogger("llmvs")
        if self.printed:
            print_messages()
        if self.log is not None:
            package.addHandler(LogFile(self.log))


def print_messages() -> None:
    """Let this process print what llmvs has to say: for programs, which own their terminal. A
    library's user decides for themselves what becomes of the logger `llmvs`.
    """
    package = logging.getLogger("llmvs")
    printed = [one for one in package.handlers if isinstance(one, ConsoleHandler)]
    for handler in printed:
        handler.said.clear()  # this is another command
    if not printed:
        package.addHandler(ConsoleHandler())
    package.setLevel(logging.INFO)
    package.propagate = False  # a library that configures the root logger would print them again


@contextmanager
def printed_messages() -> Iterator[None]:
    """Print what llmvs has to say during the block, and leave the logger as it was."""
    package = logging.getLogger("llmvs")
    before = package.level, package.propagate, list(package.handlers)
    print_messages()
    try:
        yield
    finally:
        package.level, package.propagate = before[:2]
        package.handlers[:] = before[2]


@contextmanager
def logged_in(path: Path) -> Iterator[None]:
    """Append what llmvs says during the block to a file, and the error that ends it: a user's
    mistake in a line, anything else with where it came from.
    """
    handler = LogFile(path)
    package = logging.getLogger("llmvs")
    package.addHandler(handler)
    handler.handle(_record(logging.INFO, "started: llmvs %s", __version__))
    try:
        yield
        handler.handle(_record(logging.INFO, "finished"))
    except BaseException as error:
        foreseen = isinstance(error, (UserError, KeyboardInterrupt, SystemExit))
        words = " ".join(str(error).split()) or type(error).__name__
        record = _record(logging.ERROR, "ended: %s", words)
        record.exc_info = None if foreseen else sys.exc_info()
        handler.handle(record)  # to the file alone: the caller prints it
        raise
    finally:
        package.removeHandler(handler)
        handler.close()


def _record(level: int, message: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord(__name__, level, __file__, 0, message, values, None)


def _may_speak(record: logging.LogRecord) -> bool:
    return is_first_process() or getattr(record, "from_any_rank", False)


def is_first_process() -> bool:
    """Whether this is the only process of a run, or rank 0 (as launched by Lightning, torchrun or
    SLURM).
    """
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


class ProgressBar:
    """Show how far a piece of work is: a bar on a terminal, a plain line every half minute
    elsewhere, so that a log file stays readable. Only the first process of a run shows anything.

    >>> with ProgressBar("embeddings", total=2, unit="video") as bar:
    ...     bar.update()
    ...     bar.update()
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        unit: str = "step",
        *,
        done: float = 0,
        delay: float = 0.0,
        leave: bool = True,
        layout: str | None = None,
        counted: bool = True,
    ) -> None:
        """Begin.

        Args:
            what: is being done.
            total: how many units there are; None: not known yet.
            unit: what is counted, in the singular.
            done: how many units were done before.
            delay: seconds before a bar shows itself.
            leave: keep the finished bar on the terminal.
            layout: of a bar, as tqdm's `bar_format`.
            counted: say in a plain line how many units are done, beside the share.
        """
        self.what, self.unit, self.done = what, unit, done
        self._before = done
        self._total, self._note, self._counted = total, "", counted
        self._began = self._said = time.monotonic()
        self._bar: Any = None
        if is_first_process() and sys.stderr.isatty() and logger.isEnabledFor(logging.INFO):
            from tqdm import tqdm

            self._bar = tqdm(
                total=total,
                initial=done,
                desc=what,
                unit=unit,
                delay=delay,
                leave=leave,
                bar_format=layout,
                mininterval=0.5,
                dynamic_ncols=True,
            )

    @property
    def total(self) -> int | None:
        """How many units there are, as far as is known."""
        return self._total

    @total.setter
    def total(self, total: int | None) -> None:
        """Set it, where it becomes known on the way."""
        self._total = total
        if self._bar is not None:
            self._bar.total = total

    def describe(self, what: str) -> None:
        """Say what is being done now."""
        self.what = what
        if self._bar is not None:
            self._bar.set_description_str(what)

    def note(self, text: str) -> None:
        """Say something behind the figures, such as which video it is."""
        self._note = text
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)

    def update(self, count: float = 1) -> None:
        """So many units more are done, or shares of one."""
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            logger.info("%s", self.line())

    def line(self) -> str:
        """Say how far it is in one line: share, figures, note, and the time that is left."""
        whole = int(self.done)
        units = f"{self.unit}es" if self.unit.endswith("tch") else f"{self.unit}s"
        parts = [f"{whole} {self.unit if whole == 1 else units}"]
        if self._total:
            share = int(100 * self.done / self._total)
            figures = f" ({whole} of {self._total} {units})" if self._counted else ""
            parts = [f"{share} %{figures}"]
        if self._note:
            parts.append(self._note)
        if self._total and self._before < self.done < self._total:
            each = (time.monotonic() - self._began) / (self.done - self._before)
            parts.append(f"{duration(each * (self._total - self.done))} left")
        return f"{self.what}: {', '.join(parts)}"

    def close(self) -> None:
        """End; where lines were printed, a last one says so."""
        if self._bar is not None:
            self._bar.close()
        elif self._said > self._began:
            passed = duration(time.monotonic() - self._began)
            logger.info("%s, ended after %s", self.line(), passed)
            self._said = self._began

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def tracked(
    items: Iterable[T], what: str, unit: str, *, delay: float = 2.0, leave: bool = False
) -> Iterator[T]:
    """Give the items one by one, and show how far it is where that takes long.

    >>> list(tracked([3, 4], "check", "video"))
    [3, 4]
    """
    total = len(items) if isinstance(items, Sized) else None
    with ProgressBar(what, total, unit, delay=delay, leave=leave) as bar:
        for item in items:
            yield item
            bar.update()


def duration(seconds: float) -> str:
    """A time for people, to two figures.

    >>> duration(42), duration(200), duration(8000)
    ('42 s', '3 min', '2 h 13 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
