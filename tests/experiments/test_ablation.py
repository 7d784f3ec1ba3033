"""A grid of variants: one extraction for heads, a table beside the published figures, and mistakes
before anything is computed.
"""

import csv
import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from llmvs.cli import main
from llmvs.demo import dataset as demo
from llmvs.errors import UserError
from llmvs.experiments.ablation import ablate
from llmvs.experiments.grids import load_grid
from llmvs.training import distributed as ranks
from tests.config.test_load import CONFIGS
from tests.experiments.test_run import SMALL

GRIDS = sorted((CONFIGS / "grid").glob("*.yaml"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("ablate")
    demo.load(folder / "demo", clips=5, seconds=(6.0, 8.0))
    return folder


def settings(place: Path, *more: str) -> list[str]:
    return [
        str(CONFIGS / "dataset" / "demo.yaml"),
        str(CONFIGS / "backbone" / "tiny.yaml"),
        f"data.root={place / 'demo'}",
        f"cache={place / 'cache'}",
        f"runs={place / 'runs'}",
        "accelerator=cpu",
        *SMALL,
        "optim.epochs=2",
        "head.dim=64",
        *more,
    ]


@pytest.fixture(scope="module")
def done(place: Path) -> dict[str, Any]:
    """Three rows, one of them without training, on two folds."""
    grid = write(
        place,
        "rows: [{label: full, variants: [llmvs], published: llmvs}, {label: 'q | only', variants:"
        " [query_only]}, {label: shallow, set: [head.layers=2]}]\ntitle: A test",
    )
    with pytest.MonkeyPatch.context() as patch:
        calls = []
        original = ranks.extract
        patch.setattr(ranks, "extract", lambda *given: calls.append(1) or original(*given))
        document, _ = ablate(str(grid), settings(place), [0, 1], [3])
    assert len(calls) == 1
    return document


def write(place: Path, text: str) -> Path:
    folder = place / "grids"
    folder.mkdir(exist_ok=True)
    if not (place / "variant").exists():
        (place / "variant").symlink_to(CONFIGS / "variant")
    path = folder / "test.yaml"
    path.write_text(text)
    return path


def test_the_folder_of_a_grid(place: Path, done: dict[str, Any]) -> None:
    folder = place / "runs" / "ablation-test-demo"
    assert {path.name for path in folder.iterdir()} == {
        *(f"{name}.{end}" for name in ("table", "short", "paper") for end in ("md", "csv", "tex")),
        "plot.png",
        "plot.svg",
    }
    rows = [row for row in csv.DictReader((folder / "table.csv").open()) if row["table"] == "paper"]
    assert [row["row"] for row in rows[:9]] == [
        "full",
        "q | only",
        "shallow",
        "baseline: position in the video",
        "baseline: novelty of the caption",
        "baseline: ridge on the captions' words",
        "baseline: ridge on q and a",
        "baseline: what is seen and heard",
        "Random",
    ]
    assert "q \\| only" in (folder / "table.md").read_text()
    assert r"q \textbar{} only" in (folder / "table.tex").read_text()
    width, height = struct.unpack(">II", (folder / "plot.png").read_bytes()[16:24])
    assert width > 600
    assert height > 200
    assert len(set(done["experiments"])) == 3


def test_its_runs_are_those_of_crossval(
    place: Path, done: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [
                "crossval",
                *settings(place)[:2],
                str(CONFIGS / "variant" / "query_only.yaml"),
                *settings(place)[2:],
                "folds=0,1",
                "seeds=3",
            ]
        )
        == 0
    )
    assert "reused: 2 of 2 runs are finished" in capsys.readouterr().err


def test_the_table_again_from_the_results_alone(
    place: Path, done: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(place / "runs" / name) for name in done["experiments"]]
    assert main(["table", *folders, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    for here, there in zip(again["tables"], done["tables"], strict=True):
        for row, want in zip(here["rows"], there["rows"], strict=True):
            assert json.loads(json.dumps(row[1:])) == json.loads(
                json.dumps(want[1:])
                .replace("NaN", "null")
                .replace("-Infinity", "null")
                .replace("Infinity", "null")
            )


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
@pytest.mark.parametrize("dataset", ["demo", "summe", "tvsum"])
def test_every_grid_loads(path: Path, dataset: str) -> None:
    grid = load_grid(str(path))
    configs = grid.configs([str(CONFIGS / "dataset" / f"{dataset}.yaml")])
    assert len({config.experiment for config in configs}) == len(grid.rows)


def test_a_grid_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIGS.parent)
    assert load_grid("paper").reference == "full method"
    with pytest.raises(UserError, match=r"^embeding: no such grid: did you mean embedding\?$"):
        load_grid("embeding")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "rows: [{label: a, variants: [querry_only]}]",
            "a: no variant querry_only: did you mean query_only?",
        ),
        ("rows: [{label: a, published: llmv}]", "a: no published row llmv: did you mean llmvs?"),
        ("rows: [{label: a, variant: [x]}]", "unknown key variant: did you mean variants?"),
        ("rows: [{label: a}]\nreference: b", "reference 'b': no such row"),
        ("rows: [{label: a}, {label: b}]", "two rows are the same experiment"),
        (
            "rows: [{label: a}, {label: a, variants: [mlp]}]",
            "two rows are called 'a': give each a label of its own",
        ),
        (
            "rows: [{label: a}, {label: b, set: [data.splits=paper]}]",
            "b: not the dataset, splits and steps of the row a",
        ),
        ("rows: [{label: a, set: [head.dimm=3]}]", "unknown key head.dimm"),
        ("rows: 3", "expected a title and a list of rows"),
        ("rows: [", "not readable as YAML"),
    ],
)
def test_mistakes_come_before_anything_is_computed(
    place: Path,
    text: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("llmvs.experiments.ablation.open_dataset", None)
    assert main(["ablate", str(write(place, text)), *settings(place)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
