"""Read the fields of a data file: one typed reader per kind of value, whatever the file's format.

Files are passed around, re-made and damaged. A field is taken where its meaning is certain (a whole
number stored as a float or as an array of one) and refused in one line where it is not; no value is
ever changed on the way: nothing wraps around, is truncated, or loses a part.
"""

from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from llmvs.errors import UserError

Array = npt.NDArray[Any]


def h5_value(group: h5py.Group, name: str, place: str) -> Any:
    """Read one data set of an HDF5 group as it is stored.

    Args:
        group: where it stands.
        name: of the data set.
        place: file and group, for an error.

    Raises:
        UserError: absent, a link elsewhere, a group, empty, or damaged.
    """
    try:
        link = group.get(name, getlink=True)
        if link is None:
            raise UserError(f"{place}: has no {name}")
        if not isinstance(link, h5py.HardLink):
            raise UserError(
                f"{place}: {name} is a link elsewhere: copy what it points to into the file"
            )
        found = group[name]
        if not isinstance(found, h5py.Dataset):
            raise UserError(f"{place}: {name} is a group, not a data set")
        value = found[()]
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"{place}: {name} is damaged ({reason}): is the download complete?"
        ) from error
    if isinstance(value, h5py.Empty):
        raise UserError(f"{place}: {name} is empty")
    return value


def numbers(
    value: Any,
    place: str,
    shape: tuple[int | str, ...],
    low: float = -np.inf,
    high: float = np.inf,
) -> npt.NDArray[np.float64]:
    """Read an array of finite numbers.

    Args:
        value: as the file holds it; integers, floats or 0/1.
        place: file, video and field, for an error.
        shape: of the array; a text names an axis of any length.
        low: the smallest number that is allowed.
        high: the largest one.

    Raises:
        UserError: other values or another shape, a number that is not finite or not in the range.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise UserError(f"{place}: holds {_kind(array)}, expected numbers")
    if array.ndim == 2 and len(shape) == 1 and 1 in array.shape:
        array = array.ravel()  # MATLAB has no vectors: a list is a matrix of one row or column
    if array.ndim != len(shape) or any(
        isinstance(want, int) and want != has for want, has in zip(shape, array.shape, strict=False)
    ):
        wanted = ", ".join(map(str, shape))
        raise UserError(f"{place}: has shape {list(array.shape)}, expected [{wanted}]")
    exact = array.astype(np.float64)
    _refuse(array, ~np.isfinite(exact), place, "expected finite numbers")
    _refuse(array, (exact < low) | (exact > high), place, f"expected {low:g} to {high:g}")
    return exact


def whole_numbers(
    value: Any,
    place: str,
    shape: tuple[int | str, ...],
    low: int = 0,
    high: int = 2**53,
) -> npt.NDArray[np.int64]:
    """Read an array of whole numbers, also where they are stored as floats.

    Args:
        value: as the file holds it.
        place: file, video and field, for an error.
        shape: as for `numbers`.
        low: the smallest number that is allowed.
        high: the largest one.

    Raises:
        UserError: as `numbers`, or a number that is not whole.
    """
    exact = numbers(value, place, shape, low, high)
    _refuse(exact, exact != np.floor(exact), place, "expected whole numbers")
    return exact.astype(np.int64)


def number(value: Any, place: str, low: float = -np.inf, high: float = np.inf) -> float:
    """Read one finite number, also from an array of one.

    Raises:
        UserError: as `numbers`.
    """
    array = np.asarray(value)
    if array.size != 1:
        raise UserError(f"{place}: has shape {list(array.shape)}, expected one number")
    return float(numbers(array.reshape(1), place, (1,), low, high)[0])


def whole_number(value: Any, place: str, low: int = 0, high: int = 2**53) -> int:
    """Read one whole number, also from an array of one.

    Raises:
        UserError: as `whole_numbers`.
    """
    found = number(value, place, low, high)
    if found != int(found):
        raise UserError(f"{place}: is {found:g}, expected a whole number")
    return int(found)


def text(value: Any, place: str) -> str:
    """Read a text, also from an array of one.

    Raises:
        UserError: not a text, or not UTF-8.
    """
    array = np.asarray(value)
    if array.size == 1 and array.dtype.kind in "OSU":
        value = array.reshape(1)[0]
    try:
        found = value.decode("utf-8") if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise UserError(f"{place}: is not UTF-8 text ({error})") from None
    if not isinstance(found, str):
        raise UserError(f"{place}: holds {_kind(array)}, expected a text")
    return found


def votes(value: Any, place: str, n_frames: int) -> npt.NDArray[np.uint8]:
    """Read annotators' summaries.

    Returns:
        uint8 [U, n_frames] 0/1: a frame is in a summary where the file has any number above 0.

    Raises:
        UserError: as `numbers`.
    """
    return (numbers(value, place, ("annotators", n_frames), low=0) > 0).astype(np.uint8)


def shots(value: Any, place: str, n_frames: int) -> npt.NDArray[np.int64]:
    """Read the shots of a video.

    Two conventions are known, each by how all shots but the last end: one frame before the next
    shot begins (both ends belong to the shot, as in the field's files), or where the next one
    begins (the end does not belong to it). Ends past the video's are cut to it.

    Args:
        value: [S, 2] first and last frame of every shot.
        place: file, video and field, for an error.
        n_frames: frames of the video.

    Returns:
        int64 [S, 2]: first and last frame, both inclusive, covering the video without gaps.

    Raises:
        UserError: as `whole_numbers`; or the shots follow neither convention: names the shot.
    """
    table = whole_numbers(value, place, ("shots", 2))
    if not len(table):
        raise UserError(f"{place}: holds no shots")
    begins, ends = table[:, 0], table[:, 1]
    known = "expected the frames of a shot that ends one before the next begins, or where it begins"
    steps = begins[1:] - ends[:-1]
    if begins[0] != 0:
        raise UserError(f"{place}: shot 0 begins at frame {begins[0]}, not at 0: {known}")
    if len(steps) and not ((steps == 1).all() or (steps == 0).all()):
        odd = int(np.flatnonzero(steps != steps[0])[0]) if steps[0] in (0, 1) else 0
        raise UserError(
            f"{place}: shot {odd} ends at frame {ends[odd]} and shot {odd + 1} begins at"
            f" {begins[odd + 1]}: {known}"
        )
    if ends[-1] < n_frames - 1:
        hint = " (in seconds?)" if ends[-1] < n_frames / 5 else ""
        raise UserError(
            f"{place}: the last shot, {len(table) - 1}, ends at frame {ends[-1]} of"
            f" {n_frames}{hint}: shots must cover the video"
        )
    if begins[-1] >= n_frames:
        raise UserError(
            f"{place}: shot {len(table) - 1} begins at frame {begins[-1]}, behind the video's"
            f" {n_frames} frames"
        )
    lasts = np.append(begins[1:] - 1, n_frames - 1)
    empty = np.flatnonzero(lasts < begins)
    if len(empty):
        raise UserError(f"{place}: shot {empty[0]} holds no frame: {known}")
    return np.stack([begins, lasts], axis=1)


def _refuse(array: Array, wrong: npt.NDArray[np.bool_], place: str, expected: str) -> None:
    if wrong.any():
        where = np.argwhere(wrong)[0].tolist()
        raise UserError(f"{place}: is {array[tuple(where)]:g} at {where}, {expected}")


def _kind(array: Array) -> str:
    kinds = {"c": "complex numbers", "O": "objects", "S": "text", "U": "text", "V": "records"}
    return kinds.get(array.dtype.kind, f"values of type {array.dtype}")
