"""The small pair, loaded anew for every test: adapters change a model's layers in place."""

from typing import Any

import pytest
import torch

from llmvs.cache.captions import Captions
from llmvs.config.schema import Config
from llmvs.extraction.numbers import Numbers
from llmvs.models.adapters.questions import Questions, load_captioner, load_scorer
from tests.films import films, tiny_config

CAPTIONS = {
    "one": Captions(
        [0, 10, 20, 30, 40, 50],
        ["a dog runs", "a dog sleeps", "a red car", "a red car", "a man cooks", "a man cooks"],
    )
}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A cache folder that holds the built-in models."""
    torch.set_num_threads(1)
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def config(tmp_path, built):
    return tiny_config(tmp_path / "cache", built)


@pytest.fixture
def dataset(tmp_path):
    return films(tmp_path, {"one": 3})


def loaded_anew(role: str, config: Config) -> tuple[Any, Numbers, Questions]:
    """A model, its numbers, and its questions. The tiny captioner finds all digits equally likely,
    so it gets another output layer.
    """
    if role == "scorer":
        return load_scorer(config, [], CAPTIONS)
    model, numbers, questions = load_captioner(config)
    model.get_output_embeddings().weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
    return model, numbers, questions


@pytest.fixture(params=["scorer", "captioner"])
def loaded(request, config) -> tuple[Any, Numbers, Questions]:
    """Either model."""
    return loaded_anew(request.param, config)
