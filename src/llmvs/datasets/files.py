"""Finding and reading the files in which this field's datasets are passed around."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from llmvs.datasets.video import Array
from llmvs.errors import UserError
from llmvs.video.container import is_video


def first(root: Path, names: Iterable[str]) -> Path | None:
    """The first of `names` (which may be glob patterns) that is a file in `root`."""
    return next(
        (path for name in names for path in sorted(root.glob(name)) if path.is_file()), None
    )


def absent(root: Path, names: Iterable[str], what: str, home: str) -> UserError:
    """The error of a dataset whose files are not in `root`: what was looked for, and where its
    authors publish it.
    """
    problem = f"none of {', '.join(names)}" if root.is_dir() else "no such folder"
    return UserError(f"data.root={root}: {problem}; expected {what}, published at {home}")


def find_video(root: Path, names: Iterable[str]) -> Path | None:
    """Find the video file called one of `names` in `root`, `root/videos` or `root/video`.

    Spaces and underscores are alike; a file that yt-dlp wrote, `Title [id].mp4`, goes by its id.
    """
    names = set(names)
    wanted = {name.replace(" ", "_").casefold() for name in names}
    for folder in (root / "videos", root / "video", root):
        if folder.is_dir():
            for path in filter(is_video, sorted(folder.iterdir())):
                if path.stem.replace(" ", "_").casefold() in wanted or bracketed(path) in names:
                    return path
    return None


def bracketed(path: Path) -> str | None:
    """Give the id that yt-dlp puts at the end of a file's name; None where there is none.

    >>> bracketed(Path("A title [JhdjUam0l6A].mp4"))
    'JhdjUam0l6A'
    """
    found = re.search(r"\[([\w-]{6,})\]$", path.stem)
    return found.group(1) if found else None


def open_h5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading, or raise a UserError that names it."""
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise UserError(
            f"{path}: not readable as an HDF5 file ({error}): is the download complete?"
        ) from error


def read_eccv16(path: Path, fields: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Every `video_N` group of an h5 file in the field's "eccv16" layout, in the order of N.

    Args:
        path: the h5 file.
        fields: what every group must have. Other small fields come along; `features` do not.

    Returns:
        For every key the group's arrays, numbers and texts. `change_points` are clipped to the
        video.

    Raises:
        UserError: not HDF5, no such groups, or a group without a needed field.
    """
    needed = list(fields)
    with open_h5(path) as file:
        keys = sorted(
            (key for key in file if key.startswith("video_") and key[6:].isdigit()),
            key=lambda key: int(key[6:]),
        )
        if not keys:
            raise UserError(
                f"{path}: has no groups video_1, video_2, ...: expected an h5 file in the eccv16"
                " layout"
            )
        groups = {}
        for key in keys:
            absent = [name for name in needed if name not in file[key]]
            if absent:
                raise UserError(
                    f"{path}: {key} has no {', '.join(absent)}: expected an h5 file in the eccv16"
                    " layout"
                )
            groups[key] = {
                name: _plain(file[key][name][()])
                for name in file[key]
                if name not in ("features", "gtsummary")
            }
    for group in groups.values():
        if "change_points" in group:
            group["change_points"] = np.minimum(
                group["change_points"].astype(np.int64), int(group["n_frames"]) - 1
            )
    return groups


def gtscore_of(user_values: Array, picks: Array, low: float, high: float) -> Array:
    """Mean over annotators [U, n_frames] at the picks, scaled from [low, high] to [0, 1]: float32
    [T].
    """
    return ((user_values[:, picks].astype(np.float64).mean(axis=0) - low) / (high - low)).astype(
        np.float32
    )


def same_length(key: str, lengths: Mapping[str, int]) -> int:
    """The number of frames on which all sources agree.

    Raises:
        UserError: they do not; names each source with its number.
    """
    if len(set(lengths.values())) != 1:
        said = ", ".join(f"{count} in {source}" for source, count in lengths.items())
        raise UserError(
            f"{key}: annotations of different length: {said} frames: are the files of one release?"
        )
    return next(iter(lengths.values()))


def _plain(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else value
