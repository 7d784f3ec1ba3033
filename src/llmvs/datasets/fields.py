"""Read the fields of a data file: one typed reader per kind of value, whatever the file's format.

Files are passed around, re-made and damaged. A field is taken where its meaning is certain (a whole
number stored as a float or as an array of one) and refused in one line where it is not; no value is
ever changed on the way: nothing wraps around, is truncated, or loses a part.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from llmvs.errors import UserError

Array = npt.NDArray[Any]


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
    return _checked(value, place, shape, low, high).astype(np.float64, copy=False)


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
    exact = _checked(value, place, shape, low, high)
    _refuse_parts(exact, place)
    return exact.astype(np.int64, copy=False)


def ratings(value: Any, place: str, shape: tuple[int | str, ...], low: float, high: float) -> Array:
    """Read annotators' ratings: uint8 where they are whole numbers that it holds, else float64.

    Raises:
        UserError: as `numbers`.
    """
    exact = _checked(value, place, shape, low, high)
    if low >= 0 and high <= 255:
        small = exact.astype(np.uint8, copy=False)
        if exact.dtype.kind != "f" or (small == exact).all():
            return small
    return exact.astype(np.float64, copy=False)


def picks(value: Any, place: str, n_frames: int) -> npt.NDArray[np.int64]:
    """Read the frames that are a video's steps: increasing, each once, all within the video.

    Raises:
        UserError: as `whole_numbers`, none, or not increasing.
    """
    found = whole_numbers(value, place, ("steps",), high=n_frames - 1)
    if not len(found):
        raise UserError(f"{place}: holds no steps")
    wrong = np.flatnonzero(np.diff(found) <= 0)
    if len(wrong):
        raise UserError(
            f"{place}: is {found[wrong[0] + 1]} at [{wrong[0] + 1}], behind {found[wrong[0]]}:"
            " expected increasing frames"
        )
    return found


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
        UserError: as `whole_numbers`.
    """
    exact = _checked(value, place, ("annotators", n_frames), 0, np.inf)
    _refuse_parts(exact, place)
    return (exact > 0).view(np.uint8)


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


def _checked(
    value: Any, place: str, shape: tuple[int | str, ...], low: float, high: float
) -> Array:
    """A real array of the shape, all of it finite and within the limits, in its own type."""
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
    if array.size:
        smallest, largest = array.min().item(), array.max().item()  # NaN where one is NaN
        if not (np.isfinite(smallest) and np.isfinite(largest)):
            _refuse(array, ~np.isfinite(array), place, "expected finite numbers")
        if smallest < low or largest > high:
            exact = array.astype(np.float64)
            limits = f"expected {low:g} to {high:g}"
            _refuse(array, (exact < low) | (exact > high), place, limits)
    return array


def _refuse_parts(array: Array, place: str) -> None:
    if array.dtype.kind == "f":
        _refuse(array, array != np.floor(array), place, "expected whole numbers")


def _refuse(array: Array, wrong: npt.NDArray[np.bool_], place: str, expected: str) -> None:
    if wrong.any():
        where = np.argwhere(wrong)[0].tolist()
        raise UserError(f"{place}: is {float(array[tuple(where)]):g} at {where}, {expected}")


def _kind(array: Array) -> str:
    kinds = {"c": "complex numbers", "O": "objects", "S": "text", "U": "text", "V": "records"}
    return kinds.get(array.dtype.kind, f"values of type {array.dtype}")
