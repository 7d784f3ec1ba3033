"""TVSum: 50 videos, 20 people each, who rated every two seconds from 1 to 5 (Song et al., CVPR
2015).

Read from `data.root`, whichever of these it holds:

* the ratings: `ydata-tvsum50-anno.tsv` (also `ydata-anno.tsv`) or `ydata-tvsum50.mat` (the authors'
release), or an h5 file with `user_scores`;
* optionally an h5 file in the eccv16 layout (`eccv16_dataset_tvsum_google_pool5.h5`), which adds
shots, summaries and the training target `gtscore`.

`video_i` is the i-th video in the order of the authors' file. Videos, needed only to extract from,
are looked for by YouTube id in `videos/`, `video/` and `data.root` itself.
"""

import logging
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from llmvs.datasets import fields, h5
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Sampling
from llmvs.datasets.eccv16_file import Entry, read_eccv16
from llmvs.datasets.files import (
    absent,
    find_video,
    first,
    gtscore_of,
    other_mean,
    refuse_twins,
    same_length,
)
from llmvs.datasets.matlab import read_matlab
from llmvs.datasets.splits import published, published_names
from llmvs.datasets.video import Array, Video
from llmvs.errors import UserError, first_few
from llmvs.files import printable

logger = logging.getLogger(__name__)

HOME = "https://github.com/yalesong/tvsum"
RATING_FILES = (
    "ydata-tvsum50-anno.tsv",
    "data/ydata-tvsum50-anno.tsv",
    "ydata-anno.tsv",
    "*anno*.tsv",
    "ydata-tvsum50.mat",
    "matlab/ydata-tvsum50.mat",
    "*tvsum50*.mat",
    "*tvsum*.h5",
)
SHOT_FILES = ("eccv16_dataset_tvsum_google_pool5.h5", "*tvsum*.h5")
EXTRA = ("n_frames", "picks", "gtscore", "user_summary", "change_points")
PICK_EVERY = 15
"""Frames between two picks in the published annotations."""
PEOPLE = 20


@dataclass(frozen=True)
class _Rated:
    """One video as its raters saw it."""

    name: str
    user_scores: Array
    """uint8 or float64 [20, n_frames], 1 to 5."""
    seconds: float | None = None


def load(root: Path) -> Dataset:
    """Read TVSum from a folder. A part of its videos is a part of the data set: the folds name
    those that are absent.

    Raises:
        UserError: the ratings are not there, a file is not what it should be, or the files do not
            belong together.
    """
    source = first(root, RATING_FILES)
    if source is None:
        raise absent(root, RATING_FILES, "TVSum's ratings", HOME)
    rated = {".tsv": _read_tsv, ".mat": _read_matlab, ".h5": _read_h5}[source.suffix](source)
    shots = first(root, SHOT_FILES)
    extra = read_eccv16(shots, ("n_frames",), EXTRA) if shots else {}
    if more := [key for key in (*rated, *extra) if key not in published_names("tvsum")]:
        raise UserError(
            f"{source}: has {first_few(more)}, but TVSum's 50 are video_1 to video_50: read a data"
            " set of your own with data.dataset=eccv16"
        )
    videos = {key: _video(key, one, extra.get(key), source, root) for key, one in rated.items()}
    _say_other_targets(videos, shots)
    return Dataset(
        "tvsum",
        "ratings",
        videos,
        published("tvsum"),
        sampling=Sampling(every_nth_frame=PICK_EVERY),
        source=str(source),
        features=shots,
    )


def _video(key: str, rated: _Rated, extra: Entry | None, source: Path, root: Path) -> Annotations:
    n_frames = rated.user_scores.shape[1]
    picks = np.arange(0, n_frames, PICK_EVERY)
    gtscore, own_mean = gtscore_of(rated.user_scores, picks, 1, 5), None
    if extra:
        lengths = {source.name: n_frames, "the eccv16 h5 file": extra.n_frames}
        same_length(f"{key} ({rated.name})", lengths)
        if extra.picks is not None and not np.array_equal(extra.picks, picks):
            raise UserError(f"{extra.place}: picks: expected every {PICK_EVERY}th frame from 0")
        if extra.gtscore is not None:
            if len(extra.gtscore) != len(picks):
                raise UserError(
                    f"{extra.place}: gtscore: has shape [{len(extra.gtscore)}], expected"
                    f" [{len(picks)}]"
                )
            own_mean = other_mean(extra.gtscore, gtscore)
            if own_mean is not None:
                gtscore = extra.gtscore
    return Annotations(
        Video(
            key,
            rated.name,
            find_video(root, (rated.name, key)),
            picks,
            fps=n_frames / rated.seconds if rated.seconds else None,
        ),
        n_frames,
        gtscore,
        user_scores=rated.user_scores,
        user_summary=extra.user_summary if extra else None,
        shots=extra.shots if extra else None,
        own_mean=own_mean,
    )


def _say_other_targets(videos: dict[str, Annotations], shots: Path | None) -> None:
    """Say whose training target is not the ratings' mean, but what the h5 file has."""
    others = [key for key, video in videos.items() if video.own_mean is not None]
    if others:
        logger.warning(
            "note: %s: gtscore of %s is not (mean rating - 1) / 4: it is the training target",
            shots,
            first_few(others),
        )


