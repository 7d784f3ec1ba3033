"""The commands and the files of docs/own_data.md, as they stand there."""

import re
import shlex
from pathlib import Path

import pytest

from llmvs import cli
from llmvs.demo import __main__ as demo

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own_data.md").read_text(encoding="utf-8")
QUICK = ["log.wandb=disabled", "accelerator=cpu", "optim.epochs=3", "caption.max_tokens=4"]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_works_as_it_is(place, capsys):
    render, train, baselines = (shlex.split(block) for block in blocks("bash"))
    assert render[:3] == ["python", "-m", "llmvs.demo"]
    assert demo.main(render[3:]) == 0
    Path("data/mine/scores.csv").write_text(blocks("csv")[0], encoding="utf-8")
    assert train[0] == baselines[0] == "llmvs"
    assert cli.main([*train[1:], *QUICK]) == 0
    shown = capsys.readouterr().out
    assert "folder-mine, disjoint splits, fold 0" in shown
    assert "Human, one against another" in shown
    assert "F1" not in shown
    assert cli.main(baselines[1:]) == 0
    assert "mean over 5 folds" in capsys.readouterr().out

    table = Path("data/mine/scores.csv").read_text(encoding="utf-8").splitlines()
    Path("data/mine/scores.csv").write_text(
        "\n".join(line for line in table if not line.startswith("video_2,5")), encoding="utf-8"
    )
    assert cli.main(baselines[1:]) == 2
    said = capsys.readouterr().err
    assert (
        re.search(r"^ +(data/mine/scores\.csv, line 8: .*)$", PAGE, flags=re.MULTILINE).group(1)
        in said
    )

    Path("data/mine/scores.csv").unlink()
    Path("data/mine/scores.json").write_text(blocks("json")[0], encoding="utf-8")
    assert cli.main(baselines[1:]) == 2  # the page shows one video of five
    assert "no scores of it in data/mine/scores.json" in capsys.readouterr().err


def test_one_annotator_has_no_human_rows(place, capsys):
    assert demo.main(["data/mine"]) == 0
    rows = [line.rsplit(",", 1)[0] for line in blocks("csv")[0].splitlines()]
    Path("data/mine/scores.csv").write_text("\n".join(rows), encoding="utf-8")
    assert (
        cli.main(
            ["baselines", "folder", "data.root=data/mine", "data.splits=disjoint", "--draws", "5"]
        )
        == 0
    )
    shown = capsys.readouterr().out
    assert "Random" in shown
    assert "Human" not in shown
    assert "nan" not in shown.lower()
    assert "undefined" not in shown
