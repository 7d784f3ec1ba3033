"""Anybody's step scores from a file, to be evaluated."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from llmvs.datasets.base import Dataset
from llmvs.errors import UserError
from llmvs.files import read_json


def read_scores(path: Path, dataset: Dataset) -> dict[str, npt.NDArray[np.float32]]:
    """Step scores from JSON `{video: [...]}` or an h5 file of one array (or group with `scores`)
    per video.

    Videos go by key (`video_1`) or by name (`Air_Force_One`).

    Raises:
        UserError: unreadable file, unknown video, not a list of numbers, wrong length, NaN.
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
    scores = {}
    for name, values in found.items():
        video = dataset.annotations_of(by_name.get(name, name))
        try:
            array = np.asarray(values, dtype=np.float32)
        except (TypeError, ValueError):
            raise UserError(f"{path}: {name}: not a list of numbers") from None
        if array.shape != (video.n_steps,):
            raise UserError(
                f"{path}: {name}: scores of shape {list(array.shape)}, expected one for each of its"
                f" {video.n_steps} steps"
            )
        if not np.isfinite(array).all():
            raise UserError(
                f"{path}: {name}: NaN or infinite score at step"
                f" {int(np.flatnonzero(~np.isfinite(array))[0])}"
            )
        scores[video.key] = array
    return scores


def _read_h5(path: Path) -> dict[str, Any]:
    try:
        with h5py.File(path, "r") as file:
            items = {
                key: file[key]["scores"] if isinstance(file[key], h5py.Group) else file[key]
                for key in file
            }
            return {key: item[()] for key, item in items.items()}
    except (OSError, KeyError) as error:
        raise UserError(f"{path}: not readable as an h5 file of scores: {error}") from error
