"""What the videos are and what people said of them.

A dataset is one module with a function `load(root: Path) -> Dataset`, and a line in `DATASETS`.
"""

import importlib
from pathlib import Path

from llmvs.datasets.base import Dataset, Fold, Video
from llmvs.errors import UserError, nearest

DATASETS = {
    "demo": "llmvs.datasets.demo",
    "summe": "llmvs.datasets.summe",
    "tvsum": "llmvs.datasets.tvsum",
}
"""Name -> module."""

__all__ = ["DATASETS", "Dataset", "Fold", "Video", "load"]


def load(name: str, root: Path) -> Dataset:
    """Load a dataset by name from the folder of its files.

    Raises:
        UserError: unknown name, or files that are missing or wrong.
    """
    if name not in DATASETS:
        raise UserError(f"data.dataset={name}: no such dataset{nearest(name, DATASETS)}")
    dataset: Dataset = importlib.import_module(DATASETS[name]).load(root)
    return dataset
