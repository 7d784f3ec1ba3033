"""The visual `features` [T, D] that this field's h5 files bring along for every video, beside what
people said: pool5 of GoogLeNet, D = 1024, in the usual ones.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmvs.datasets import fields, h5
from llmvs.datasets.base import Dataset
from llmvs.datasets.files import refuse_key_twins
from llmvs.errors import UserError
from llmvs.files import printable

FIELD = "features"


class Features:
    """Read the features of a dataset's videos from its h5 file."""

    def __init__(self, dataset: Dataset) -> None:
        """Nothing is read yet.

        Args:
            dataset: names the file (`Dataset.features`) and the steps.

        Raises:
            UserError: it has no such file.
        """
        if dataset.features is None:
            raise UserError(
                f"head.inputs=features: {dataset.name} has no h5 file in the eccv16 layout beside"
                f" {dataset.source or 'its annotations'}: add one with `features`, or choose"
                " another head.inputs"
            )
        self.dataset, self.folder = dataset, dataset.features

    @property
    def identity(self) -> Mapping[str, str | int]:
        """What a training must agree with before it may be continued."""
        return {"features": self.folder.name, "bytes": self.folder.stat().st_size}

    def path(self, key: str) -> Path:
        """Where the video stands, for messages."""
        return self.folder / key

    def keys(self) -> list[str]:
        """The videos that have features.

        Raises:
            UserError: the file is damaged.
        """
        place, found = printable(self.folder), []
        with h5.open_h5(self.folder) as file:
            for key, name in self._names.items():
                at = f"{place}: {h5.said(name)}"
                if FIELD in h5.names(h5.group_of(file, name, place), at):
                    found.append(key)
        return found

    def read(self, key: str) -> npt.NDArray[np.float32]:
        """The features of one video: float32 [T, D].

        Raises:
            UserError: there are none, they are of other steps than the annotations, hold NaN, or
                the file is damaged.
        """
        place, n_steps = printable(self.folder), self.dataset.annotations_of(key).n_steps
        name = self._names.get(key, key)
        at = f"{place}: {h5.said(name)}"
        with h5.open_h5(self.folder) as file:
            group = h5.group_of(file, name, place)
            if FIELD not in h5.names(group, at):
                raise UserError(
                    f"{at} has no {FIELD}: head.inputs=features needs those of every video: get"
                    " them, leave the video out with data.absent=skip, or choose another"
                    " head.inputs"
                )
            value = h5.value_of(group, FIELD, at)
        if np.ndim(value) == 2 and len(value) != n_steps:
            raise UserError(
                f"{at}: {FIELD} of {len(value)} steps, but {n_steps} are annotated: take features"
                " and annotations of the same steps (`picks`)"
            )
        found = fields.numbers(value, f"{at}: {FIELD}", (n_steps, "dimensions"))
        return found.astype(np.float32)

    @cached_property
    def _names(self) -> dict[str, str]:
        """Key -> the name of its group, of the dataset's videos that are in the file."""
        place = printable(self.folder)
        with h5.open_h5(self.folder) as file:
            names = h5.names(file, place)
        numbered = {plain: name for name, plain in refuse_key_twins(names, place).items()}
        known = {**{name: name for name in names}, **numbered}
        return {key: known[key] for key in self.dataset.annotations if key in known}
