"""Shared fixtures: where the real benchmark data is, when it is there at all."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmvs.console import printed_messages
from llmvs.datasets import Dataset, load

# A shell without job control starts what it puts into the background deaf to Ctrl-C, and what the
# tests start would be so too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _messages_are_printed() -> Iterator[None]:
    """As from the command line: tests read what llmvs says from standard error."""
    with printed_messages():
        yield


SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real annotations, captions and clips; tests that ask for it are skipped where
    it is absent.
    """
    if not SHARED.is_dir():
        pytest.skip(f"the real benchmark data is not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def summe(shared: Path) -> Dataset:
    """SumMe's real annotations."""
    return load("summe", shared / "summe")


@pytest.fixture(scope="session")
def tvsum(shared: Path) -> Dataset:
    """TVSum's real annotations."""
    return load("tvsum", shared / "tvsum")
