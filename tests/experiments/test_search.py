"""A search by Optuna: it learns, it goes on where it stopped, and what is wrong is one line."""

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llmvs.cli import main
from llmvs.config.schema import Config
from llmvs.errors import UserError
from llmvs.experiments import sweep as under_test
from llmvs.experiments.search import STUDY, learned

pytest.importorskip("optuna")

SPACES: dict[str, dict[str, Any]] = {
    "dataset": {"value": "demo"},
    "optim.lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1},
    "head.layers": {"min": 1, "max": 4},
    "head.heads": {"values": [1, 2, 4]},
    "head.dropout": {"min": 0.0, "max": 0.5},
}
Point = dict[str, Any]


def value(point: Point) -> float:
    """Best at lr = 1e-3, few layers, 2 heads."""
    distance = abs(math.log10(point["optim.lr"]) + 3)
    return -distance - 0.1 * point["head.layers"] - 0.1 * (point["head.heads"] != 2)


def values(some: Sequence[Point]) -> list[float]:
    return [value(point) for point in some]


def test_it_learns_and_stays_inside_the_space(tmp_path: Path) -> None:
    found = learned(tmp_path, SPACES, True, 40, 1, values)
    assert len(found) == 40
    for point in found:
        assert list(point) == list(SPACES)
        assert point["dataset"] == "demo"
        assert 1e-5 <= point["optim.lr"] <= 1e-1
        assert float(f"{point['optim.lr']:.4g}") == point["optim.lr"]
        assert point["head.layers"] in (1, 2, 3, 4)
        assert point["head.heads"] in (1, 2, 4)
        assert isinstance(point["head.heads"], int)
    early, late = found[:10], found[-10:]
    assert sum(values(late)) / 10 > sum(values(early)) / 10 + 0.3
    worst = learned(tmp_path / "least", SPACES, False, 40, 1, values)
    assert sum(values(worst[-10:])) < sum(values(worst[:10]))


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_search_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, at_once: int) -> None:
    whole = learned(tmp_path / "whole", SPACES, True, 10, at_once, values)
    tried: list[Point] = []

    def stopped(some: Sequence[Point]) -> list[float]:
        tried.extend(some)
        if len(tried) > 6:
            raise KeyboardInterrupt
        return values(some)

    with pytest.raises(KeyboardInterrupt):
        learned(tmp_path / "b", SPACES, True, 10, at_once, stopped)
    assert learned(tmp_path / "b", SPACES, True, 10, at_once, values) == whole
    assert tried == whole[: len(tried)]
    # more points are added to those that are there, and fewer take none away
    assert learned(tmp_path / "b", SPACES, True, 12, at_once, values)[:10] == whole
    assert learned(tmp_path / "b", SPACES, True, 4, at_once, values) == whole[:4]


def test_a_point_that_cannot_be_tried_ends_the_search_once(tmp_path: Path) -> None:
    def refused(some: Sequence[Point]) -> list[float]:
        raise UserError("the loss became NaN")

    with pytest.raises(UserError, match="the loss became NaN"):
        learned(tmp_path, SPACES, True, 3, 1, refused)
    assert len(learned(tmp_path, SPACES, True, 3, 1, values)) == 3


def test_an_undefined_figure_is_a_point_that_was_tried(tmp_path: Path) -> None:
    def undefined(some: Sequence[Point]) -> list[float]:
        return [math.nan for _ in some]

    first = learned(tmp_path, SPACES, True, 1, 1, undefined)
    assert learned(tmp_path, SPACES, True, 8, 1, values)[:1] == first


def test_a_damaged_study_is_one_line(tmp_path: Path) -> None:
    learned(tmp_path, SPACES, True, 2, 1, values)
    (tmp_path / STUDY).write_text("{broken\n{broken\n")
    with pytest.raises(UserError, match=f"{STUDY}: not a study of this search, or damaged") as one:
        learned(tmp_path, SPACES, True, 2, 1, values)
    assert "\n" not in str(one.value)


HOLDER = """
import sys
from pathlib import Path
from llmvs.experiments.search import learned
def wait(some):
    print("held", flush=True)
    sys.stdin.read()
    return [0.0 for _ in some]
learned(Path(sys.argv[1]), {"optim.lr": {"min": 0.1, "max": 1.0}}, True, 1, 1, wait)
"""


def test_a_study_that_another_process_holds_is_one_line(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UserError) as caught:
            learned(tmp_path, SPACES, True, 1, 1, values)
        process.communicate("")
    busy = f"{tmp_path}: another process is at work on this search: wait for it"
    assert str(caught.value) == busy
    assert process.returncode == 0


SPACE = """
method: bayes
metric: {name: selected/val/paper/tau, goal: maximize}
parameters:
  dataset: {value: demo}
  fold: {values: [0, 1, 2]}
  optim.lr: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}
"""


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """What would be trained; its tau is 10 x lr, and .1 more by fold."""
    seen: list[Config] = []

    def run_all(configs: list[Config], dataset: Any) -> list[dict[str, Any]]:
        seen.extend(configs)
        return [
            {
                "selection": "val",
                "folder": "here",
                "rules": {
                    "val": {
                        "epoch": 1,
                        "means": {"val": {"paper": {"tau": 10 * one.optim.lr + 0.1 * one.fold}}},
                    }
                },
            }
            for one in configs
        ]

    monkeypatch.setattr(under_test, "run_all", run_all)
    monkeypatch.setattr(under_test, "open_dataset", lambda config: None)
    return seen


def test_a_sweep_learns_from_the_mean_over_its_folds(
    tmp_path: Path, trained: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lr.yaml"
    path.write_text(SPACE)
    command = ["sweep", str(path), f"runs={tmp_path / 'runs'}", "--runs", "8", "--json"]
    assert main(command) == 0
    output = capsys.readouterr()
    assert "random" not in output.err
    found = json.loads(output.out)["points"]
    assert len(found) == 8
    assert all(len(point["folders"]) == 3 for point in found)
    for point in found:
        assert point["value"] == pytest.approx(10 * point["settings"]["optim.lr"] + 0.1)
    assert [point["value"] for point in found] == sorted((p["value"] for p in found), reverse=True)
    folders = [place.name for place in (tmp_path / "runs").iterdir()]
    assert len(folders) == 1
    assert folders[0].startswith("sweep-lr-")
    trained.clear()
    assert main(command) == 0
    assert len(trained) == 24  # all of them asked for once more, and none for another point
    assert json.loads(capsys.readouterr().out)["points"] == found


def test_a_search_that_starts_over_trains_every_point_once(
    tmp_path: Path, trained: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lr.yaml"
    path.write_text(SPACE)
    command = ["sweep", str(path), f"runs={tmp_path / 'runs'}", "--runs", "2", "resume=false"]
    assert main(command) == 0
    assert sum(not config.resume for config in trained) == 2 * 3
    assert {one.optim.lr for one in trained if one.resume} <= {
        one.optim.lr for one in trained if not one.resume
    }


def test_nothing_learns_from_test_figures(
    tmp_path: Path,
    trained: list[Config],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(under_test, "_figure", lambda document, metric: 0.1)
    path = tmp_path / "lr.yaml"
    path.write_text(SPACE.replace("selected/val", "selected/test"))
    assert main(["sweep", str(path), f"runs={tmp_path / 'runs'}", "--runs", "2"]) == 0
    output = capsys.readouterr()
    assert "2 random points: nothing learns from figures of the TEST videos" in output.err
    assert "best" not in output.out
    assert not (tmp_path / "runs").exists()
