"""Videos of which nothing can be made: refused all at once before a model is loaded, or left out of
the folds and counted everywhere.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.cli import main
from llmvs.config.load import load_config
from llmvs.config.schema import MethodConfig
from llmvs.datasets import load
from llmvs.errors import UserError
from llmvs.experiments import absence
from llmvs.experiments.absence import absent
from llmvs.experiments.resources import Resources
from tests.config.test_load import CONFIGS
from tests.datasets.test_eccv16 import KEYS, write
from tests.films import film, films, tiny_config

QUICK = [
    "head.dim=16",
    "head.feedforward=16",
    "head.layers=1",
    "optim.epochs=2",
    "log.wandb=disabled",
    "accelerator=cpu",
]


@pytest.fixture
def place(tmp_path):
    """Six videos of one's own, with embeddings of five."""
    (tmp_path / "mine").mkdir()
    dataset = load("eccv16", write(tmp_path / "mine"))
    embed(tmp_path / "made", dataset, [key for key in KEYS if key != "c_9"])
    return tmp_path


def embed(folder, dataset, keys):
    cache = EmbeddingCache(folder, {"source": "made up"})
    for key in keys:
        video = dataset.annotations[key]
        q, a = torch.randn(2, video.n_steps, 8, generator=torch.Generator().manual_seed(1))
        cache.write(key, Embeddings(q, a, torch.from_numpy(video.picks)))


def run(place, *more, verb="train"):
    layers = [str(CONFIGS / "dataset" / "eccv16.yaml"), f"data.root={place / 'mine'}"]
    folders = [f"runs={place / 'runs'}", f"extract.embeddings={place / 'made'}"]
    return main([verb, *layers, *folders, *QUICK, *more])


def results(place):
    return sorted((place / "runs").rglob("result.json"))


def test_all_that_is_absent_is_named_at_once(place, capsys):
    (place / "made" / "b-2.safetensors").unlink()
    assert run(place) == 2
    said = capsys.readouterr().err
    assert (
        f"eccv16-mine: extract.embeddings={place / 'made'}: no embeddings of 2 of 6 videos: b-2,"
        " c_9: get them, or leave them out with data.absent=skip"
    ) in said.replace("c_9, b-2", "b-2, c_9")
    assert results(place) == []


def test_what_is_skipped_is_counted_wherever_figures_are(place, capsys):
    assert run(place, "data.absent=skip") == 0
    shown = capsys.readouterr()
    assert "eccv16-mine (1 of 6 videos left out; no embeddings: 1), disjoint" in shown.out
    assert "c_9" in shown.err
    [path] = results(place)
    result = json.loads(path.read_text())
    assert result["absent"] == {"c_9": "no embeddings"}
    used = [key for part in ("train", "val", "test") for key in result["videos"][part]]
    assert sorted(used) == sorted(set(KEYS) - {"c_9"})
    assert main(["export", str(path.parent), f"to={place / 'card'}"]) == 0
    card = (place / "card" / "README.md").read_text()
    assert "* Left out, because they could not be found: c_9" in card
    assert "1 of 6 videos left out" in card


def test_a_run_of_other_videos_is_another_run(place, capsys):
    assert run(place, "data.absent=skip") == 0
    assert run(place, "data.absent=skip") == 0
    assert "reused: the finished run" in capsys.readouterr().err
    embed(place / "made", load("eccv16", place / "mine"), ["c_9"])
    assert run(place, "data.absent=skip") == 2
    assert "made with other videos left out (c_9): train it anew" in capsys.readouterr().err
    assert run(place, "data.absent=skip", "--folds", "0", verb="crossval") == 2
    assert run(place, "data.absent=skip", "resume=false") == 0
    [path] = results(place)
    assert json.loads(path.read_text())["absent"] == {}
    assert run(place) == 0
    assert len(results(place)) == 2


def test_a_fold_without_test_videos_is_refused(place, capsys):
    for key in KEYS:
        if key not in ("a walk", "b-2", "video_1"):
            (place / "made" / f"{key}.safetensors").unlink(missing_ok=True)
    statuses = {run(place, "data.absent=skip", f"fold={fold}") for fold in range(5)}
    assert statuses == {0, 2}
    assert "none of its test videos is left (3 are left out)" in capsys.readouterr().err


def test_the_baselines_of_a_part_say_that_it_is_one(place, capsys):
    split = {"train_keys": KEYS[:3], "test_keys": [*KEYS[3:], "gone"]}
    (place / "mine" / "split.json").write_text(json.dumps(split))
    assert run(place, "--json", verb="baselines") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["absent"] == {"gone": "no annotations"}
    assert run(place, verb="baselines") == 0
    assert "(1 of 7 videos left out; no annotations: 1)" in capsys.readouterr().out
    scores = {key: np.linspace(0, 1, 9).tolist() for key in KEYS[3:]}
    (place / "scores.json").write_text(json.dumps(scores))
    assert main(
        [
            "evaluate",
            "--scores",
            str(place / "scores.json"),
            str(CONFIGS / "dataset" / "eccv16.yaml"),
            f"data.root={place / 'mine'}",
        ]
    ) == (0)
    assert "mean over folds 0" in capsys.readouterr().out
    assert run(place) == 2
    assert "1 videos of eccv16 are missing (gone)" in capsys.readouterr().err


def grid(place, reference):
    (place / "grids").mkdir()
    (place / "variant").symlink_to(CONFIGS / "variant")
    names = ["llmvs", "position", "caption_novelty", "visual_novelty"]
    rows = "\n".join(f"  - {{label: row {name}, variants: [{name}]}}" for name in names)
    path = place / "grids" / "mine.yaml"
    path.write_text(f"reference: row {reference}\nrows:\n{rows}\n")
    return str(path)


