"""The baselines that cost nothing, beside any run's own scores: rows of every table.

Each is there where it can be made from what the run has at hand: nothing is extracted for it.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.datasets.splits import fold as make_fold
from llmvs.errors import UserError
from llmvs.methods import METHODS
from llmvs.methods.base import Scores, Task
from llmvs.methods.simple import Simple

logger = logging.getLogger(__name__)


def simple_scores(task: Task, scores: Scores) -> dict[str, dict[str, npt.NDArray[np.float32]]]:
    """Score the test videos of a run by the baselines that cost nothing.

    Args:
        task: of the run.
        scores: its own, of the test videos as far as they go.

    Returns:
        Method -> video -> [T] step scores.
    """
    made_from = scores.made_from
    if isinstance(made_from, EmbeddingCache):
        cache = made_from
        task = replace(task, embeddings=lambda _: cache)
    train = [task.dataset.annotations_of(key) for key in trained_on(task)]
    test, found = scores.videos["test"], {}
    for (model, _), entry in METHODS.items():
        if not entry.simple or model == task.config.method.model:
            continue
        method = entry.load()
        assert isinstance(method, Simple)
        try:
            if method.ready(task, train, test):
                found[model] = _cut(method.scored(task, train, test).scores, scores)
        except UserError as error:
            logger.warning("no row of %s beside this run's: %s", model, error)
    return found


def trained_on(task: Task) -> tuple[str, ...]:
    """The fold's training videos, those that the run holds out too: the method itself would have
    them.
    """
    if not (task.fold.train or task.fold.val):
        return ()
    return make_fold(task.dataset, task.config.data.splits, task.config.fold, 0.0).train


def _cut(
    found: Mapping[str, npt.NDArray[np.float32]], scores: Scores
) -> dict[str, npt.NDArray[np.float32]]:
    """As far as the run's own scores go."""
    return {one.key: found[one.key][: one.n_steps] for one in scores.videos["test"]}
