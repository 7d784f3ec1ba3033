"""The shots of a folder's videos, in a table that `llmvs shots` writes and anybody may edit.

    video,first,last
    beach,0,74
    beach,75,201

A row per shot: its first and last frame, counted from 0, both inclusive. Shots cover the video.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmvs.datasets import fields
from llmvs.datasets.sheet import read_sheet
from llmvs.errors import UserError, nearest
from llmvs.files import composed, printable, write_text

FILE = "shots.csv"
HEADER = ["video", "first", "last"]
Shots = npt.NDArray[np.int64]


class ShotsFile:
    """What a table says of the shots, video by video."""

    def __init__(self, path: Path, keys: Iterable[str]) -> None:
        """Read the table.

        Args:
            path: the file.
            keys: the videos that there are.

        Raises:
            UserError: not such a table, a video that is not there, not a frame's number, a shot
                after which the table goes back: names the line.
        """
        sheet = read_sheet(path)
        if [name.lower() for name in sheet.header] != HEADER:
            raise UserError(
                f"{sheet.place(sheet.line)}: columns {', '.join(sheet.header)}: expected"
                f" {', '.join(HEADER)}"
            )
        self.path, known = path, {composed(key): key for key in keys}
        self._rows: dict[str, list[list[float]]] = {}
        for line, (video, *frames) in sheet.rows:
            place = sheet.place(line)
            key = known.get(composed(video))
            if key is None:
                raise UserError(
                    f"{place}: shots of {video}, but no such video beside it{nearest(video, known)}"
                )
            row = [sheet.number(cell, place) for cell in frames]
            before = self._rows.setdefault(key, [])
            if before and row[0] <= before[-1][0]:
                raise UserError(f"{place}: shot {len(before)} of {video} begins before the last")
            before.append(row)

    def shots_of(self, key: str, n_frames: int) -> Shots | None:
        """The shots of a video; None where the table names none of it.

        Returns:
            int64 [S, 2]: first and last frame, inclusive.

        Raises:
            UserError: they do not cover the video.
        """
        rows = self._rows.get(key)
        if rows is None:
            return None
        return fields.shots(np.array(rows), f"{printable(self.path)}: {key}", n_frames)


def write_shots(path: Path, shots: Mapping[str, Shots]) -> None:
    """Write the table of all videos' shots.

    Args:
        path: the file, replaced whole.
        shots: key -> [S, 2] first and last frame, inclusive.

    Raises:
        UserError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for key, rows in shots.items():
        writer.writerows([key, first, last] for first, last in rows.tolist())
    write_text(path, text.getvalue())
