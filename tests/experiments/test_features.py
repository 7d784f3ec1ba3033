"""Runs whose head reads the features of an h5 file: nothing is extracted, and what cannot be read is
one line before anything is trained.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from llmvs.cli import main
from llmvs.datasets import load
from llmvs.datasets.base import Fold
from llmvs.datasets.features import Features
from llmvs.errors import UserError
from llmvs.models.datamodule import EmbeddingDataModule
from llmvs.models.pretrained import LLMVS
from tests.config.test_load import CONFIGS
from tests.datasets.test_eccv16 import KEYS, write
from tests.experiments.test_absence import QUICK, embed, results
from tests.toys import make_dataset

FOLD = Fold(0, tuple(KEYS[:4]), (), tuple(KEYS[4:]))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Six videos of one's own with features of width 4, and no model anywhere."""
    (tmp_path / "mine").mkdir()
    write(tmp_path / "mine")
    return tmp_path


def change(place: Path, key: str, value: Any) -> None:
    with h5py.File(place / "mine" / "mine.h5", "a") as file:
        del file[key]["features"]
        if value is not None:
            file[key]["features"] = value


def run(place: Path, *more: str, verb: str = "train", variant: str = "features") -> int:
    layers = [CONFIGS / "dataset" / "eccv16.yaml", CONFIGS / "variant" / f"{variant}.yaml"]
    folders = [f"data.root={place / 'mine'}", f"runs={place / 'runs'}", f"cache={place / 'cache'}"]
    return main([verb, *map(str, layers), *folders, *QUICK, *more])


def test_a_run_extracts_nothing_and_says_what_it_read(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place) == 0
    assert not (place / "cache").exists()
    [path] = results(place)
    result = json.loads(path.read_text())
    file = place / "mine" / "mine.h5"
    assert result["embeddings"] == {
        "folder": str(file),
        "identity": {"features": "mine.h5", "bytes": file.stat().st_size},
    }
    assert run(place) == 0
    assert "reused: the finished run" in capsys.readouterr().err


def test_the_scores_are_those_of_the_trained_head_on_the_features(place: Path) -> None:
    assert run(place) == 0
    [path] = results(place)
    dataset = load("eccv16", place / "mine")
    model = LLMVS.from_pretrained(path.parent).eval()
    rule = json.loads(path.read_text())["selection"]
    scores = json.loads((path.parent / "scores" / f"{rule}.json").read_text())
    assert len(scores) >= 2
    for key, stored in scores.items():
        rows = torch.from_numpy(Features(dataset).read(key))
        with torch.no_grad():
            found = model.head(rows, torch.tensor([len(rows)]))
        np.testing.assert_allclose(found, stored, atol=1e-6)


def test_a_lightning_user_needs_no_cache(place: Path) -> None:
    dataset = load("eccv16", place / "mine")
    data = EmbeddingDataModule(dataset, FOLD, None, inputs="features")
    data.setup()
    assert data.input_dim == 4
    for part in ("train", "test"):
        for video, rows in zip(data.videos[part], data.parts[part].embeddings, strict=True):
            with h5py.File(place / "mine" / "mine.h5") as file:
                want = np.asarray(file[video.key]["features"], dtype=np.float32)
            np.testing.assert_array_equal(rows, want)
    assert data.state_dict()["identity"]["features"] == "mine.h5"


def test_embeddings_and_features_are_not_taken_for_each_other(place: Path) -> None:
    dataset = load("eccv16", place / "mine")
    embed(place / "made", dataset, KEYS)
    with pytest.raises(UserError, match="inputs=features: this head cannot read the embeddings in"):
        EmbeddingDataModule(dataset, FOLD, place / "made", inputs="features").setup()
    with pytest.raises(UserError, match="inputs=qa: this head cannot read the features of"):
        EmbeddingDataModule(dataset, FOLD, Features(dataset)).setup()


@pytest.mark.parametrize("verb", ["train", "crossval"])
def test_videos_without_features_are_named_before_anything_is_trained(
    place: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    change(place, "b-2", None)
    change(place, "Bär", None)
    assert run(place, verb=verb) == 2
    said = capsys.readouterr().err
    assert f"head.inputs=features: data.root={place / 'mine'}: no features of 2 of 6 videos" in said
    assert "b-2" in said
    assert "Bär" in said
    assert "choose another head.inputs, or leave them out with data.absent=skip" in said
    assert results(place) == []
    assert run(place, "data.absent=skip") == 0
    [path] = results(place)
    assert json.loads(path.read_text())["absent"] == {"b-2": "no features", "Bär": "no features"}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.zeros((7, 4)), "b-2: features of 7 steps, but 9 are annotated: take features and"),
        (np.zeros((9, 5)), "take features that were all made alike"),
        (np.full((9, 4), np.inf), "b-2: features: is inf at [0, 0], expected finite numbers"),
    ],
)
def test_features_of_other_steps_or_widths_are_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], value: Any, says: str
) -> None:
    change(place, "b-2", value)
    assert run(place) == 2
    assert says in capsys.readouterr().err
    assert results(place) == []


def test_what_such_a_head_cannot_do_is_one_line(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place, "trainer.callbacks=[refresh_embeddings]") == 2
    assert "head.inputs=features reads an h5 file, and no embeddings" in capsys.readouterr().err
    assert run(place) == 0
    [path] = results(place)
    model = LLMVS.from_pretrained(path.parent)
    with pytest.raises(UserError, match=r"reads the features of mine.h5 .*: use a head that was"):
        model.score_video(place / "any.mp4")
    with pytest.raises(UserError, match=r"call `model\.head"):
        model(torch.zeros(3, 4), torch.zeros(3, 4))
    assert main(["report", str(path.parent)]) == 0
    assert "the head reads a file's features: no answers" in capsys.readouterr().err
    assert main(["export", str(path.parent), f"to={place / 'card'}"]) == 0
    assert "No language model is asked" in (place / "card" / "README.md").read_text()


def test_other_datasets_train_on_their_own_features(place: Path) -> None:
    (place / "more").mkdir()
    write(place / "more", keys=["x", "y"])
    assert run(place, f"data.extra=[eccv16={place / 'more'}]") == 0
    [path] = results(place)
    result = json.loads(path.read_text())
    assert {"eccv16-more/x", "eccv16-more/y"} <= set(result["videos"]["train"])
    assert not (place / "cache").exists()


def test_a_dataset_without_an_h5_file_has_none(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"toy has no h5 file in the eccv16 layout beside its annot"
    ):
        EmbeddingDataModule(make_dataset(), FOLD, None, inputs="features")


def test_a_visual_head_where_captions_are_supplied_is_refused_or_left_out_of_a_grid(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    captions = place / "captions"
    captions.mkdir()
    supplied = f"extract.captions={captions}"
    assert run(place, supplied, variant="visual_only") == 2
    assert (
        f"head.inputs=v: the captioner makes the visual features, and {supplied} replaces it:"
        " choose head.inputs=qa, or leave extract.captions out"
    ) in capsys.readouterr().err
    grid = place / "grid.yaml"
    grid.write_text(
        "title: t\nreference: features\nrows:\n"
        "  - {label: features, set: [head.inputs=features]}\n"
        "  - {label: visual, set: [head.inputs=v]}\n"
    )
    settings = [
        str(CONFIGS / "dataset" / "eccv16.yaml"),
        f"data.root={place / 'mine'}",
        f"runs={place / 'runs'}",
    ]
    assert main(["ablate", str(grid), *settings, supplied, *QUICK, "--folds", "0"]) == 0
    assert "Left out: visual (no visual feature of any of 6 videos)." in capsys.readouterr().out
