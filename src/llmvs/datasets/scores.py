"""Scores that people gave to videos of their own, from a CSV or a JSON file (docs/own_data.md shows
both).

    video,second,anna,ben          {"per": "second",
    beach,0,2,3                     "scores": {"beach": {"anna": [2, 4], "ben": [3, 5]}}}
    beach,1,4,5

One column (or list) per annotator; `step` in place of `second` where every sampled step has a score
of its own.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from llmvs.datasets.sheet import read_sheet, seconds_of
from llmvs.errors import UserError
from llmvs.files import read_json

UNITS = ("second", "step")
UNITS_IN_TABLES: dict[str, Literal["second", "step"]] = {
    "second": "second",
    "seconds": "second",
    "time": "second",
    "step": "step",
    "steps": "step",
}
"""How the second column of a table may be called."""
CSV_SHAPE = (
    "video, then second or step, then one column per annotator, separated by commas or semicolons"
)
JSON_SHAPE = '{"per": "second" or "step", "scores": {video: {annotator: [one number each]}}}'
Sheet = dict[str, dict[str, list[float]]]
"""Video -> annotator -> one score per second or step, in order."""


@dataclass
class Scores:
    """What a file of scores says."""

    path: Path
    per: Literal["second", "step"]
    sheet: Sheet = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    """Video -> the line on which it is first named (CSV only)."""

    def place(self, video: str) -> str:
        """Where the file speaks of a video, to begin an error with."""
        return f"{self.path}, line {self.lines[video]}" if video in self.lines else f"{self.path}"


def read_scores(path: Path) -> Scores:
    """Read a file of scores, by its suffix.

    Raises:
        UserError: unreadable, of another shape, a gap, or something that is not a finite number;
            names the line of a CSV file.
    """
    scores = _read_json(path) if path.suffix == ".json" else _read_csv(path)
    if not scores.sheet:
        raise UserError(
            f"{path}: no scores in it: expected"
            f" {JSON_SHAPE if path.suffix == '.json' else CSV_SHAPE}"
        )
    values = {value for people in scores.sheet.values() for row in people.values() for value in row}
    if len(values) == 1:
        raise UserError(
            f"{path}: all scores are {values.pop():g}: nothing is more important than anything else"
        )
    return scores


def _read_json(path: Path) -> Scores:
    content = read_json(path, f"scores: {JSON_SHAPE}")
    if (
        not isinstance(content, dict)
        or content.get("per") not in UNITS
        or not isinstance(content.get("scores"), dict)
    ):
        raise UserError(f"{path}: expected {JSON_SHAPE}")
    sheet: Sheet = {}
    for video, people in content["scores"].items():
        people = people if isinstance(people, dict) else {"annotator": people}
        sheet[video] = {
            name: _numbers(f"{path}: {video}: {name}", values) for name, values in people.items()
        }
        if len({len(row) for row in sheet[video].values()}) != 1:
            counts = ", ".join(f"{len(row)} by {name}" for name, row in sheet[video].items())
            raise UserError(
                f"{path}: {video}: scores of different length: {counts or 'none at all'}"
            )
    return Scores(path, content["per"], sheet)


def _numbers(place: str, values: Any) -> list[float]:
    if not isinstance(values, list) or not values:
        raise UserError(f"{place}: expected a list of numbers")
    for number, value in enumerate(values):
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
        ):
            raise UserError(f"{place}: value {number} is {value!r}, not a number")
    return [float(value) for value in values]


def _read_csv(path: Path) -> Scores:
    sheet = read_sheet(path)
    header = [name if i > 1 else name.casefold() for i, name in enumerate(sheet.header)]
    if len(header) < 3 or header[0] != "video" or header[1] not in UNITS_IN_TABLES:
        raise UserError(
            f"{sheet.place(1)}: expected the columns {CSV_SHAPE}; found"
            f" {', '.join(sheet.header) or 'nothing'}"
        )
    people, per = header[2:], UNITS_IN_TABLES[header[1]]
    if len(set(people)) < len(people) or not all(people):
        raise UserError(
            f"{sheet.place(sheet.line)}: two annotators of one name, or one without a name:"
            f" {', '.join(people)}"
        )
    scores, gaps = Scores(path, per), dict[tuple[str, str], int]()
    counts: dict[str, int] = {}
    for line, row in sheet.rows:
        place = sheet.place(line)
        video, count = row[0], counts.get(row[0], 0)
        if header[1] == "time" and seconds_of(row[1]) is None:
            raise UserError(f"{place}: {row[1][:40]!r} in the column time is not m:ss")
        if _count(row[1], per) != count:
            raise UserError(
                f"{place}: {per} {row[1] or 'nothing'} of {video}, expected {per} {count}: they"
                " count from 0 without gaps"
            )
        counts[video] = count + 1
        scores.lines.setdefault(video, line)
        given = scores.sheet.setdefault(video, {})
        for name, cell in zip(people, row[2:], strict=True):
            if cell:
                given.setdefault(name, []).append(sheet.number(cell, f"{place}: {name}"))
            else:
                gaps.setdefault((video, name), line)
    _check_gaps(scores, gaps)
    return scores


def _count(cell: str, per: str) -> int | None:
    """The second or step of a row; a second may be a time `m:ss`."""
    if per == "second" and (seconds := seconds_of(cell)) is not None:
        return seconds
    whole = re.fullmatch(r"(\d{1,9})([.,]0+)?", cell, re.ASCII)
    return int(whole[1]) if whole else None


def _check_gaps(scores: Scores, gaps: dict[tuple[str, str], int]) -> None:
    """An annotator has scored all of a video or nothing of it, and every video has one."""
    for (video, name), line in gaps.items():
        if name in scores.sheet[video]:
            raise UserError(
                f"{scores.path}, line {line}: no score by {name}, who has scored other parts of"
                f" {video}: fill the cell, or empty all of that annotator's cells of the video"
            )
    for video, people in scores.sheet.items():
        if not people:
            raise UserError(f"{scores.place(video)}: nobody has scored {video}")
