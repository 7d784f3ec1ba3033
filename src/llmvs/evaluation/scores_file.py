"""Anybody's step scores from a file, to be evaluated."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import numpy.typing as npt

from llmvs.datasets import DATASETS, h5
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.datasets.fields import numbers
from llmvs.errors import UserError
from llmvs.files import read_json

Per = Literal["step", "frame"]
"""What a file has one score for."""
FIELDS = ("scores", "score")
"""What a video's scores are called in an h5 file with a group per video."""


def read_scores(
    path: Path, dataset: Dataset, per: Per = "step"
) -> dict[str, npt.NDArray[np.float64]]:
    """Read scores from JSON `{video: [...]}`, or an h5 file with an array per video or a group that
    holds `scores` or `score`.

    Videos go by key (`video_1`) or by name (`Air_Force_One`), also behind a prefix
    (`summe/video_1`) where that leaves no doubt. An array may be a column [T, 1] or a row [1, T].

    Args:
        path: the file.
        dataset: whose videos are scored.
        per: what there is one score for; of frames, the one at each step's frame counts.

    Returns:
        Key -> [T], one per step.

    Raises:
        UserError: unreadable file, unknown video or one that stands twice, not a list of numbers,
            wrong length, NaN.
    """
    found = (
        _read_h5(path)
        if path.suffix in (".h5", ".hdf5")
        else read_json(path, "scores: {video: [one number per step]}")
    )
    if not isinstance(found, dict) or not found:
        raise UserError(
            f"{path}: expected scores of at least one video: {{video: [one number per step]}}"
        )
    by_name = {video.name: key for key, video in dataset.videos.items()}
    scores: dict[str, npt.NDArray[np.float64]] = {}
    given: dict[str, str] = {}
    for name, values in found.items():
        key = _key_of(name, dataset, by_name)
        video = dataset.annotations_of(key)
        if given.setdefault(key, name) != name:
            raise UserError(
                f"{path}: {given[key]} and {name} are the same video: score it under one name"
            )
        scores[key] = _per_step(_array(path, name, values), video, f"{path}: {name}", per)
    return scores


def _key_of(name: str, dataset: Dataset, by_name: Mapping[str, str]) -> str:
    """The key of the video that a file calls `name`; `name` itself where none is meant for sure."""
    if name in dataset.annotations:
        return name
    if name in by_name:
        return by_name[name]
    known = {key: key for key in dataset.annotations} | dict(by_name)
    meant = {
        key
        for own, key in known.items()
        if name.endswith(own) and _is_prefix(name[: -len(own)], dataset.name)
    }
    return meant.pop() if len(meant) == 1 else name


def _is_prefix(text: str, dataset: str) -> bool:
    """Whether a text can stand before a video's name: it ends with a mark, and names no other
    dataset.
    """
    others = [name for name in DATASETS if name not in (dataset, "folder", "demo")]
    return bool(re.fullmatch(r".*[^0-9A-Za-z]", text, re.DOTALL)) and not any(
        other in text.lower() for other in others
    )


def _array(path: Path, name: str, values: Any) -> npt.NDArray:
    if not isinstance(values, list):
        return np.asarray(values)
    flat = values
    if values and all(isinstance(value, list) and len(value) == 1 for value in values):
        flat = [value[0] for value in values]
    elif len(values) == 1 and isinstance(values[0], list):
        flat = values[0]
    for step, value in enumerate(flat):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UserError(f"{path}: {name}: {str(value)[:40]!r} at step {step} is not a number")
    return np.array(flat, np.float64)


def _per_step(
    values: npt.NDArray, video: Annotations, place: str, per: Per
) -> npt.NDArray[np.float64]:
    """[T] from [T], [T, 1] or [1, T], or the same of frames."""
    if values.ndim == 2 and 1 in values.shape:
        values = values.reshape(-1)
    if per == "frame":
        frames = numbers(values, place, (video.n_frames,))
        return frames[video.picks]
    if values.shape == (video.n_frames,) and video.n_frames != video.n_steps:
        raise UserError(
            f"{place}: has {video.n_frames} scores, one for each frame, where the video has"
            f" {video.n_steps} steps: say --per frame"
        )
    return numbers(values, place, (video.n_steps,))


def _read_h5(path: Path) -> dict[str, Any]:
    place, found = str(path), dict[str, Any]()
    with h5.open_h5(path) as file:
        for name in h5.names(file, place):
            if isinstance(_opened(file, name), h5py.Group):
                at = f"{place}: {h5.said(name)}"
                group = h5.group_of(file, name, place)
                field = next((one for one in FIELDS if one in h5.names(group, at)), FIELDS[0])
                found[name] = h5.value_of(group, field, at)
            else:
                found[name] = h5.value_of(file, name, place)
    return found


def _opened(file: h5py.File, name: str) -> Any:
    try:
        return file.get(name)
    except h5.UNREADABLE:
        return None  # reading it says what is wrong
