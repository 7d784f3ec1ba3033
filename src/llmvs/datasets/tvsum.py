"""TVSum: 50 videos, 20 people each, who rated every two seconds from 1 to 5 (Song et al., CVPR
2015).

Read from `data.root`, whichever of these it holds:

* the ratings: `ydata-tvsum50-anno.tsv` or `ydata-tvsum50.mat` (the authors' release), or an h5 file
with `user_scores`;
* optionally an h5 file in the eccv16 layout (`eccv16_dataset_tvsum_google_pool5.h5`), which adds
shots and summaries.

`video_i` is the i-th video in the order of the authors' file. Videos, needed only to extract from,
are looked for by YouTube id in `videos/`, `video/` and `data.root` itself.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Sampling
from llmvs.datasets.files import (
    absent,
    find_video,
    first,
    gtscore_of,
    open_h5,
    read_eccv16,
    same_length,
)
from llmvs.datasets.splits import published
from llmvs.datasets.video import Array, Video
from llmvs.errors import UserError

HOME = "https://github.com/yalesong/tvsum"
RATING_FILES = (
    "ydata-tvsum50-anno.tsv",
    "data/ydata-tvsum50-anno.tsv",
    "ydata-tvsum50.mat",
    "matlab/ydata-tvsum50.mat",
    "*tvsum*.h5",
)
SHOT_FILES = ("eccv16_dataset_tvsum_google_pool5.h5", "*tvsum*.h5")
PICK_EVERY = 15
"""Frames between two picks in the published annotations."""
PEOPLE = 20


@dataclass(frozen=True)
class _Rated:
    """One video as its raters saw it."""

    name: str
    user_scores: Array
    """uint8 [20, n_frames], 1 to 5."""
    seconds: float | None = None


def load(root: Path) -> Dataset:
    """Read TVSum from a folder.

    Raises:
        UserError: the ratings are not there, a file is not what it should be, or the files do not
            belong together.
    """
    source = first(root, RATING_FILES)
    if source is None:
        raise absent(root, RATING_FILES, "TVSum's ratings", HOME)
    rated = {".tsv": _read_tsv, ".mat": _read_matlab, ".h5": _read_h5}[source.suffix](source)
    if len(rated) != 50:
        raise UserError(
            f"{source}: {len(rated)} videos, expected TVSum's 50: is the download complete"
            f" ({HOME})?"
        )
    extra = _shots(root)
    videos = {}
    for i, video in enumerate(rated, start=1):
        key = f"video_{i}"
        videos[key] = _video(key, video, extra.get(key, {}), source, root)
    return Dataset(
        "tvsum",
        "ratings",
        videos,
        published("tvsum"),
        sampling=Sampling(every_nth_frame=PICK_EVERY),
    )


def _video(key: str, rated: _Rated, extra: dict[str, Any], source: Path, root: Path) -> Annotations:
    n_frames = rated.user_scores.shape[1]
    if "n_frames" in extra:
        same_length(
            f"{key} ({rated.name})",
            {source.name: n_frames, "the eccv16 h5 file": int(extra["n_frames"])},
        )
    picks = np.arange(0, n_frames, PICK_EVERY)
    return Annotations(
        Video(
            key,
            rated.name,
            find_video(root, (rated.name, key)),
            picks,
            fps=n_frames / rated.seconds if rated.seconds else None,
        ),
        n_frames,
        gtscore_of(rated.user_scores, picks, 1, 5),
        user_scores=rated.user_scores,
        user_summary=(extra["user_summary"] > 0).astype(np.uint8)
        if "user_summary" in extra
        else None,
        shots=extra.get("change_points"),
    )


def _shots(root: Path) -> dict[str, dict[str, Any]]:
    """The eccv16 file's groups where it has shots; empty where there is no such file."""
    h5 = first(root, SHOT_FILES)
    groups = read_eccv16(h5, ("n_frames",)) if h5 else {}
    return {key: group for key, group in groups.items() if "change_points" in group}


def _read_tsv(path: Path) -> list[_Rated]:
    """The released table: 20 rows a video, in order: YouTube id, category, comma-separated ratings
    of every frame.
    """
    rows: dict[str, list[Array]] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, ratings = line.split("\t")
            rows.setdefault(name, []).append(np.fromstring(ratings, dtype=np.uint8, sep=","))
        videos = [_Rated(name, np.stack(people)) for name, people in rows.items()]
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: not TVSum's table of ratings ({error}): it is published at {HOME}"
        ) from error
    _check(path, videos)
    return videos


def _read_matlab(path: Path) -> list[_Rated]:
    """The authors' MATLAB v7.3 file, which is HDF5: a table of references."""
    with open_h5(path) as file:
        if not isinstance(file.get("tvsum50"), h5py.Group) or "user_anno" not in file["tvsum50"]:
            raise UserError(
                f"{path}: has no table tvsum50 with user_anno: it is published at {HOME}"
            )
        table = file["tvsum50"]

        def column(name: str) -> list[Array]:
            return [file[reference][()] for reference in table[name][()].ravel()]

        names = ["".join(map(chr, text.ravel())) for text in column("video")]
        videos = [
            _Rated(name, people.astype(np.uint8), float(length.item()))
            for name, people, length in zip(
                names, column("user_anno"), column("length"), strict=True
            )
        ]
    _check(path, videos)
    return videos


def _read_h5(path: Path) -> list[_Rated]:
    groups = read_eccv16(path, ("user_scores",))
    videos = [
        _Rated(str(group.get("video_name", key)), group["user_scores"], group.get("length_s"))
        for key, group in groups.items()
    ]
    _check(path, videos)
    return videos


def _check(path: Path, videos: list[_Rated]) -> None:
    for video in videos:
        scores = video.user_scores
        if (
            scores.ndim != 2
            or len(scores) != PEOPLE
            or scores.size == 0
            or scores.min() < 1
            or scores.max() > 5
        ):
            raise UserError(
                f"{path}: {video.name}: ratings of shape {scores.shape}, expected {PEOPLE} people's"
                " ratings from 1 to 5"
            )
