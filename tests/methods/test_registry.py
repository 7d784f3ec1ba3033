"""The methods by the settings that name them; another one is a class and a line."""

from typing import get_args, get_type_hints

import numpy as np
import pytest

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import MethodConfig
from llmvs.config.training import TUNED
from llmvs.experiments.run import train
from llmvs.methods import METHODS, Entry, method_of
from llmvs.methods.base import Method, Scores


class FirstIsBest(Method):
    """A method of somebody else: the earlier a step, the higher its score."""

    def score(self, task):
        videos = [task.dataset.annotations_of(key) for key in task.fold.test]
        scores = {video.key: np.linspace(1, 0, video.n_steps, dtype=np.float32) for video in videos}
        return Scores.untrained(task, videos, scores, EmbeddingCache(task.folder, {"made": "up"}))


def test_every_setting_has_its_method():
    models = get_args(get_type_hints(MethodConfig)["model"])
    settings = [
        MethodConfig(model, lora)
        for model in models
        for lora in (False, True)
        if not lora or model in TUNED
    ]
    assert {(one.model, one.lora) for one in settings} == set(METHODS)
    for one in settings:
        entry = method_of(one)
        assert isinstance(entry.load(), Method)
        assert (entry.weights is None) == (one.model != "head" and not one.lora)
        assert (entry.weights == "adapter") == one.lora


def test_a_method_of_ones_own_is_run_and_shown_like_any_other(world, monkeypatch):
    dataset, settings = world
    entry = Entry(f"{__name__}:FirstIsBest", None, "annotations")
    monkeypatch.setitem(METHODS, ("scorer", False), entry)
    document, text = train(settings("scorer"))
    assert list(document["protocols"]["paper"]) == [
        "This run",
        "position",
        "visual_novelty",
        "random",
        "ceiling",
    ]
    assert list(document["per_video"]) == ["last"]
    assert document["embeddings"]["identity"] == {"made": "up"}
    for key, (tau, _) in document["per_video"]["last"]["paper"].items():
        (ratings, *_) = dataset.annotations_of(key).user_scores[
            :, dataset.annotations_of(key).picks
        ]
        pairs = [np.sign(a - b) for place, a in enumerate(ratings) for b in ratings[place + 1 :]]
        untied = np.count_nonzero(pairs)
        assert tau == pytest.approx(sum(pairs) / np.sqrt(untied * len(pairs)))
    assert train(settings("scorer"))[1] == text