def test_a_row_of_which_nothing_can_be_made_is_a_note(place, capsys):
    layers = [str(CONFIGS / "dataset" / "eccv16.yaml"), f"data.root={place / 'mine'}"]
    folders = [f"runs={place / 'runs'}", f"extract.embeddings={place / 'made'}"]
    given = [*layers, *folders, *QUICK, "data.absent=skip", "--json"]
    assert main(["ablate", grid(place, "llmvs"), *given]) == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    for table in document["tables"]:
        assert [row[0] for row in table["rows"]][:4] == [
            "row llmvs",
            "row position",  # and no baseline of that name again
            "baseline: ridge on q and a",
            "Random",
        ]
        assert [note for note in table["notes"] if "Left out" in note] == [
            "Left out: row caption_novelty (no clip of any of 6 videos).",
            "Left out: row visual_novelty (no clip of any of 6 videos).",
        ]
    assert "note: row visual_novelty: left out: no clip of any of 6 videos" in shown.err
    assert len(document["experiments"]) == 2
    assert "Left out: row visual" in (Path(document["folder"]) / "short.md").read_text().replace(
        "\\_", "_"
    )


def test_the_row_that_others_are_compared_with_is_not_left_out(place, capsys):
    layers = [str(CONFIGS / "dataset" / "eccv16.yaml"), f"data.root={place / 'mine'}"]
    given = [*layers, f"runs={place / 'runs'}", *QUICK]
    assert main(["ablate", grid(place, "visual_novelty"), *given]) == 2
    assert "no clip of 6 of 6 videos" in capsys.readouterr().err
    assert results(place) == []


@pytest.fixture
def clips(tmp_path):
    """Three clips, one of which is gone again, and settings to extract them."""
    dataset = films(tmp_path / "clips", {"a": 1, "b": 1, "c": 1})
    dataset.video("b").path.unlink()
    folds = [(["a", "b"], ["c"]), (["b", "c"], ["a"])]
    dataset = replace(dataset, splits={"paper": folds, "disjoint": folds})
    return dataset, tiny_config(tmp_path / "cache", tmp_path / "models")


def test_a_dead_link_is_found_before_any_model_is_loaded(clips, monkeypatch):
    dataset, config = clips
    monkeypatch.setattr("llmvs.extraction.models.load_captioner", None)
    config = replace(config, selection="last")
    with pytest.raises(UserError, match=r"films: data\.root=.*: no clip of 1 of 3 videos: b: get"):
        Resources([config], dataset)
    skip = replace(config, data=replace(config.data, absent="skip"))
    resources = Resources([skip], dataset)
    assert resources.keys == ["a", "c"]
    assert resources.dataset.absent == {"b": "no clip"}
    zero = replace(config, method=replace(config.method, model="captioner"))
    assert Resources([zero], dataset).keys == ["c"]  # which is all that it reads


def test_captions_that_are_there_need_no_clip(clips):
    dataset, config = clips
    film(dataset.video("b").path, 1, 1)
    from llmvs.extraction.pipeline import extract

    extract(config, "films", list(dataset.videos.values())).check()
    dataset.video("b").path.unlink()
    assert absent(config, dataset, ["a", "b"]) == {}
    never, again = (
        replace(config, extract=replace(config.extract, refresh=refresh))
        for refresh in ("never", "always")
    )
    assert absent(never, dataset, ["a", "b"]) == {}
    assert absent(again, dataset, ["a", "b"]) == {"b": "no clip"}
    other = replace(never, prompt=replace(config.prompt, window=5))
    assert absent(other, dataset, ["a"]) == {"a": "no embeddings"}


def test_answers_about_frames_are_no_clips_to_look_at(clips):
    dataset, config = clips
    film(dataset.video("b").path, 1, 1)
    from llmvs.extraction.caption_stage import ask_frames

    asked, looked = (
        replace(config, method=MethodConfig(model)) for model in ("captioner", "visual_novelty")
    )
    ask_frames(asked, "films", [dataset.video("b")])
    dataset.video("b").path.unlink()
    assert absent(asked, dataset, ["a", "b"]) == {}
    assert absent(looked, dataset, ["a", "b"]) == {"b": "no clip"}


def test_without_any_clip_no_model_is_looked_for(place, capsys):
    layers = [str(CONFIGS / "dataset" / "eccv16.yaml"), f"data.root={place / 'mine'}"]
    folders = [f"runs={place / 'runs'}", f"cache={place / 'cache'}"]
    assert main(["train", *layers, *folders, "backbone.captioner=no/such", *QUICK]) == 2
    error = capsys.readouterr().err
    assert f"data.root={place / 'mine'}: no clip of 6 of 6 videos" in error
    assert "get them, give their captions with extract.captions=DIR, or leave them out" in error


def test_supplied_captions_are_looked_for_by_key_and_name(clips, tmp_path):
    dataset, config = clips
    (tmp_path / "said").mkdir()
    (tmp_path / "said" / "b.jsonl").touch()
    given = replace(config, extract=replace(config.extract, captions=str(tmp_path / "said")))
    assert absent(given, dataset, ["a", "b"]) == {"a": "no captions"}


def test_nothing_left_is_one_line(clips):
    dataset, config = clips
    for key in ("a", "c"):
        dataset.video(key).path.unlink()
    with pytest.raises(UserError, match="films: no clip of any of its videos"):
        absence.without_absent([config], dataset)


def test_settings_without_the_word_refuse():
    assert load_config(["data.dataset=summe"]).data.absent == "refuse"
    skips = load_config(["data.dataset=summe", "data.absent=skip"])
    assert skips.experiment == "summe+data.absent=skip"