def _numbered(path: Path, rated: list[_Rated]) -> dict[str, _Rated]:
    """Key -> video: by the authors' ids, else (their 50 videos under other names) by the order."""
    place, known = printable(path), published_names("tvsum")
    keys = {name: key for key, name in known.items()}
    strange = [one.name for one in rated if one.name not in keys]
    if strange and len(rated) != len(known):
        raise UserError(
            f"{place}: {len(rated)} videos, expected TVSum's 50, and {first_few(strange)} are none"
            f" of their ids: is the download complete ({HOME})?"
        )
    if not strange:
        found = {keys[one.name]: one for one in rated}
        return {key: found[key] for key in known if key in found}
    return dict(zip(known, rated, strict=True))


def _read_tsv(path: Path) -> dict[str, _Rated]:
    """The released table: 20 rows a video, in order: YouTube id, category, comma-separated ratings
    of every frame. A line of headers, quotes and other line ends are let pass.
    """
    rows: dict[str, list[Array]] = {}
    place = printable(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{place}: not TVSum's table of ratings ({error}): {HOME}") from error
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip().strip('"').strip() for cell in line.split("\t")]
        if not any(cells) or (number == 1 and not re.search(r"\d\s*,", line)):
            continue
        if len(cells) != 3 or not cells[0]:
            raise UserError(
                f"{place}, line {number}: {len(cells)} cells, not TVSum's table of ratings (id,"
                f" category, ratings; tabs between them): it is published at {HOME}"
            )
        rows.setdefault(cells[0], []).append(_ratings(cells[2], f"{place}, line {number}"))
    if not rows:
        raise UserError(f"{place}: not TVSum's table of ratings: it is published at {HOME}")
    return _numbered(path, [_Rated(name, _people(path, name, rows[name])) for name in rows])


def _ratings(cell: str, place: str) -> Array:
    """Comma-separated numbers [n_frames]; a file has thousands of single digits a row."""
    digits = np.frombuffer(cell.encode(), np.uint8)
    if len(digits) % 2 and (digits[1::2] == ord(",")).all() and cell[::2].isdecimal():
        return digits[::2] - ord("0")
    try:
        return np.array([float(number) for number in cell.split(",")])
    except ValueError as error:
        raise UserError(f"{place}: ratings that are no numbers ({error})") from None


def _read_matlab(path: Path) -> dict[str, _Rated]:
    """The authors' MATLAB file: v7.3, which is HDF5, a table of references; or saved again in an
    older format.
    """
    names, people, lengths = _columns_h5(path) if h5py.is_hdf5(path) else _columns_old(path)
    place = printable(path)
    rated = []
    if not len(names) == len(people) == len(lengths):
        raise _no_table(path)
    for text, ratings, length in zip(names, people, lengths, strict=True):
        name = text if isinstance(text, str) else _spelled(text, f"{place}: video")
        seconds = fields.number(length, f"{place}: {name}: length", low=0)
        rated.append(_Rated(name, _people(path, name, ratings), seconds))
    refuse_twins({f"row {i}": one.name for i, one in enumerate(rated, start=1)}, place)
    return _numbered(path, rated)


def _spelled(letters: Any, place: str) -> str:
    """A text that MATLAB stores as the numbers of its letters."""
    codes = fields.whole_numbers(np.ravel(letters), place, ("letters",), 1, sys.maxunicode)
    return "".join(map(chr, codes))


COLUMNS = ("video", "user_anno", "length")


def _columns_h5(path: Path) -> list[list[Any]]:
    place = printable(path)
    with h5.open_h5(path) as file:
        if "tvsum50" not in h5.names(file, place):
            raise _no_table(path)
        table = h5.group_of(file, "tvsum50", place)
        columns = [h5.value_of(table, name, f"{place}: tvsum50").ravel() for name in COLUMNS]
        try:
            return [[file[reference][()] for reference in column] for column in columns]
        except (*h5.UNREADABLE, AttributeError) as error:
            raise _no_table(path) from error


def _columns_old(path: Path) -> list[list[Any]]:
    (table,) = read_matlab(path, ("tvsum50",), f"TVSum's table, which is published at {HOME}")
    try:
        names, people, lengths = (list(table.ravel()[name]) for name in COLUMNS)
        return [[str(name.item()) for name in names], [one.T for one in people], lengths]
    except (AttributeError, LookupError, ValueError) as error:
        raise _no_table(path) from error


def _no_table(path: Path) -> UserError:
    return UserError(
        f"{printable(path)}: has no table tvsum50 with video, user_anno and length: it is"
        f" published at {HOME}"
    )


def _read_h5(path: Path) -> dict[str, _Rated]:
    wanted = ("user_scores", "video_name", "length_s")
    return {
        key: _Rated(entry.name, _people(path, entry.name, entry.user_scores), entry.seconds)
        for key, entry in read_eccv16(path, ("user_scores",), wanted, scale=(1, 5)).items()
    }


def _people(path: Path, name: str, people: Any) -> Array:
    """Ratings [20, n_frames], 1 to 5."""
    place = f"{printable(path)}: {h5.said(name)}: ratings"
    if isinstance(people, list):
        lengths = {len(row) for row in people}
        if len(lengths) > 1:
            raise UserError(f"{place}: of {min(lengths)} to {max(lengths)} frames: all must agree")
        people = np.stack(people)
    found = fields.ratings(people, place, (PEOPLE, "frames"), 1, 5)
    if not found.size:
        raise UserError(f"{place}: none")
    return found
