"""The baselines beside any run: the same figures as their own runs, made of what is at hand."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from llmvs.cache.looks import LookCache
from llmvs.experiments.run import train
from llmvs.methods import METHODS, visual

SIMPLE = [model for (model, _), entry in METHODS.items() if entry.simple]


@pytest.fixture
def few_epochs(world):
    """The settings of a run, in which a head is trained for two epochs."""
    _, settings = world

    def shorter(model, **changes):
        plan = settings(model, **changes)
        return replace(plan, optim=replace(plan.optim, epochs=2), selection="last")

    return shorter


def test_a_row_beside_a_run_is_what_the_method_itself_gets(world, few_epochs, tmp_path):
    document, text = train(few_epochs("head"))
    assert [row for row in document["baselines"] if row in SIMPLE] == SIMPLE
    for model in SIMPLE:
        alone, _ = train(few_epochs(model, runs=str(tmp_path / model)))
        # As text, in which undefined figures (these captions hold no word often enough) are equal.
        assert str(document["baselines"][model]) == str(alone["per_video"]["last"])
        figures = (document["protocols"]["paper"][model], alone["protocols"]["paper"]["This run"])
        assert str(figures[0]) == str(figures[1])
        assert model not in alone["baselines"]
    assert "baseline: ridge on the captions' words: paper: undefined, because the scores of" in text
    for label in (
        "baseline: position in the video",
        "baseline: ridge on q and a",
        "baseline: what is seen and heard",
    ):
        assert label in text


def test_a_video_is_looked_at_once(world, few_epochs, tmp_path, monkeypatch):
    dataset, _ = world
    first, _ = train(few_epochs("visual_novelty"))
    (folder,) = (tmp_path / "cache" / "films").glob("looks-*")
    assert LookCache(folder).keys() == sorted(first["videos"]["test"])
    looked, watch = [], visual.watch
    monkeypatch.setattr(
        visual, "watch", lambda path, **given: looked.append(path) or watch(path, **given)
    )
    again = few_epochs("visual_novelty", resume=False)
    assert train(again)[0]["per_video"] == first["per_video"]
    assert looked == []

    key = first["videos"]["test"][0]  # a damaged record is made again
    record = folder / f"{key}.safetensors"
    record.write_bytes(record.read_bytes()[:-9])
    assert train(again)[0]["per_video"] == first["per_video"]
    path = dataset.video(key).path
    assert looked == [path]

    with path.open("ab") as file:  # another file under the same name
        file.write(bytes(8))
    train(again)
    assert looked == [path, path]
    _, steps = LookCache(folder).read(key)
    assert np.array_equal(steps, dataset.annotations_of(key).picks)


def test_what_cannot_be_looked_at_has_no_row(world, few_epochs, caplog):
    dataset, _ = world
    plan = few_epochs("position")
    key = train(plan)[0]["videos"]["test"][0]
    path = dataset.video(key).path
    shutil.rmtree(next(path.parent.parent.rglob("looks-*")))
    path.write_bytes(b"no video at all")
    document, _ = train(replace(plan, resume=False))
    assert "visual_novelty" not in document["baselines"]
    assert "no row of visual_novelty beside this run's" in caplog.text
    path.unlink()
    caplog.clear()
    assert "visual_novelty" not in train(replace(plan, resume=False))[0]["baselines"]
    assert "no row of" not in caplog.text


def test_nothing_is_extracted_for_a_row(world, few_epochs, tmp_path):
    document, _ = train(few_epochs("position"))
    assert {row for row in document["baselines"] if row in SIMPLE} == {"visual_novelty"}
    assert {path.name.split("-")[0] for path in (tmp_path / "cache" / "films").iterdir()} == {
        "looks"
    }
