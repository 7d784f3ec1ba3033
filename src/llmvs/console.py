"""What the program says while it works: on standard error, once, from however many processes."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

T = TypeVar("T")
EVERY = 30.0
"""Seconds between two lines about progress where there is no terminal."""


def say(message: str) -> None:
    """Print a message for the user on standard error, above any progress bar; only the first
    process of a run speaks.
    """
    if is_first_process():
        write_line(message)


def write_line(line: str) -> None:
    """Print a line on standard error, above any progress bar, from whichever process."""
    if "tqdm" in sys.modules:
        from tqdm import tqdm

        tqdm.write(line, file=sys.stderr)
    else:
        print(line, file=sys.stderr, flush=True)


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
        delay: float = 0.0,
        leave: bool = True,
    ) -> None:
        """Begin.

        Args:
            what: is being done.
            total: how many units there are; None: not known yet.
            unit: what is counted, in the singular.
            delay: seconds before a bar shows itself.
            leave: keep the finished bar on the terminal.
        """
        self.what, self.unit, self.done = what, unit, 0
        self._total, self._note = total, ""
        self._began = self._said = time.monotonic()
        self._bar: Any = None
        if is_first_process() and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=total, desc=what, unit=unit, delay=delay, leave=leave, dynamic_ncols=True
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

    def note(self, text: str) -> None:
        """Say something behind the figures, such as which video it is."""
        self._note = text
        if self._bar is not None:
            self._bar.set_postfix_str(text)

    def update(self, count: int = 1) -> None:
        """So many units more are done."""
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            say(self.line())

    def line(self) -> str:
        """Say how far it is in one line: share, figures, note, and the time that is left."""
        units = self.unit if self.done == 1 else f"{self.unit}s"
        parts = [f"{self.done} {units}"]
        if self._total:
            share = 100 * self.done // self._total
            parts = [f"{share} % ({self.done} of {self._total} {self.unit}s)"]
        if self._note:
            parts.append(self._note)
        if self._total and 0 < self.done < self._total:
            passed = time.monotonic() - self._began
            parts.append(f"{duration(passed / self.done * (self._total - self.done))} left")
        return f"{self.what}: {', '.join(parts)}"

    def close(self) -> None:
        """End; where lines were printed, a last one says so."""
        if self._bar is not None:
            self._bar.close()
        elif self._said > self._began:
            say(f"{self.line()}, ended after {duration(time.monotonic() - self._began)}")
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
