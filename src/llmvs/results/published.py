"""Figures that papers print, to stand beside ours: published.json."""

from pathlib import Path
from typing import Any

from llmvs.files import read_json


def published(dataset: str, name: str) -> dict[str, Any]:
    """tau, rho and where they are printed; empty where nothing was published for this dataset."""
    table: dict[str, Any] = _published().get(dataset, {})
    found: dict[str, Any] = table.get(name, {})
    return found


def published_names() -> list[str]:
    """All rows of published.json."""
    return sorted(
        {name for table in _published().values() if isinstance(table, dict) for name in table}
    )


def published_names_of(dataset: str) -> list[str]:
    """The rows that are published of a dataset."""
    return list(_published().get(dataset, {}))


def published_name(dataset: str, experiment: str) -> str | None:
    """The published row that an experiment named by `llmvs train` repeats: `summe` is LLMVS,
    `summe-mlp` the row `mlp`.
    """
    if experiment == dataset:
        return "llmvs"
    name = experiment.removeprefix(f"{dataset}-")
    return name if published(dataset, name) else None


def source() -> tuple[str, str]:
    """The paper that the figures are from, and a note on them."""
    table = _published()
    return table["source"], table["note"]


def _published() -> dict[str, Any]:
    table: dict[str, Any] = read_json(Path(__file__).parent / "published.json", "published figures")
    return table
