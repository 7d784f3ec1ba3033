"""A folder of your own: videos, and what one or several people say of every second or step
(docs/own_data.md).

    ROOT/scores.csv or scores.json    see `llmvs.datasets.scores`
    ROOT/shots.csv                    optional; see `llmvs.datasets.shots_file`
    ROOT/*.mp4, or ROOT/videos/*.mp4  any format that FFmpeg reads; a video goes by its file name
                                      without suffix

The steps are those that the settings sample. Scores keep their own scale for the protocols, which
only rank; for the training target they are scaled from the smallest and the largest score of the
file to [0, 1].
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from llmvs.console import tracked
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Sampling
from llmvs.datasets.files import gtscore_of
from llmvs.datasets.scores import Scores, read_scores
from llmvs.datasets.shots_file import FILE, ShotsFile
from llmvs.datasets.splits import FOLDS, generated, leave_one_out
from llmvs.datasets.video import Array, Video
from llmvs.errors import UserError, nearest
from llmvs.files import check_name, composed, printable
from llmvs.video.clock import frame_times, step_frames
from llmvs.video.container import is_video

RENAME = "its files in the cache would go by it: rename the file"
FILES = ("scores.csv", "scores.json")
ROUNDING = 1e-3
"""Seconds by which a duration may miss a whole number."""


def load(root: Path, sampling: Sampling) -> Dataset:
    """Read a folder of videos and their scores.

    Five folds of both kinds are made from the videos' names; with fewer than five videos, every
    fold tests one of them.

    Raises:
        UserError: no scores, a video without scores or scores without a video, a wrong number of
            scores, not a number.
    """
    root = Path(root)
    name = f"folder-{root.resolve().name}"
    check_name(name, f"data.root={printable(root)}", "the dataset goes by it: rename the folder")
    given = [root / name for name in FILES if (root / name).is_file()]
    if len(given) != 1:
        problem = (
            "both of"
            if given
            else "none of"
            if root.is_dir()
            else "no such folder; expected one of"
        )
        raise UserError(
            f"data.root={root}: {problem} {', '.join(FILES)} (docs/own_data.md shows what they look"
            " like)"
        )
    scores, files = read_scores(given[0]), videos_of(root)
    known = ShotsFile(root / FILE, files) if (root / FILE).is_file() else None
    named = _matched(scores, files)
    values = [row for people in scores.sheet.values() for row in people.values()]
    scale = min(map(min, values)), max(map(max, values))
    ordered = tracked(named.items(), "video headers", "video")
    videos = {
        key: _with_shots(_video(key, files[key], scores, name, scale, sampling), known)
        for key, name in ordered
    }
    if len(videos) < 2:
        raise UserError(
            f"{root}: one video cannot both train and test: add others, with their scores in"
            f" {given[0].name}"
        )
    splits = generated(list(videos), name) if len(videos) >= FOLDS else leave_one_out(list(videos))
    return Dataset(name, "ratings", videos, splits)


def videos_of(root: Path) -> dict[str, Path]:
    """Find the videos of a folder: key -> file.

    Raises:
        UserError: two videos of one name, or a name that cannot be a key.
    """
    found: dict[str, Path] = {}
    for path in sorted([*root.glob("*"), *root.glob("videos/*")]):
        if is_video(path):
            check_name(path.stem, printable(path), RENAME)
            other = found.setdefault(composed(path.stem), path)
            if other != path:
                raise UserError(
                    f"{path} and {other} are both called {path.stem}: rename one of them"
                )
    return {path.stem: path for path in found.values()}


def _with_shots(annotations: Annotations, known: ShotsFile | None) -> Annotations:
    """A video with its shots, where they are known."""
    if known is None:
        return annotations
    return replace(annotations, shots=known.shots_of(annotations.key, annotations.n_frames))


def _matched(scores: Scores, files: dict[str, Path]) -> dict[str, str]:
    """Key -> the video's name in the scores (with or without suffix), in order of the keys."""
    named: dict[str, str] = {}
    by_name = {composed(key): key for key in files}
    by_name |= {composed(path.name): key for key, path in files.items()}
    for name in scores.sheet:
        key = by_name.get(composed(name))
        if key is None:
            raise UserError(
                f"{scores.place(name)}: scores of {name}, but no such video in"
                f" {scores.path.parent}{nearest(name, files)}"
            )
        if key in named:
            raise UserError(
                f"{scores.place(name)}: {name} and {named[key]} are the same video: score it under"
                " one name"
            )
        named[key] = name
    for key, path in files.items():
        if key not in named:
            raise UserError(
                f"{path}: no scores of it in {scores.path}: add them, or move the video away"
            )
    return {key: named[key] for key in files}


def _video(
    key: str, path: Path, scores: Scores, name: str, scale: tuple[float, float], sampling: Sampling
) -> Annotations:
    times = frame_times(path)
    if len(times) < 2:
        raise UserError(f"{path}: {len(times)} frames: not a video that can be sampled")
    picks = step_frames(times, sampling.fps, sampling.every_nth_frame)
    rows = np.array(list(scores.sheet[name].values()), np.float64)
    place = f"{scores.place(name)}: {name}"
    people = (
        _of_seconds(rows, times, picks, place)
        if scores.per == "second"
        else _of_steps(rows, picks, place, sampling)
    )
    frames = np.repeat(people, np.diff(np.append(picks, len(times))), axis=1)
    fps = (len(times) - 1) / float(times[-1] - times[0])
    return Annotations(
        Video(key, path.name, path, picks, fps=fps),
        len(times),
        gtscore_of(frames, picks, *scale),
        user_scores=frames,
    )


def _of_steps(rows: Array, picks: Array, place: str, sampling: Sampling) -> Array:
    if rows.shape[1] != len(picks):
        raise UserError(
            f"{place}: {rows.shape[1]} scores, expected {len(picks)}: one for every step that"
            f" {sampling} samples"
        )
    return rows


def _of_seconds(rows: Array, times: Array, picks: Array, place: str) -> Array:
    """[U, S] -> [U, T]: a second's score holds over its steps. The last, incomplete second may have
    a score or not.
    """
    gap = (times[-1] - times[0]) / (len(times) - 1)
    lasts = float(times[-1] - times[0] + gap)
    least, most = max(1, math.floor(lasts + ROUNDING)), math.ceil(lasts - ROUNDING)
    if not least <= rows.shape[1] <= most:
        expected = f"{least}" if least == most else f"{least} or {most}"
        raise UserError(
            f"{place}: scores of {rows.shape[1]} seconds, expected {expected}: the video lasts"
            f" {lasts:.2f} seconds"
        )
    # A step is the frame nearest to its time: maybe half a frame before its second begins.
    seconds = np.floor(times[picks] - times[0] + gap / 2 + ROUNDING).astype(np.int64)
    return rows[:, np.minimum(seconds, rows.shape[1] - 1)]
