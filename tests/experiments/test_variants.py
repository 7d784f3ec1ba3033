"""Every file in configs/variant through the whole pipeline: video files, the tiny models, one
optimizer step, a table.
"""

import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from llmvs.config.load import flat, load_config, run_folder
from llmvs.config.settings import leaves
from llmvs.config.yaml_files import read_mapping
from llmvs.datasets.base import Dataset
from llmvs.experiments import resources as bench
from llmvs.experiments.run import train
from llmvs.extraction.models import build
from llmvs.models.head import Head
from llmvs.results.published import published
from tests.config.test_load import CONFIGS
from tests.films import TINY, films

VARIANTS = sorted((CONFIGS / "variant").glob("*.yaml"))
KEYS = [f"film_{i}" for i in range(5)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds films, models, cache and runs of all variants: what they have in common
    is made once.
    """
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("variants")
    build(TINY, folder / "cache")
    return folder


@pytest.fixture(scope="module")
def dataset(place: Path) -> Dataset:
    """Four videos to learn from, one of them held out, and one to test; 2 or 3 steps each. Beside
    them an h5 file of their features.
    """
    made = films(place / "films", {key: 1.0 + 0.5 * (i % 2) for i, key in enumerate(KEYS)})
    with h5py.File(place / "features.h5", "w") as file:
        for i, (key, video) in enumerate(made.annotations.items()):
            file[f"{key}/features"] = np.random.default_rng(i).random((video.n_steps, 6))
    splits = {name: [(KEYS[:4], KEYS[4:])] for name in ("paper", "disjoint")}
    return replace(made, splits=splits, features=place / "features.h5")


@pytest.mark.parametrize("path", VARIANTS, ids=lambda path: path.stem)
def test_a_variant_holds_only_its_difference_and_says_what_it_is(path: Path) -> None:
    assert path.read_text().startswith("# ")
    default, changed = (
        flat(load_config([*layers, "data.dataset=demo"])) for layers in ([], [str(path)])
    )
    said = dict(leaves(read_mapping(path)))
    assert [key for key in said if changed[key] == default[key]] == []
    assert {key for key in default if changed[key] != default[key]} == {*said, "experiment"}
    assert said or path.stem == "llmvs"


@pytest.mark.parametrize("path", VARIANTS, ids=lambda path: path.stem)
def test_a_variant_runs_on_top_of_the_small_head(
    path: Path, place: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "open_dataset", lambda config: dataset)
    config = load_config(
        [
            str(CONFIGS / "dataset" / "demo.yaml"),
            str(path),
            f"cache={place / 'cache'}",
            f"runs={place / 'runs'}",
            "log.wandb=disabled",
            "accelerator=cpu",
            "caption.max_tokens=4",
            "prompt.max_tokens=2",
            "extract.engine=expand",
            "optim.epochs=1",
            "lora.epochs=1",
        ]
    )
    drawn: dict[str, torch.Tensor] = {}
    original = Head.__init__

    def remember(self: Head, *arguments: object) -> None:
        original(self, *arguments)  # type: ignore[arg-type]
        drawn.update({name: value.clone() for name, value in self.state_dict().items()})

    monkeypatch.setattr(Head, "__init__", remember)
    document, text = train(config)
    assert "This run" in text
    if config.method.model == "head":
        assert document["rules"]["last"]["epoch"] == 1
        trained = load_file(run_folder(config) / "model.safetensors")
        assert any(not torch.equal(trained[f"head.{name}"], value) for name, value in drawn.items())


def test_the_table_of_variants_has_every_file_and_the_published_figures() -> None:
    rows = [
        line
        for line in (CONFIGS.parent / "docs" / "variants.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    listed = {name: row for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert {path.stem for path in VARIANTS} <= listed.keys()
    for dataset in ("summe", "tvsum"):
        for name in listed:
            figures = published(dataset, name)
            shown = " / ".join(
                f"{figures[key]:.3f}".lstrip("0") for key in ("tau", "rho") if key in figures
            )
            assert shown in listed[name].split("|")[3], name
