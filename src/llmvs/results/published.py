"""Figures that papers print, to stand beside ours: published.json."""

from pathlib import Path
from typing import Any

from llmvs.files import read_json

OTHERS = "others"
"""The key of other methods' figures, by dataset."""


def published(dataset: str, name: str) -> dict[str, Any]:
    """tau, rho and where they are printed; empty where nothing was published for this dataset."""
    table: dict[str, Any] = _published().get(dataset, {})
    found: dict[str, Any] = table.get(name, {})
    return found


def published_names() -> list[str]:
    """The rows of all datasets that a row of ours may stand beside."""
    datasets = {key: rows for key, rows in _published().items() if key != OTHERS}
    return sorted({name for rows in datasets.values() if isinstance(rows, dict) for name in rows})


def published_by_others(dataset: str) -> list[dict[str, Any]]:
    """What papers of this field print of their own methods: none of them is a row of ours.

    Returns:
        Of each: `method`, `year`, `tau`, `rho` where it is known, what it `reads`, on what its
        `epoch` was chosen (`test`, `validation`, `training loss`, `not known`) and `why` we say so,
        and `where` it is printed.
    """
    rows: list[dict[str, Any]] = _published()[OTHERS].get(dataset, [])
    return rows


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
