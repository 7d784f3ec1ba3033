"""Mr. HiSum: 31,892 videos of YouTube-8M with what viewers replayed most, one score a second (Sul
et al., NeurIPS 2023).

Read from `data.root`, as its authors publish it:

* `mr_hisum.h5`: a group `video_N` per video with `gtscore` [T], in [0, 1]; `change_points` [S, 2],
the shots in seconds; and
  `gt_summary` (also spelled `gtsummary`) [T], the 0/1 key-shot summary of gtscore. `features` are
  not needed;
* `mr_hisum_split.json` (or `mrsum_split.json`): `train_keys`, `val_keys`, `test_keys`;
* optionally `metadata.csv`, for the YouTube ids (columns `video_id`, `youtube_id`), and the videos
by id or key in `videos/`, to
  extract from at one step per second (`extract.fps=1`).

The second is the only clock of these files, so it stands where other datasets have the frame.
"""

import csv
import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from llmvs.console import tracked
from llmvs.datasets import fields, h5
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Sampling
from llmvs.datasets.files import absent, bracketed, first, refuse_twins
from llmvs.datasets.splits import read_splits
from llmvs.datasets.video import Array, Video
from llmvs.errors import UserError
from llmvs.files import printable
from llmvs.video.container import is_video

logger = logging.getLogger(__name__)

HOME = "https://github.com/MRHiSum/MR.HiSum"
H5_NAMES = (
    "mr_hisum.h5",
    "mrsum.h5",
    "mrsum_with_features_gtsummary_modified.h5",
    "*hisum*.h5",
    "*mrsum*.h5",
)
SUMMARIES = ("gt_summary", "gtsummary")
SPLIT_NAMES = ("mr_hisum_split.json", "mrsum_split.json", "*split*.json")
PARTS = ("train_keys", "val_keys", "test_keys")


def load(root: Path) -> Dataset:
    """Read Mr. HiSum from a folder. Its one fold, with its own validation videos, is fold 0 of both
    kinds of splits.

    Raises:
        UserError: a file is missing or not what it should be.
    """
    path, split = first(root, H5_NAMES), first(root, SPLIT_NAMES)
    if path is None:
        raise absent(root, H5_NAMES, "Mr. HiSum's annotations", HOME)
    if split is None:
        raise absent(root, SPLIT_NAMES, "Mr. HiSum's splits", HOME)
    train, val, test = _splits(split)
    names, files = _youtube_ids(root), _files(root)
    videos, place = {}, printable(path)
    with h5.open_h5(path) as file:
        there = dict.fromkeys(h5.names(file, place))
        wanted = [key for key in (*train, *val, *test) if key in there]
        more = [h5.said(key) for key in there.keys() - wanted]
        if more:
            logger.warning(
                "note: %s: %s videos are in no part of %s, not read", place, len(more), split.name
            )
        for key, group in h5.groups(file, tracked(wanted, "annotations", "video"), place):
            name = names.get(key, key)
            video_file = files.get(name, files.get(key))
            videos[key] = _video(key, name, group, f"{place}: {key}", video_file)
    refuse_twins({key: video.name for key, video in videos.items()}, str(root / "metadata.csv"))
    folds = [(train, test)]
    return Dataset(
        "mrhisum",
        "replays",
        videos,
        {"paper": folds, "disjoint": folds},
        sampling=Sampling(fps=1.0),
        validation=tuple(val),
        source=str(path),
        features=path,
    )


def _splits(path: Path) -> tuple[list[str], list[str], list[str]]:
    """Its keys to train, to choose the epoch, to test."""
    folds, val = read_splits(path)
    if len(folds) > 1 or not val:
        raise UserError(
            f"{path}: expected lists of keys {', '.join(PARTS)}: Mr. HiSum's splits are published"
            f" at {HOME}"
        )
    return folds[0][0], list(val), folds[0][1]


def _video(key: str, name: str, group: h5py.Group, place: str, path: Path | None) -> Annotations:
    there = set(h5.names(group, place))
    lacking = [field for field in ("gtscore", "change_points") if field not in there]
    if lacking:
        raise UserError(
            f"{place} has no {', '.join(lacking)}: expected Mr. HiSum's h5 file ({HOME})"
        )
    gtscore = fields.numbers(
        h5.value_of(group, "gtscore", place), f"{place}: gtscore", ("seconds",), 0, 1
    )
    seconds = len(gtscore)
    if not seconds:
        raise UserError(f"{place}: gtscore is empty")
    begins = fields.whole_numbers(
        h5.value_of(group, "change_points", place), f"{place}: change_points", ("shots", 2)
    )
    if (begins[1:, 0] < begins[:-1, 0]).any():
        falls = np.flatnonzero(np.diff(begins[:, 0]) < 0)
        raise UserError(
            f"{place}: change_points: shot {falls[0] + 1} begins before shot {falls[0]}: expected"
            " increasing seconds"
        )
    shown = next((field for field in SUMMARIES if field in there), None)
    return Annotations(
        Video(key, name, path, np.arange(seconds), fps=1.0, counts_steps=True),
        seconds,
        gtscore,
        user_scores=gtscore[None],
        user_summary=_fitted(h5.value_of(group, shown, place), f"{place}: {shown}", seconds)
        if shown
        else None,
        shots=_shots(begins, seconds),
    )


def _shots(change_points: Array, seconds: int) -> Array:
    """Shots without gaps from where they begin, whether the file's ends are inclusive or not."""
    begins = np.unique(np.concatenate([[0], change_points[:, 0]]))
    begins = begins[(begins >= 0) & (begins < seconds)]
    return np.stack([begins, np.append(begins[1:], seconds) - 1], axis=1)


def _fitted(summary: Any, place: str, seconds: int) -> Array:
    """[1, seconds] 0/1: what a summary lacks at its end is not shown, as in the authors'
    evaluation.
    """
    shown = np.zeros((1, seconds), np.uint8)
    flat = fields.whole_numbers(np.asarray(summary).ravel(), place, ("seconds",), 0, 1)[:seconds]
    shown[0, : len(flat)] = flat > 0
    return shown


def _youtube_ids(root: Path) -> dict[str, str]:
    """Key -> YouTube id, where metadata.csv is there."""
    path = root / "metadata.csv"
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(row["video_id"], row["youtube_id"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, csv.Error, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: expected Mr. HiSum's table with the columns video_id and youtube_id"
            f" ({error}): {HOME}"
        ) from None
    return {key: name for key, name in rows if key and name}


def _files(root: Path) -> dict[str, Path]:
    """Stem, or the id in it, -> video file, looked up once: there may be tens of thousands."""
    return {
        bracketed(path) or path.stem: path
        for path in sorted(root.glob("videos/*"))
        if is_video(path)
    }
