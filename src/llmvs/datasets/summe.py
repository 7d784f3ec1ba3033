"""SumMe: 25 videos, 15 to 18 people each, who each cut a summary of 5 to 15 % of the video (Gygli
et al., ECCV 2014).

Read from `data.root`, whichever of these it holds:

* an h5 file in the eccv16 layout (`eccv16_dataset_summe_google_pool5.h5`): picks, gtscore,
user_summary, change_points;
* `GT/*.mat`, the authors' annotations: raw labels (the published Human row needs them), frame
rates; enough alone for
  the protocols that need no shots.

Videos, needed only to extract from, are looked for by name in `videos/`, `video/` and `data.root`
itself.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from llmvs.datasets import fields, h5
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Sampling
from llmvs.datasets.eccv16_file import Entry, read_eccv16
from llmvs.datasets.files import (
    absent,
    alike,
    find_video,
    first,
    gtscore_of,
    other_mean,
    same_length,
)
from llmvs.datasets.matlab import is_hdf5, read_matlab
from llmvs.datasets.splits import published, published_names
from llmvs.datasets.video import Array, Video
from llmvs.errors import UserError, first_few
from llmvs.files import printable

logger = logging.getLogger(__name__)

HOME = "https://gyglim.github.io/me/vsum/index.html"
H5_NAMES = ("eccv16_dataset_summe_google_pool5.h5", "summe_annotations.h5", "*summe*.h5")
NEEDED = ("n_frames", "picks", "gtscore", "user_summary", "change_points")
WANTED = (*NEEDED, "user_score_raw", "fps", "video_name")
PICK_EVERY = 15
"""Frames between two picks in the published annotations."""


def load(root: Path) -> Dataset:
    """Read SumMe from a folder. A part of its videos is a part of the data set: the folds name
    those that are absent.

    Raises:
        UserError: neither file is there, a field is missing or wrong, or the files do not belong
            together.
    """
    names = published_names("summe")
    matlab, file = sorted((root / "GT").glob("*.mat")), first(root, H5_NAMES)
    if file:
        entries = read_eccv16(file, NEEDED, WANTED).values()
        named = _matched(matlab, [entry.name for entry in entries])
        videos = [_from_h5(entry, file, named.get(entry.name), root) for entry in entries]
    elif named := _matched(matlab, names.values()):
        videos = [
            _from_matlab(key, named[name], root) for key, name in names.items() if name in named
        ]
    else:
        raise absent(root, (*H5_NAMES, "GT/*.mat"), "SumMe's annotations", HOME)
    if more := [video.key for video in videos if video.key not in names]:
        raise UserError(
            f"{file}: has {first_few(more)}, but SumMe's 25 are video_1 to video_25: read a data"
            " set of your own with data.dataset=eccv16"
        )
    return Dataset(
        "summe",
        "votes",
        {video.key: video for video in videos},
        published("summe"),
        sampling=Sampling(every_nth_frame=PICK_EVERY),
        source=str(file or root / "GT"),
        features=file,
    )


def _matched(paths: Iterable[Path], names: Iterable[str]) -> dict[str, Path]:
    """Name of a video -> the authors' file; `_` and spaces are alike. Other files are none of it.

    Raises:
        UserError: two files of one video.
    """
    known = {alike(name): name for name in names}
    found: dict[str, Path] = {}
    others = []
    for path in paths:
        name = known.get(alike(path.stem))
        if name is None:
            others.append(path.name)
        elif found.setdefault(name, path) != path:
            raise UserError(
                f"{found[name]} and {path.name} are both the annotations of {name}: keep one"
            )
    if others:
        logger.warning("note: GT holds %s: of no video of SumMe, not read", first_few(others))
    return found


def _from_h5(entry: Entry, file: Path, matlab: Path | None, root: Path) -> Annotations:
    labels, fps, key, name = entry.user_score_raw, entry.fps, entry.key, entry.name
    if matlab:
        labels, mat_fps = _read_matlab(matlab)
        lengths = {file.name: entry.n_frames, f"GT/{matlab.name}": labels.shape[1]}
        same_length(f"{key} ({name})", lengths)
        fps = fps or mat_fps
    assert entry.gtscore is not None
    assert entry.user_summary is not None
    assert entry.picks is not None
    return Annotations(
        Video(key, name, find_video(root, (name, key)), entry.picks, fps=fps or None),
        entry.n_frames,
        entry.gtscore,
        user_summary=entry.user_summary,
        user_labels=labels,
        shots=entry.shots,
        own_mean=other_mean(entry.gtscore, gtscore_of(entry.user_summary, entry.picks, 0, 1)),
    )


def _from_matlab(key: str, path: Path, root: Path) -> Annotations:
    labels, fps = _read_matlab(path)
    votes = (labels > 0).view(np.uint8)
    picks = np.arange(0, votes.shape[1], PICK_EVERY)
    return Annotations(
        Video(key, path.stem, find_video(root, (path.stem, key)), picks, fps=fps),
        votes.shape[1],
        gtscore_of(votes, picks, 0, 1),
        user_summary=votes,
        user_labels=labels,
    )


def _read_matlab(path: Path) -> tuple[Array, float | None]:
    """Raw labels [U, n_frames] and frames per second of one of the authors' files."""
    place = printable(path)
    if is_hdf5(path):  # saved with -v7.3: the axes come the other way round
        with h5.open_h5(path) as opened:
            found = [h5.value_of(opened, name, place) for name in ("user_score", "FPS")]
        found[0] = np.transpose(found[0])
    else:
        what = f"one of SumMe's annotation files, which are published at {HOME}"
        found = read_matlab(path, ("user_score", "FPS"), what)
    labels = fields.whole_numbers(found[0], f"{place}: user_score", ("frames", "annotators"))
    if not labels.size:
        raise UserError(f"{place}: user_score is empty")
    return labels.T, fields.number(found[1], f"{place}: FPS", low=0) or None
