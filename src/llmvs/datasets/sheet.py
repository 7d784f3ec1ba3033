"""Read tables as spreadsheets export them, where what they mean is certain.

Commas, semicolons or tabs between cells; numbers with a point, or (unless commas part the cells)
with a comma; UTF-8 or UTF-16; a first line `sep=;`; empty columns at the end.
"""

import codecs
import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmvs.errors import UserError
from llmvs.files import printable, regular

SEPARATORS = (",", ";", "\t")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d\d)", re.ASCII)
"""m:ss or h:mm:ss."""


@dataclass
class Sheet:
    """The rows of a table that are not empty."""

    path: Path
    header: list[str]
    line: int
    """Of the header."""
    rows: list[tuple[int, list[str]]]
    """(line, cells), as many cells as the header has."""
    separator: str
    point: str | None = None
    """How numbers have been written so far: `.` or `,`."""

    def place(self, line: int) -> str:
        """A line of the file, to begin an error with."""
        return f"{printable(self.path)}, line {line}"

    def number(self, cell: str, place: str) -> float:
        """A finite number; its decimal point may be a comma where that parts no cells.

        Raises:
            UserError: none, or written in another way than those before.
        """
        if NUMBER.fullmatch(cell):
            value, point = float(cell), "." if "." in cell else None
        elif self.separator != "," and COMMA.fullmatch(cell):
            value, point = float(cell.replace(",", ".")), ","
        else:
            value, point = math.nan, None
        if not math.isfinite(value):
            raise UserError(f"{place}: {cell[:40]!r} is not a number")
        if point and (self.point or point) != point:
            raise UserError(
                f"{place}: {cell!r}: other numbers of this table have {self.point!r} for a decimal"
                f" point: is {point!r} one, or does it part thousands?"
            )
        self.point = self.point or point
        return value


def read_sheet(path: Path) -> Sheet:
    """Read a table.

    Raises:
        UserError: not text of a known encoding, broken quotes, a row with other cells than the
            header.
    """
    lines = _text(path)
    separator = _separator(lines)
    rows = list(_rows(path, lines, separator))
    if not rows:
        return Sheet(path, [], 1, [], separator)
    (line, header), *rows = rows
    if re.fullmatch(r"sep=.?", ",".join(header)) and rows:
        (line, header), *rows = rows
    while header and not header[-1] and all(not any(cells[len(header) - 1 :]) for _, cells in rows):
        header = header[:-1]
    found = Sheet(path, header, line, [], separator)
    for at, cells in rows:
        if len(cells) < len(header) or any(cells[len(header) :]):
            parted = "" if separator == "," else f", parted by {separator!r}"
            raise UserError(
                f"{found.place(at)}: {len(cells)} cells, expected {len(header)}"
                f" ({', '.join(header)}){parted}"
            )
        found.rows.append((at, cells[: len(header)]))
    return found


def seconds_of(cell: str) -> int | None:
    """The whole seconds that a time `m:ss` or `h:mm:ss` is; None where it is none.

    >>> seconds_of("1:05"), seconds_of("1:00:05"), seconds_of("1:65"), seconds_of("5")
    (65, 3605, None, None)
    """
    found = CLOCK.fullmatch(cell)
    if not found:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    if seconds > 59 or (found[1] and minutes > 59):
        return None
    return 3600 * hours + 60 * minutes + seconds


def _text(path: Path) -> str:
    try:
        content = regular(path).read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if wide else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{printable(path)}: not readable as CSV text (UTF-8 or UTF-16): {error}"
        ) from None


def _separator(text: str) -> str:
    """What parts the cells of the first line: as `sep=` says, else whatever it has most of."""
    first = next((line for line in re.split(r"[\r\n]", text) if line.strip()), "")
    if first.startswith("sep=") and first[4:5] in SEPARATORS:
        return first[4]
    return max(SEPARATORS, key=first.count)


def _rows(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise UserError(f"{printable(path)}: not readable as CSV text: {error}") from None
