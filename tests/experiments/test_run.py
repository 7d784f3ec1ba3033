"""One run from rendered clips to its table, through the command line, in a world small enough for a
test.
"""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.cli import main
from llmvs.config.load import load_config
from llmvs.demo import dataset as demo
from llmvs.models.storage import load_head
from tests.config.test_load import CONFIGS

SMALL = [
    "head.dim=16",
    "head.feedforward=16",
    "head.layers=1",
    "optim.epochs=3",
    "log.wandb=disabled",
    "caption.max_tokens=4",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a rendered demo of five short clips, where a first run has filled the cache."""
    folder = tmp_path_factory.mktemp("run")
    demo.load(folder / "demo", clips=5, seconds=(6.0, 8.0))
    return folder


def arguments(place, *more):
    return [
        "train",
        str(CONFIGS / "dataset" / "demo.yaml"),
        f"data.root={place / 'demo'}",
        f"cache={place / 'cache'}",
        f"runs={place / 'runs'}",
        *SMALL,
        *more,
    ]


@pytest.fixture(scope="module")
def first(place):
    """The result of a first run of fold 0."""
    assert main(arguments(place, "--json")) == 0
    return json.loads(next((place / "runs").rglob("result.json")).read_text())


def test_a_run_leaves_all_that_its_number_needs(place, first):
    folder = Path(first["folder"])
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "config.yaml",
        "logs",
        "result.json",
        "run.log",
        "scores",
        "model.safetensors",
    }
    assert first["synthetic"] is True
    assert (first["fold"], first["selection"], first["epochs"]) == (0, "val", 3)
    assert set(first["protocols"]) == {"paper", "per_annotator", "f1"}
    assert list(first["protocols"]["paper"]) == [
        "This run",
        "zero_shot",
        "zero_shot/untied",
        "position",
        "caption_novelty",
        "caption_ridge",
        "embedding_ridge",
        "visual_novelty",
        "random",
        "human_pairwise",
        "human_others",
        "ceiling",
    ]
    assert first["environment"]["packages"]["torch"] == version("torch")
    assert load_config([str(folder / "config.yaml")]).head.dim == 16
    assert set(first["rules"]) == {"val", "last", "test"}
    tested, held, trained = (set(first["videos"][part]) for part in ("test", "val", "train"))
    assert len(tested | held | trained) == 5
    assert not tested & (held | trained)


def test_the_saved_weights_give_the_saved_scores(place, first):
    folder = Path(first["folder"])
    cache = EmbeddingCache(next((place / "cache" / "demo").glob("embeddings-*")))
    scores = json.loads((folder / "scores" / "val.json").read_text())
    head = load_head(folder).eval()
    for key in first["videos"]["test"]:
        embeddings = cache.read(key)
        values = torch.maximum(embeddings.q, embeddings.a).float()
        with torch.inference_mode():
            again = head(values, torch.tensor([len(values)]))
        assert again.numpy() == pytest.approx(np.array(scores[key]), abs=1e-5)


def test_the_saved_scores_evaluated_again_give_the_same_figures(place, first, capsys):
    folder = Path(first["folder"])
    assert (
        main(
            [
                "evaluate",
                "--scores",
                str(folder / "scores" / "val.json"),
                str(CONFIGS / "dataset" / "demo.yaml"),
                f"data.root={place / 'demo'}",
                "--json",
            ]
        )
        == 0
    )
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["folds"] == [0]
    rows = {name: next(iter(rows.values())) for name, rows in evaluated["protocols"].items()}
    assert rows == {
        name: pytest.approx(block["This run"]) for name, block in first["protocols"].items()
    }


def test_a_finished_run_is_only_read(place, first, capsys):
    assert (
        main(arguments(place, "extract.tokens_per_batch=512", "caption.batch=2")) == 0
    )  # how it runs, not what
    output = capsys.readouterr()
    assert "reused: the finished run in" in output.err
    assert (
        "demo (synthetic annotators), disjoint splits, fold 0, seed 1112: 3 videos trained on, 1"
        " held out, 1 tested" in output.out
    )
    assert "selection=val: epoch" in output.out
    assert "Ceiling, the annotators' own mean" in output.out
    assert output.out.splitlines()[-1].startswith("run: ")


def test_other_settings_of_the_same_name_are_refused_and_nothing_is_lost(place, first, capsys):
    folder = Path(first["folder"])
    before = (folder / "result.json").read_bytes()
    again = arguments(place, f"experiment={first['experiment']}", "optim.lr=0.5")
    assert main(again) == 2
    assert (
        "optim.lr=0.001 (expected 0.5): give this one a name of its own" in capsys.readouterr().err
    )
    assert (folder / "result.json").read_bytes() == before


def test_a_result_whose_configuration_is_gone_is_nobodys(place, first, capsys, tmp_path):
    shutil.copytree(place / "runs", tmp_path / "runs")
    folder = tmp_path / "runs" / Path(first["folder"]).relative_to(place / "runs")
    (folder / "config.yaml").unlink()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for other in ("optim.lr=0.5", f"experiment={first['experiment']}"):
        again = [f"runs={tmp_path / 'runs'}", f"experiment={first['experiment']}", other]
        assert main(arguments(place, *again)) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert (
            f"{folder}: holds result.json but no config.yaml, so nothing says what the run was "
            "made with: train it anew with resume=false, or give" in output.err
        )
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(arguments(place, f"runs={tmp_path / 'runs'}", "resume=false", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["protocols"] == first["protocols"]
    assert (folder / "config.yaml").is_file()


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_run_whose_weights_are_damaged_is_not_finished(place, first, damage, capsys, tmp_path):
    shutil.copytree(place / "runs", tmp_path / "runs")
    folder = tmp_path / "runs" / Path(first["folder"]).relative_to(place / "runs")
    weights, again = folder / "model.safetensors", arguments(place, f"runs={tmp_path / 'runs'}")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.unlink() if damage == "missing" else weights.write_bytes(content)
    assert main(again) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert f"{weights}: {damage}: the run is not whole any more: restore the file" in output.err
    assert main([*again, "resume=false", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["protocols"] == first["protocols"]
    assert weights.read_bytes() == (Path(first["folder"]) / "model.safetensors").read_bytes()


def test_a_result_of_an_older_version_has_no_checksums_and_is_reused(place, first, tmp_path):
    shutil.copytree(place / "runs", tmp_path / "runs")
    folder = tmp_path / "runs" / Path(first["folder"]).relative_to(place / "runs")
    old = json.loads((folder / "result.json").read_text())
    assert set(old.pop("files")) == {"model.safetensors"}
    (folder / "result.json").write_text(json.dumps(old))
    before = (folder / "result.json").read_bytes()
    assert main(arguments(place, f"runs={tmp_path / 'runs'}")) == 0
    assert (folder / "result.json").read_bytes() == before


def test_resume_false_starts_over_and_gives_the_same_figures(place, first, capsys):
    assert main(arguments(place, "resume=false", "--json")) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["protocols"] == first["protocols"]


def test_another_fold_reuses_the_embeddings(place, first, capsys):
    assert main(arguments(place, "fold=1", "selection=test")) == 0
    output = capsys.readouterr()
    assert "embeddings: 0 made, 5 reused" in output.err
    assert "best on the TEST videos" in output.out
    assert "4 videos trained on, 0 held out, 1 tested" in output.out


def test_embeddings_named_by_the_user_are_used_as_they_are_if_they_fit(place, first, capsys):
    made = next((place / "cache" / "demo").glob("embeddings-*"))
    copy = place / "copied"
    shutil.copytree(made, copy, dirs_exist_ok=True)
    assert main(arguments(place, f"extract.embeddings={copy}", "--json")) == 0
    again = json.loads(capsys.readouterr().out)["protocols"]
    unmade = ("caption_novelty", "caption_ridge")  # nothing says which captions those were made of
    assert again == {
        name: {row: values for row, values in rows.items() if row not in unmade}
        for name, rows in first["protocols"].items()
    }
    assert main(arguments(place, f"extract.embeddings={copy}", "prompt.window=5")) == 2
    assert "made with prompt.window=7 (expected 5)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["fold=5"], "fold=5: demo has 5 disjoint folds, 0 to 4"),
        (["extract.embeddings=nowhere"], "nowhere/fingerprint.json: no such file"),
        (["extract.captions=nowhere"], "nowhere"),
        (
            ["runs=/dev/null/runs"],
            "runs=/dev/null/runs: /dev/null: Not a directory: name another folder",
        ),
    ],
)
def test_mistakes(place, first, more, message, capsys):
    assert main(arguments(place, *more)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_finished_run_is_read_without_the_libraries_of_training(place, first):
    told = (
        "import sys; from llmvs.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'lightning', 'transformers', 'cv2', 'h5py', 'av'} & set(sys.modules);"
        "print(code, sorted(heavy))"
    )
    command = [sys.executable, "-c", told, *arguments(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
    assert "reused: the finished run in" in done.stderr


def test_an_export_that_is_gone_does_not_spoil_its_run(place, first, tmp_path):
    """Older versions counted it to what was trained."""
    shutil.copytree(place / "runs", tmp_path / "runs")
    folder = tmp_path / "runs" / Path(first["folder"]).relative_to(place / "runs")
    old = json.loads((folder / "result.json").read_text())
    old["files"]["export/model.safetensors"] = "0" * 64
    (folder / "result.json").write_text(json.dumps(old))
    assert main(arguments(place, f"runs={tmp_path / 'runs'}")) == 0
