"""Read HDF5 files that were passed around, re-made and damaged: whatever is wrong is one line.

Nothing is read from elsewhere than the file itself: a link in a file that was downloaded may point
to any file of the machine.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from llmvs.errors import UserError
from llmvs.files import printable, regular, shown

UNREADABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)
"""What h5py raises for damaged files."""
MOST_BYTES = 2**32
"""No field is larger: a damaged file may claim any size."""


def open_h5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading.

    Raises:
        UserError: it is none, or damaged; names it.
    """
    try:
        return h5py.File(regular(path), "r")
    except OSError as error:
        raise UserError(
            f"{printable(path)}: not readable as an HDF5 file ({error}): is the download complete?"
        ) from error


def names(group: h5py.Group, place: str) -> list[str]:
    """Name what an HDF5 file or group holds.

    Raises:
        UserError: damaged.
    """
    try:  # h5py gives the bytes of a name that is not UTF-8
        return [
            name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
            for name in group
        ]
    except UNREADABLE as error:
        raise _damaged(f"{place}: the list of its fields", error) from error


def group_of(parent: h5py.Group, name: str, place: str) -> h5py.Group:
    """Open a group of an HDF5 file.

    Args:
        parent: where it stands.
        name: of the group.
        place: file, for an error.

    Raises:
        UserError: absent, a link elsewhere, a data set, or damaged.
    """
    found = _item(parent, name, place)
    if not isinstance(found, h5py.h5g.GroupID):
        raise UserError(f"{place}: {said(name)} is a data set, not a group of fields")
    return h5py.Group(found)


def groups(file: h5py.File, keys: Iterable[str], place: str) -> Iterator[tuple[str, h5py.Group]]:
    """Open one group after the other.

    Raises:
        UserError: as `group_of`, or two names of one group.
    """
    seen: dict[tuple[int, int], str] = {}
    for key in keys:
        found = group_of(file, key, place)
        try:
            info = h5py.h5o.get_info(found.id)
        except UNREADABLE as error:
            raise _damaged(f"{place}: {said(key)}", error) from error
        first = seen.setdefault((info.fileno, info.addr), key)
        if first != key:
            raise UserError(
                f"{place}: {said(first)} and {said(key)} are two names of one video: keep one"
            )
        yield key, found


def value_of(group: h5py.Group, name: str, place: str) -> Any:
    """Read one data set of an HDF5 group as it is stored.

    Args:
        group: where it stands.
        name: of the data set.
        place: file and group, for an error.

    Raises:
        UserError: absent, a link elsewhere, a group, empty, or damaged.
    """
    found = _item(group, name, place)
    if not isinstance(found, h5py.h5d.DatasetID):
        raise UserError(f"{place}: {said(name)} is a group, not a data set")
    try:
        plan, shape = found.get_create_plist(), found.shape
        elsewhere = plan.get_layout() == h5py.h5d.VIRTUAL or plan.get_external_count()
        size = math.prod(shape or ()) * found.get_type().get_size()
        value = _read(found) if size <= MOST_BYTES and not elsewhere else None
    except UNREADABLE as error:
        raise _damaged(f"{place}: {said(name)}", error) from error
    if elsewhere:
        raise UserError(f"{place}: {said(name)} is kept in another file: copy it into this one")
    if size > MOST_BYTES:
        raise UserError(f"{place}: {said(name)} has shape {list(shape)}: too large")
    if isinstance(value, h5py.Empty):
        raise UserError(f"{place}: {said(name)} is empty")
    return value


def _read(found: Any) -> Any:
    """What a data set holds; of a plain array by the shortest way, there may be 100,000 of them."""
    if found.rank and found.dtype.kind in "iuf":
        array = np.empty(found.shape, found.dtype)
        if array.size:
            found.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
        return array
    return h5py.Dataset(found)[()]


def _item(group: h5py.Group, name: str, place: str) -> Any:
    """The handle of what a group holds under a name, unless it is a link."""
    stored = name.encode("utf-8", "surrogateescape")
    try:
        kind = group.id.links.get_info(stored).type
    except UNREADABLE:
        raise UserError(f"{place}: has no {said(name)}") from None
    try:
        item = h5py.h5o.open(group.id, stored) if kind == h5py.h5l.TYPE_HARD else None
    except UNREADABLE as error:
        raise _damaged(f"{place}: {said(name)}", error) from error
    if item is None:
        raise UserError(
            f"{place}: {said(name)} is a link elsewhere: copy what it points to into the file"
        )
    return item


def said(name: str) -> str:
    r"""A name that a file gives, as it can stand in a line.

    >>> said("picks"), said("a" + chr(0xDCFF))
    ('picks', "'a\\udcff'")
    """
    return name if name.isprintable() and len(name) < 80 else shown(name)


def _damaged(place: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:120]
    return UserError(f"{place} is damaged ({reason}): is the download complete?")
