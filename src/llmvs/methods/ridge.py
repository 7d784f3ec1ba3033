"""Ridge regression on the steps of some videos, in closed form.

A video's mean is taken out of its features and its target: within a video steps are ranked, and how
much a whole video is liked has no say in that. The penalty is the one of `PENALTIES` with the least
squared error on training videos that are left out in turn, `GROUPS` groups of them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from llmvs.errors import UserError

Matrix = npt.NDArray[np.float64]
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""In units of the features' mean variance times the number of steps."""
GROUPS = 5
FEW = 2_048
"""Features up to which one thread is as fast as several, and not held up where cores are shared."""


def fit_ridge(features: Sequence[Matrix], targets: Sequence[npt.NDArray[Any]]) -> Matrix:
    """Fit.

    Args:
        features: [T, D] of every video.
        targets: [T] of every video.

    Returns:
        [D] weights.

    Raises:
        UserError: fewer than two videos, or features that are all the same.
    """
    if len(features) < 2:
        raise UserError(f"{len(features)} training videos: a ridge regression needs two or more")
    with _few_threads(features[0].shape[1]):
        return _fitted(features, targets)


def _fitted(features: Sequence[Matrix], targets: Sequence[npt.NDArray[Any]]) -> Matrix:
    groups = [
        _moments(features[first::GROUPS], targets[first::GROUPS])
        for first in range(min(GROUPS, len(features)))
    ]
    gram = np.sum([one[0] for one in groups], axis=0)
    moment = np.sum([one[1] for one in groups], axis=0)
    scale = float(np.trace(gram)) / max(gram.shape[0], 1)
    if not scale > 0:
        raise UserError("the training videos' features do not differ within any video")
    errors = np.zeros(len(PENALTIES))
    for out, out_moment, energy in groups:
        for place, penalty in enumerate(PENALTIES):
            weights = _solved(gram - out, moment - out_moment, penalty * scale)
            errors[place] += energy - 2 * weights @ out_moment + weights @ out @ weights
    return _solved(gram, moment, PENALTIES[int(np.argmin(errors))] * scale)


def _moments(
    features: Sequence[Matrix], targets: Sequence[npt.NDArray[Any]]
) -> tuple[Matrix, Matrix, float]:
    """X'X [D, D], X'y [D] and y'y of some videos, each without its means."""
    rows = np.concatenate([one - one.mean(axis=0) for one in features])
    target = np.concatenate([one.astype(np.float64) - float(np.mean(one)) for one in targets])
    columns = torch.from_numpy(rows).T
    return (
        (columns @ columns.T).numpy(),
        (columns @ torch.from_numpy(target)).numpy(),
        float(target @ target),
    )


def _solved(gram: Matrix, moment: Matrix, penalty: float) -> Matrix:
    factor = torch.linalg.cholesky(torch.from_numpy(gram + penalty * np.eye(len(gram))))
    solution: Matrix = torch.cholesky_solve(torch.from_numpy(moment)[:, None], factor)[:, 0].numpy()
    return solution


@contextmanager
def _few_threads(width: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if width <= FEW:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
