"""Shared fixtures: where the real benchmark data is, when it is there at all."""

from pathlib import Path

import pytest

from llmvs.datasets import Dataset, load

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
