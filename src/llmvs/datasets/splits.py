"""Which videos train and which test: published splits as data files, generated ones for other
datasets, and the
validation part that an honest selection of the epoch needs.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llmvs.datasets.base import Dataset, Fold
from llmvs.datasets.files import refuse_key_twins
from llmvs.datasets.video import RENAME
from llmvs.errors import UserError
from llmvs.files import check_name, printable, read_json

Split = tuple[list[str], list[str]]
"""Train keys, test keys."""
FOLDS = 5


def published(name: str) -> dict[str, list[Split]]:
    """The `paper` and `disjoint` splits of `summe` or `tvsum`, by the keys video_1, video_2, ..."""
    table = _facts(name)
    everything = range(1, table["videos"] + 1)
    return {
        kind: [
            ([f"video_{i}" for i in everything if i not in test], [f"video_{i}" for i in test])
            for test in table[kind]
        ]
        for kind in ("paper", "disjoint")
    }


def published_names(name: str) -> dict[str, str]:
    """Key video_1, video_2, ... -> what its authors call the video, of `summe` or `tvsum`."""
    return {f"video_{i}": one for i, one in enumerate(_facts(name)["names"], start=1)}


def _facts(name: str) -> Any:
    return read_json(
        Path(__file__).parent / "published" / f"{name}.json", "the splits of a dataset"
    )


def read_splits(path: Path) -> tuple[list[Split], tuple[str, ...]]:
    """Read the folds of a JSON file, as this field passes them around.

    Args:
        path: a list of `{"train_keys": [...], "test_keys": [...]}`, or one such table, which may
            have `val_keys`.

    Returns:
        Train and test keys of every fold, and the validation keys.

    Raises:
        UserError: something else, a key that stands twice in a fold.
    """
    place, content = printable(path), read_json(path, "splits")
    validation: list[str] = []
    tables = content if isinstance(content, list) else [content]
    folds = []
    for number, table in enumerate(tables):
        train, val, test = (
            table.get(f"{part}_keys", []) if isinstance(table, dict) else []
            for part in ("train", "val", "test")
        )
        parts = [train, val, test]
        keys = [key for part in parts if isinstance(part, list) for key in part]
        if not (train and test and len(keys) == sum(map(len, parts))) or not all(
            isinstance(key, str) for key in keys
        ):
            raise UserError(
                f'{place}: fold {number}: expected {{"train_keys": [...], "test_keys": [...]}}'
            )
        for key in keys:
            check_name(key, place, RENAME)
        refuse_key_twins(dict.fromkeys(keys), place)
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise UserError(f"{place}: {twice} is in two places of fold {number}")
        if val and len(tables) > 1:
            raise UserError(
                f"{place}: val_keys beside several folds: which videos choose the epoch?"
            )
        validation += val
        folds.append((train, test))
    if not folds:
        raise UserError(f"{place}: no folds in it")
    return folds, tuple(validation)


def generated(keys: Sequence[str], name: str) -> dict[str, list[Split]]:
    """Splits of the same two kinds for any dataset: five random 80/20 splits, and five disjoint
    folds.

    They depend on the dataset's name and keys only.

    Raises:
        UserError: fewer than five videos.
    """
    if len(keys) < FOLDS:
        raise UserError(
            f"{name}: {len(keys)} videos are too few for {FOLDS} folds: at least {FOLDS} are needed"
        )
    ordered = sorted(keys, key=_natural)
    rng = np.random.default_rng(zlib.crc32(name.encode()))

    def split(test: Sequence[str]) -> Split:
        return [key for key in ordered if key not in test], sorted(map(str, test), key=_natural)

    overlapping = [
        split(list(rng.permutation(ordered)[: max(1, round(len(ordered) / FOLDS))]))
        for _ in range(FOLDS)
    ]
    disjoint = [split(list(part)) for part in np.array_split(rng.permutation(ordered), FOLDS)]
    return {"paper": overlapping, "disjoint": disjoint}


def leave_one_out(keys: Sequence[str]) -> dict[str, list[Split]]:
    """One fold per video, which tests that video alone: for fewer videos than `generated` needs."""
    ordered = sorted(keys, key=_natural)
    folds = [([other for other in ordered if other != key], [key]) for key in ordered]
    return {"paper": folds, "disjoint": folds}


def fold(dataset: Dataset, kind: str, index: int, val_fraction: float) -> Fold:
    """Fold `index` of a dataset, with `val_fraction` of its training videos held out for
    validation.

    The validation part depends on the dataset, the kind of splits and the fold, not on the seed of
    a run, so that runs with several seeds are comparable. `val_fraction` 0 leaves all training
    videos to train on. A dataset whose authors set validation videos aside keeps all training
    videos in any case.

    Raises:
        UserError: no such fold, or too few training videos to hold any out.
    """
    folds = dataset.splits[kind]
    if not 0 <= index < len(folds):
        raise UserError(
            f"fold={index}: {dataset.name} has {len(folds)} {kind} folds, 0 to {len(folds) - 1}"
        )
    train, test = folds[index]
    if not test or not train:
        what = "test" if not test else "training"
        raise UserError(
            f"fold={index}: none of its {what} videos is left ({len(dataset.absent)} are left out):"
            " choose another fold"
        )
    if dataset.validation:
        return Fold(index, tuple(train), dataset.validation if val_fraction else (), tuple(test))
    held = max(1, round(val_fraction * len(train))) if val_fraction else 0
    if held >= len(train):
        raise UserError(
            f"fold {index} of {dataset.name} has {len(train)} training videos: too few to hold"
            f" {held} out for validation"
        )
    rng = np.random.default_rng(zlib.crc32(f"{dataset.name} {kind} {index}".encode()))
    val = set(rng.permutation(train)[:held].tolist())
    return Fold(
        index,
        tuple(key for key in train if key not in val),
        tuple(key for key in train if key in val),
        tuple(test),
    )


def _natural(key: str) -> tuple[str, int, str]:
    """Sort key that puts video_2 before video_10."""
    stem = key.rstrip("0123456789")
    return stem, int(key[len(stem) :] or -1), key
