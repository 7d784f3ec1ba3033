"""Read MATLAB files of the formats before v7.3 (which is HDF5, see `llmvs.datasets.h5`)."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from llmvs.datasets.h5 import UNREADABLE
from llmvs.errors import UserError
from llmvs.files import printable

DAMAGED = (
    *UNREADABLE,
    MatReadError,
    zlib.error,
    LookupError,  # scipy's answer, up to 1.15, to a file that ends within its header
    NameError,  # and to an array of no known class
    AttributeError,
    AssertionError,
)
"""What scipy raises for files that are damaged, or are none."""


def read_matlab(path: Path, names: Sequence[str], what: str) -> list[Any]:
    """Read some variables of a file.

    Args:
        path: the file.
        names: of the variables.
        what: the file should be, for an error.

    Raises:
        UserError: not such a file, or a variable is missing.
    """
    try:
        content = loadmat(path, variable_names=list(names))
        return [content[name] for name in names]
    except DAMAGED as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{printable(path)}: not {what} ({reason})") from error


def is_hdf5(path: Path) -> bool:
    """Whether a MATLAB file says of itself that it is of format v7.3."""
    try:
        with path.open("rb") as file:
            return b"MATLAB 7.3" in file.read(128)
    except OSError as error:
        raise UserError(f"{printable(path)}: cannot be read ({error.strerror})") from None
