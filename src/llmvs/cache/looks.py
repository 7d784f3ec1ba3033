"""What a look at a video's pictures and sound said of its steps: a third kind of record, so that
folds, seeds and processes look once.

    FOLDER/fingerprint.json      what the scores are made of
    FOLDER/<video>.safetensors   scores float64 [T], steps int64 [T]; its header names the file
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

from llmvs.cache.fingerprint import LOOKS_FORMAT, TENSORS
from llmvs.cache.store import Store
from llmvs.errors import UserError


class LookCache(Store):
    """A folder of scores by what is seen and heard."""

    FORMAT = LOOKS_FORMAT
    WHAT = "a cache of looks"
    RECORD = "visual scores"
    SUFFIXES = (TENSORS,)

    def write(
        self,
        key: str,
        scores: npt.NDArray[np.float64],
        steps: npt.NDArray[np.int64],
        source: str,
        provenance: Mapping[str, str] | None = None,
    ) -> None:
        """Write the scores of one video's steps atomically.

        Args:
            key: of the video.
            scores: [T].
            steps: [T] frame index of every step.
            source: hash of the video's file.
            provenance: versions of the libraries that looked.
        """
        tensors = {"scores": torch.tensor(scores), "steps": torch.tensor(steps)}
        self._save(key, tensors, {"source": source}, provenance)

    def read(self, key: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """The scores [T] of a video, and the frame index [T] of every step.

        Raises:
            UserError: missing, damaged, or holding other than one finite score per step.
        """
        with self._opened(key, "np") as (file, _):
            scores, steps = file.get_tensor("scores"), file.get_tensor("steps")
        path = self.path(key)
        if scores.shape != steps.shape or scores.ndim != 1 or not np.isfinite(scores).all():
            raise UserError(
                f"{path}: visual scores of shape {list(scores.shape)} for {len(steps)} steps, or"
                " not finite: delete it"
            )
        return scores, steps

    def source(self, key: str) -> str:
        """The hash of the file that was looked at."""
        return self.header(key).get("source", "")
