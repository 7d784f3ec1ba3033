"""Read h5 files in this field's "eccv16" layout: a group per video, a data set per field.

    n_frames       frames of the video
    picks          [T] frame index of every step
    gtscore        [T] mean importance, 0 to 1
    user_summary   [U, n_frames] every annotator's summary, 0/1
    user_scores    [U, n_frames] every annotator's ratings
    user_score_raw [U, n_frames] SumMe's raw labels
    change_points  [S, 2] first and last frame of every shot
    fps, length_s, video_name

`gtsummary`, `n_steps` and `n_frame_per_seg` follow from these and are not read; `features` are read
where a head asks for them (`llmvs.datasets.features`).
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from llmvs.datasets import fields, h5
from llmvs.datasets.files import refuse_key_twins, refuse_twins
from llmvs.datasets.video import Array
from llmvs.errors import UserError, first_few
from llmvs.files import printable

logger = logging.getLogger(__name__)

FIELDS = (
    "n_frames",
    "picks",
    "gtscore",
    "user_summary",
    "user_scores",
    "user_score_raw",
    "change_points",
    "fps",
    "length_s",
    "video_name",
)
LARGEST = 10**9
"""No video has more frames."""
ROUNDING = 1e-6
"""What a mean of 32-bit numbers may pass 1 by."""


@dataclass(frozen=True)
class Entry:
    """What the file says of one video; None where it says nothing, or nobody asked."""

    key: str
    name: str
    """`video_name`, or the key."""
    place: str
    """File and key, to begin an error with."""
    n_frames: int
    picks: Array | None = None
    """int64 [T]."""
    gtscore: Array | None = None
    """float64 or float32 [T], as stored."""
    user_summary: Array | None = None
    """uint8 [U, n_frames], 0/1."""
    user_scores: Array | None = None
    """uint8 or float64 [U, n_frames]."""
    user_score_raw: Array | None = None
    """int64 [U, n_frames]."""
    shots: Array | None = None
    """int64 [S, 2], covering the video."""
    fps: float | None = None
    seconds: float | None = None


def read_eccv16(
    path: Path,
    needed: Sequence[str],
    wanted: Iterable[str] = FIELDS,
    *,
    numbered: bool = True,
    scale: tuple[float, float] = (-np.inf, np.inf),
) -> dict[str, Entry]:
    """Read every video of a file.

    Args:
        path: the h5 file.
        needed: the fields that every video must have.
        wanted: those that are read where they are there.
        numbered: whether the keys are video_1, video_2, ..., in whose order the videos come; else
            they may be any names, in the order of the file.
        scale: the lowest and the highest rating of `user_scores`.

    Raises:
        UserError: not HDF5, no such groups, a group without a needed field, a field that is not
            what it should be, two names of one video.
    """
    place, entries = printable(path), {}
    with h5.open_h5(path) as file:
        names = _keys(h5.names(file, place), place) if numbered else _any(file, place)
        groups = zip(names.values(), h5.groups(file, names, place), strict=True)
        for key, (name, group) in groups:
            at = f"{place}: {h5.said(name)}"
            there = set(h5.names(group, at))
            lacking = [field for field in needed if field not in there]
            if lacking:
                raise UserError(
                    f"{at} has no {', '.join(lacking)}: expected an h5 file in the eccv16 layout"
                )
            stored = {
                field: h5.value_of(group, field, at)
                for field in FIELDS
                if field in there and (field in needed or field in wanted)
            }
            entries[key] = _entry(key, at, stored, scale)
    refuse_twins({key: entry.name for key, entry in entries.items()}, place)
    return entries


def _keys(names: Sequence[str], place: str) -> dict[str, str]:
    """The name of a group -> video_N, in the order of N; `video_01` is video_1 unless both are
    there.
    """
    found = refuse_key_twins(names, place)
    if not found:
        raise UserError(
            f"{place}: has no groups video_1, video_2, ...: expected an h5 file in the eccv16"
            " layout (data.dataset=eccv16 reads files with other keys)"
        )
    others = [h5.said(name) for name in names if name not in found]
    if others:
        logger.warning("note: %s: holds %s, which are not read", place, first_few(others))
    return dict(sorted(found.items(), key=lambda pair: int(pair[1][6:])))


def _any(file: h5py.File, place: str) -> dict[str, str]:
    """Every group by its own name."""
    names = h5.names(file, place)
    refuse_key_twins(names, place)
    return {name: name for name in names}


def _entry(key: str, at: str, stored: dict[str, Any], scale: tuple[float, float]) -> Entry:
    def place(field: str) -> str:
        return f"{at}: {field}"

    n_frames = _n_frames(stored, at)
    name = fields.text(stored["video_name"], place("video_name")) if "video_name" in stored else key
    steps: tuple[int | str, ...] = ("steps",)
    found = dict[str, Any]()
    if "picks" in stored:
        found["picks"] = fields.picks(stored["picks"], place("picks"), n_frames)
        steps = (len(found["picks"]),)
    if "gtscore" in stored:
        high = 1 + ROUNDING
        found["gtscore"] = fields.numbers(stored["gtscore"], place("gtscore"), steps, 0, high)
    for field in ("user_summary", "user_scores", "user_score_raw"):
        if field in stored:
            found[field] = _people(field, stored[field], place(field), n_frames, scale)
    if "change_points" in stored:
        found["shots"] = fields.shots(stored["change_points"], place("change_points"), n_frames)
    for field, given in (("fps", "fps"), ("seconds", "length_s")):
        if given in stored:
            found[field] = fields.number(stored[given], place(given), low=0)
    return Entry(key, name, at, n_frames, **found)


def _people(field: str, value: Any, place: str, n_frames: int, scale: tuple[float, float]) -> Array:
    if field == "user_summary":
        return fields.votes(value, place, n_frames)
    shape = ("annotators", n_frames)
    if field == "user_scores":
        return fields.ratings(value, place, shape, *scale)
    return fields.whole_numbers(value, place, shape)


def _n_frames(stored: dict[str, Any], at: str) -> int:
    """As stated, else as many as the annotators have judged."""
    if "n_frames" in stored:
        return fields.whole_number(stored["n_frames"], f"{at}: n_frames", 1, LARGEST)
    for field in ("user_summary", "user_scores"):
        if field in stored and np.ndim(stored[field]) == 2:
            return max(1, int(np.shape(stored[field])[1]))
    raise UserError(f"{at} has no n_frames: expected an h5 file in the eccv16 layout")
