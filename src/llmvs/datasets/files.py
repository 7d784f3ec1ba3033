"""Finding the files in which this field's datasets are passed around, and what they share."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from llmvs.datasets.h5 import said
from llmvs.datasets.video import Array
from llmvs.errors import UserError
from llmvs.files import composed
from llmvs.video.container import is_video

SAME = 1e-4
"""By so much a gtscore may miss the annotators' mean before it is another target."""


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
    wanted = {alike(name) for name in names}
    for folder in (root / "videos", root / "video", root):
        if folder.is_dir():
            for path in filter(is_video, sorted(folder.iterdir())):
                if alike(path.stem) in wanted or bracketed(path) in names:
                    return path
    return None


def alike(name: str) -> str:
    """What names of one video have in common, however a file of it was called.

    >>> alike("Bike_Polo") == alike("bike polo")
    True
    """
    return composed(name.replace("_", " ").casefold())


def bracketed(path: Path) -> str | None:
    """Give the id that yt-dlp puts at the end of a file's name; None where there is none.

    >>> bracketed(Path("A title [JhdjUam0l6A].mp4"))
    'JhdjUam0l6A'
    """
    found = re.search(r"\[([\w-]{6,})\]$", path.stem)
    return found.group(1) if found else None


def gtscore_of(user_values: Array, picks: Array, low: float, high: float) -> Array:
    """Mean over annotators [U, n_frames] at the picks, scaled from [low, high] to [0, 1]:
    float32 [T].
    """
    mean = user_values[:, picks].astype(np.float64).mean(axis=0)
    return ((mean - low) / (high - low)).astype(np.float32)


def other_mean(gtscore: Array, mean: Array) -> Array | None:
    """The annotators' `mean` [T] where a file's `gtscore` [T] is another target; None where they
    differ by rounding at most.
    """
    return mean if np.abs(gtscore - mean).max() > SAME else None


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


def refuse_twins(names: Mapping[str, str], place: str) -> None:
    """Refuse two videos of one name: both would be looked for in one file.

    Args:
        names: key -> name.
        place: file, for an error.

    Raises:
        UserError: names both keys.
    """
    seen: dict[str, str] = {}
    for key, name in names.items():
        if seen.setdefault(name, key) != key:
            raise UserError(
                f"{place}: {said(seen[name])} and {said(key)} are both called {said(name)}:"
                " is a video there twice?"
            )


def refuse_key_twins(keys: Iterable[str], place: str) -> dict[str, str]:
    """Refuse `video_1` beside `video_01`; other keys may be any.

    Args:
        keys: of videos, in a file.
        place: the file, for an error.

    Returns:
        Key in the file -> `video_N`, of the keys that are numbered so.

    Raises:
        UserError: names both.
    """
    numbered: dict[str, str] = {}
    for key in keys:
        if match := re.fullmatch(r"video_(\d+)", key, re.ASCII):
            plain = f"video_{int(match[1])}"
            twin = numbered.setdefault(plain, key)
            if twin != key:
                raise UserError(f"{place}: {twin} and {key} are two names of one video: keep one")
    return {key: plain for plain, key in numbered.items()}
