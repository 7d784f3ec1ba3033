"""The parameters of a sweep: what their spaces may be, and a point drawn from one."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from llmvs.errors import UserError

LARGEST = 1e15
"""No end of a range is larger: every whole number up to it is exact."""
DIGITS = 4
"""Significant digits of a drawn number: its run's folder is named after it."""
Space = Mapping[str, Any]
"""`value`, `values`, or a distribution with `min` and `max`."""


def check_space(path: Path, key: str, space: Space, method: str) -> None:
    """Only what can be expanded or drawn from, and no number that YAML has read as text.

    Raises:
        UserError: anything else.
    """
    listed = space.get("values", [space["value"]] if "value" in space else None)
    if listed is None and method == "grid":
        raise UserError(f"{path}: parameters.{key}: a grid needs value or values")
    if listed is None:
        shape = space.get("distribution", "uniform")
        if (
            shape not in ("uniform", "int_uniform", "log_uniform_values")
            or not {"min", "max"} <= space.keys()
        ):
            raise UserError(
                f"{path}: parameters.{key}: known here are value, values, and min and max with"
                f" distribution uniform, int_uniform or log_uniform_values (found {dict(space)})"
            )
        listed = [space["min"], space["max"]]
        if problem := _no_range(space["min"], space["max"], shape):
            raise UserError(f"{path}: parameters.{key}: {problem}")
    if not isinstance(listed, list) or not listed:
        raise UserError(f"{path}: parameters.{key}: values={listed}: expected a list")


def _no_range(low: Any, high: Any, shape: str) -> str | None:
    """Why no point can be drawn between two ends; None where one can."""
    ends = (low, high)
    if not all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends):
        return f"{[low, high]} are not numbers (YAML wants 1.0e-4, not 1e-4)"
    if not all(math.isfinite(end) and abs(end) <= LARGEST for end in ends):
        return f"min={low} and max={high} must be finite, and no larger than {LARGEST:g}"
    if low > high:
        return f"min={low} is above max={high}: exchange them"
    if shape == "log_uniform_values" and low <= 0:
        return f"min={low} must be above 0 with log_uniform_values"
    if shape == "int_uniform" and not all(float(end).is_integer() for end in ends):
        return f"min={low} and max={high} must be whole with int_uniform"
    return None


def draw(space: Space, rng: np.random.Generator) -> Any:
    """A value of a parameter, at random."""
    if "value" in space:
        return space["value"]
    if "values" in space:
        return space["values"][rng.integers(len(space["values"]))]
    low, high = space["min"], space["max"]
    if is_whole(space):
        return int(rng.integers(low, high + 1))
    drawn = (
        math.exp(rng.uniform(math.log(low), math.log(high)))
        if is_logarithmic(space)
        else rng.uniform(low, high)
    )
    return rounded(drawn)


def is_whole(space: Space) -> bool:
    """Whether a range is of whole numbers."""
    shape = space.get("distribution", "")
    ends = (space["min"], space["max"])
    return shape == "int_uniform" or (not shape and all(isinstance(end, int) for end in ends))


def is_logarithmic(space: Space) -> bool:
    """Whether a range is drawn from uniformly in the logarithm."""
    return space.get("distribution") == "log_uniform_values"


def rounded(drawn: float) -> float:
    """A drawn number as it is tried.

    >>> rounded(0.000123456)
    0.0001235
    """
    return float(f"{drawn:.{DIGITS}g}")
