"""A data set of your own in this field's "eccv16" layout: one h5 file, with any keys
(docs/own_data.md; `llmvs.datasets.eccv16_file` names the fields).

    ROOT/*.h5             n_frames and picks of every video, and at least one of user_scores,
                          user_summary and gtscore; change_points where shots are known
    ROOT/*split*.json     optionally the folds, [{"train_keys": [...], "test_keys": [...]}, ...]
    ROOT/videos/*         optionally the videos, by `video_name` or by key, to extract from

Where all videos have ratings these are compared with, else votes, else `gtscore` as if one person
had given it.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Sampling
from llmvs.datasets.eccv16_file import Entry, read_eccv16
from llmvs.datasets.files import find_video, gtscore_of, other_mean
from llmvs.datasets.splits import FOLDS, generated, leave_one_out, read_splits
from llmvs.datasets.video import RENAME, Array, Video
from llmvs.errors import UserError, first_few
from llmvs.files import check_name, printable

logger = logging.getLogger(__name__)

NEEDED = ("picks",)
PEOPLE = ("user_scores", "user_summary", "gtscore")
"""What people said, the most telling first."""


def load(root: Path) -> Dataset:
    """Read the h5 file in a folder.

    Folds are those of a file of splits beside it; without one, five of both kinds are made from the
    keys, and with fewer than five videos every fold tests one of them.

    Raises:
        UserError: no h5 file or several, a field that is missing or wrong, fewer than two videos.
    """
    root = Path(root)
    name = f"eccv16-{root.resolve().name}"
    check_name(name, f"data.root={printable(root)}", "the dataset goes by it: rename the folder")
    path = _only(root, "*.h5", "h5 file in the eccv16 layout")
    assert path is not None
    entries = read_eccv16(path, NEEDED, numbered=False)
    for key in entries:
        check_name(key, printable(path), RENAME)
    if len(entries) < 2:
        raise UserError(f"{path}: one video cannot both train and test: add others")
    said = _said(entries, path)
    scale = _scale(entries) if said == "user_scores" else (0.0, 1.0)
    videos = {key: _video(entry, said, scale, root) for key, entry in entries.items()}
    validation: tuple[str, ...] = ()
    keys = list(videos)
    splits = generated(keys, name) if len(keys) >= FOLDS else leave_one_out(keys)
    if given := _only(root, "*split*.json", "", needed=False):
        folds, validation = read_splits(given)
        splits = {"paper": folds, "disjoint": folds}
        named = {*validation, *(key for fold in folds for part in fold for key in part)}
        if more := [key for key in videos if key not in named]:
            logger.warning("note: %s: %s: in no fold of %s", path, first_few(more), given.name)
    return Dataset(
        name,
        "votes" if said == "user_summary" else "ratings",
        videos,
        splits,
        sampling=_sampling(entries.values()),
        validation=validation,
        source=str(path),
        features=path,
    )


def _only(root: Path, pattern: str, what: str, needed: bool = True) -> Path | None:
    found = [path for path in sorted(root.glob(pattern)) if path.is_file()]
    if len(found) > 1 or (needed and not found):
        problem = (
            f"{', '.join(path.name for path in found)}: keep one"
            if found
            else f"no {what} ({pattern}) in this folder"
            if root.is_dir()
            else f"no such folder; expected an {what} in it"
        )
        raise UserError(f"data.root={root}: {problem} (docs/own_data.md)")
    return found[0] if found else None


def _said(entries: Mapping[str, Entry], path: Path) -> str:
    """The field that the scores of all videos are compared with."""
    for field in PEOPLE:
        without = [key for key, entry in entries.items() if getattr(entry, field) is None]
        if not without:
            if field == "gtscore":
                logger.warning(
                    "note: %s: has gtscore alone: it is compared with as one person's rating", path
                )
            return field
        if len(without) < len(entries):
            logger.warning(
                "note: %s: %s without %s: not compared with", path, first_few(without), field
            )
    without = [
        key
        for key, entry in entries.items()
        if all(getattr(entry, field) is None for field in PEOPLE)
    ]
    raise UserError(
        f"{path}: {first_few(without or list(entries))} has none of {', '.join(PEOPLE)} that all"
        " videos have: one is needed"
    )


def _scale(entries: Mapping[str, Entry]) -> tuple[float, float]:
    """The lowest and the highest rating."""
    ratings = [entry.user_scores for entry in entries.values() if entry.user_scores is not None]
    low, high = min(float(one.min()) for one in ratings), max(float(one.max()) for one in ratings)
    if low == high:
        raise UserError(
            f"{next(iter(entries.values())).place}: user_scores: all ratings are {low:g}, of every"
            " video: nothing is more important than anything else"
        )
    return low, high


def _video(entry: Entry, said: str, scale: tuple[float, float], root: Path) -> Annotations:
    picks = entry.picks
    assert picks is not None
    people = entry.user_scores if said == "user_scores" else entry.user_summary
    gtscore, own_mean = entry.gtscore, None
    if said != "gtscore":
        assert people is not None
        mean = gtscore_of(people, picks, *scale)
        own_mean = None if gtscore is None else other_mean(gtscore, mean)
        gtscore = mean if gtscore is None else gtscore
    assert gtscore is not None
    ratings = entry.user_scores if said == "user_scores" else None
    fps = entry.fps or (entry.n_frames / entry.seconds if entry.seconds else None)
    return Annotations(
        Video(entry.key, entry.name, find_video(root, (entry.name, entry.key)), picks, fps=fps),
        entry.n_frames,
        gtscore,
        user_scores=_held(gtscore, picks, entry.n_frames) if said == "gtscore" else ratings,
        user_summary=entry.user_summary,
        user_labels=entry.user_score_raw,
        shots=entry.shots,
        own_mean=own_mean,
    )


def _held(gtscore: Array, picks: Array, n_frames: int) -> Array:
    """[1, n_frames]: a step's score holds until the next step."""
    frames = np.zeros((1, n_frames))
    frames[0, picks[0] :] = np.repeat(gtscore, np.diff(np.append(picks, n_frames)))
    return frames


def _sampling(entries: Iterable[Entry]) -> Sampling | None:
    """The one step in so many frames that all videos' picks are; None where there is none."""
    steps = set()
    for entry in entries:
        assert entry.picks is not None
        every = int(entry.picks[1]) if len(entry.picks) > 1 else entry.n_frames
        if not np.array_equal(entry.picks, np.arange(0, entry.n_frames, every)):
            return None
        if len(entry.picks) > 1:
            steps.add(every)
    return Sampling(every_nth_frame=steps.pop()) if len(steps) == 1 else None
