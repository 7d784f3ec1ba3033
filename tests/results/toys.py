"""Results of runs that nobody ran, for everything that reads result.json."""

from pathlib import Path
from typing import Any

import numpy as np

from llmvs.files import write_json

TESTS = {0: ["video_1", "video_2", "video_3"], 1: ["video_3", "video_4"]}
"""Fold -> its test videos; one is tested twice, and the folds are not equally large."""


def result(fold: int, seed: int, shift: float = 0.0, **changes: Any) -> dict[str, Any]:
    """The content of a result.json; `shift` is added to tau and rho of every video."""
    rng = np.random.default_rng([fold, seed])
    per_video = {
        rule: {
            name: {key: (rng.normal(0.2 + shift, 0.05, 2)).tolist() for key in TESTS[fold]}
            for name in ("paper", "per_annotator")
        }
        for rule in ("last", "val", "test")
    }
    baselines = {"random": [0.1, 0.12, 0.03, 0.04], "ceiling": [0.4, 0.45]}
    protocols = {
        name: {"This run": {"tau": 0.2, "rho": fold if name == "paper" else -fold}}
        for name in ("paper", "per_annotator")
    }
    return {
        "format": 3,
        "experiment": "toy",
        "folder": f"runs/toy/fold{fold}/seed{seed}",
        "dataset": "summe",
        "synthetic": False,
        "absent": {},
        "heading": "summe",
        "splits": "paper",
        "fold": fold,
        "seed": seed,
        "selection": "val",
        "selection_by": ["paper/tau"],
        "selection_looks": 1,
        "method": {"model": "head", "lora": False},
        "epoch": 7,
        "epochs": 20,
        "videos": {"train": ["video_5"] * 4, "val": ["video_6"], "test": TESTS[fold]},
        "titles": {"paper": "summaries", "per_annotator": "steps"},
        "protocols": protocols,
        "per_video": per_video,
        "baselines": {
            row: {name: dict.fromkeys(TESTS[fold], values) for name in protocols}
            for row, values in baselines.items()
        },
        "notes": [],
        "rules": {rule: {"epoch": 7, "means": {}} for rule in per_video},
        "embeddings": {"folder": "cache/toy", "identity": {}},
        "other_datasets": {},
        "transfer": False,
        "seconds": {},
        "environment": {"revision": "0123456789abcdef"},
        **changes,
    }


def results(shift: float = 0.0, **changes: Any) -> list[dict[str, Any]]:
    """Two folds with three seeds each."""
    return [result(fold, seed, shift, **changes) for fold in TESTS for seed in (0, 1, 2)]


def write_results(folder: Path, documents: list[dict[str, Any]]) -> Path:
    """Put results where `llmvs table` looks for them."""
    for one in documents:
        write_json(folder / f"fold{one['fold']}" / f"seed{one['seed']}" / "result.json", one)
    return folder


def format_2(document: dict[str, Any]) -> dict[str, Any]:
    """A result in the words of format 2."""
    old = {**document, "format": 2}
    old["floors"], old["extra"] = old.pop("baselines"), old.pop("other_datasets")
    return old
