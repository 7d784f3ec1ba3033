"""A baseline that costs no model: the scores of `llmvs summarize` by what is seen and heard."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmvs.cache import fingerprint
from llmvs.cache.fingerprint import Identity
from llmvs.cache.looks import LookCache
from llmvs.console import tracked
from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError, VideoError
from llmvs.extraction import identity
from llmvs.methods.base import Task
from llmvs.methods.simple import Found, Simple, narrow
from llmvs.video.footage import watch
from llmvs.video.visual import SILENT, WITH_SOUND, visual_scores

RECIPE = 1
"""Raised whenever the same video gets other scores."""


class VisualNovelty(Simple):
    """A step's score is that of `llmvs summarize --method visual`."""

    def scored(
        self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]
    ) -> Found:
        """Look at the test videos that no earlier run has looked at."""
        cache, scores = looks(task), {}
        for one in tracked(test, "looking", "video"):
            path = one.video.path
            if path is None or not path.is_file():
                raise VideoError(
                    f"{one.key}: no video file, which method.model=visual_novelty needs"
                )
            scores[one.key] = _seen(cache, one.key, path, task.dataset.annotations_of(one.key))
        scores = {one.key: scores[one.key][: one.n_steps] for one in test}
        return Found(test, narrow(scores), cache)

    def ready(self, task: Task, train: Sequence[Annotations], test: Sequence[Annotations]) -> bool:
        """With the files of all test videos."""
        return all(one.video.path is not None and one.video.path.is_file() for one in test)


def looks(task: Task) -> LookCache:
    """Where the scores of a dataset's videos are kept: `CACHE/DATASET/looks-HASH`."""
    made_with: Identity = {
        "recipe": fingerprint.RECIPE,
        "look": RECIPE,
        "score": _said(WITH_SOUND),
        "silent": _said(SILENT),
    }
    return LookCache(identity.folder(task.config, task.dataset.name, "looks", made_with), made_with)


def _said(weights: dict[str, float]) -> str:
    return " + ".join(f"{weight:g} {part}" for part, weight in weights.items())


def _seen(cache: LookCache, key: str, path: Path, video: Annotations) -> npt.NDArray[np.float64]:
    """The scores [T] of a whole video: kept ones of the same file and steps, or a new look's."""
    source = identity.file_hash(path)
    if key in cache:
        try:
            scores, steps = cache.read(key)
            if cache.source(key) == source and np.array_equal(steps, video.picks):
                return scores
        except UserError:  # damaged: it is made anew
            pass
    scores = visual_scores(watch(path, picks=video.picks)).scores
    cache.write(key, scores, video.picks, source, identity.versions())
    return scores
