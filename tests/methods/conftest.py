"""Five films of random pictures as a dataset with folds, for runs in which a model itself gives the
scores.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from llmvs.config.schema import Config, DataConfig, MethodConfig, PromptConfig
from llmvs.datasets.base import Dataset
from llmvs.datasets.splits import generated
from llmvs.experiments import resources
from tests.films import films, tiny_config


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A cache folder that holds the built-in models."""
    torch.set_num_threads(1)
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def world(tmp_path, built, monkeypatch) -> tuple[Dataset, Callable[..., Config]]:
    """The films, and what makes the settings of a run on them with a method's model."""
    plain = films(tmp_path, {f"video_{i}": 2 + i / 2 for i in range(5)})
    dataset = replace(plain, splits=generated(list(plain.videos), "films"))
    monkeypatch.setattr(resources, "open_dataset", lambda config: dataset)
    plan = tiny_config(
        tmp_path / "cache",
        built,
        runs=str(tmp_path / "runs"),
        data=DataConfig("films", str(tmp_path), "disjoint"),
        prompt=PromptConfig(window=3, max_tokens=1),
    )

    def settings(model: str, lora: bool = False, **changes: object) -> Config:
        return replace(plan, method=MethodConfig(model, lora), **changes)  # type: ignore[arg-type]

    return dataset, settings
