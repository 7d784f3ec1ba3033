"""What the videos are and what people said of them.

A dataset is one module with a function `load(root: Path) -> Dataset`, and a line in `DATASETS`.
Where the files do not say which frames are steps, it is `load(root, sampling)`, and a word in
`SAMPLED`.
"""

import importlib
from pathlib import Path
from typing import Literal

from llmvs.datasets.base import Dataset, Fold, Sampling
from llmvs.datasets.video import Video
from llmvs.errors import UserError, nearest

DATASETS = {
    "demo": "llmvs.demo.dataset",
    "eccv16": "llmvs.datasets.eccv16",
    "folder": "llmvs.datasets.folder",
    "mrhisum": "llmvs.datasets.mrhisum",
    "summe": "llmvs.datasets.summe",
    "tvsum": "llmvs.datasets.tvsum",
}
"""Name -> module."""
SAMPLED = ("folder",)
"""Datasets whose steps are whatever the settings sample."""
TWICE_A_SECOND = Sampling(fps=2.0)
"""The paper's steps."""

__all__ = ["DATASETS", "Dataset", "Fold", "Sampling", "Video", "load"]


def load(
    name: str,
    root: str | Path,
    sampling: Sampling = TWICE_A_SECOND,
    absent: Literal["refuse", "skip"] = "refuse",
) -> Dataset:
    """Load a dataset by name from the folder of its files.

    Args:
        name: one of `DATASETS`.
        root: the folder.
        sampling: decides the steps where its files do not.
        absent: what to do about videos of the folds that the files lack: refuse the dataset, or
            leave them out of the folds and say so (`Dataset.absent`).

    Raises:
        UserError: unknown name, or files that are missing or wrong.
    """
    if name not in DATASETS:
        raise UserError(f"data.dataset={name}: no such dataset{nearest(name, DATASETS)}")
    module, root = importlib.import_module(DATASETS[name]), Path(root)
    dataset: Dataset = module.load(root, sampling) if name in SAMPLED else module.load(root)
    lacking = dataset.lacking
    if lacking and absent == "refuse":
        raise UserError(
            f"{dataset.source or root}: {len(lacking)} videos of {name} are missing"
            f" ({', '.join(lacking)}): get the whole data set, or leave them out of the folds with"
            " data.absent=skip"
        )
    return dataset.without(dict.fromkeys(lacking, "no annotations")) if lacking else dataset
