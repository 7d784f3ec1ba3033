"""`llmvs plot`: which pictures are drawn, where they go, and what cannot be drawn."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from llmvs.cli import main
from llmvs.config.load import to_yaml
from llmvs.config.schema import DataConfig
from llmvs.errors import UserError
from llmvs.experiments import pictures
from llmvs.experiments.pictures import Request, plot
from llmvs.files import write_json, write_text
from tests.films import films, tiny_config
from tests.results.toys import result, write_results

pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'llmvs[plot]'")
LOGGED = "epoch,test/loss,test/paper/tau\n0.0,0.5,0.1\n1.0,0.4,0.2\n"


def finished(folder: Path, n_steps: dict[str, int], plan: str) -> Path:
    """An experiment of two runs on drawn films."""
    for fold, tests in ((0, ["video_1", "video_2"]), (1, ["video_3"])):
        one = result(fold, 0, dataset="films", experiment=folder.name)
        one["videos"]["test"] = tests
        rows = [*one["per_video"].values(), *one["baselines"].values()]
        for row in rows:
            for name, values in row.items():
                row[name] = dict.fromkeys(tests, next(iter(values.values())))
        write_results(folder, [one])
        run = folder / f"fold{fold}" / "seed0"
        write_text(run / "config.yaml", plan)
        scores = {key: np.linspace(0, 1, n_steps[key]).tolist() for key in tests}
        write_json(run / "scores" / "val.json", scores)
        write_text(run / "logs" / "metrics.csv", LOGGED)
    return folder


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    dataset = films(tmp_path, {f"video_{i}": 2 + i / 2 for i in range(1, 4)})
    monkeypatch.setattr(pictures, "open_dataset", lambda config, a_part: dataset)
    plan = tiny_config(tmp_path / "cache", tmp_path, data=DataConfig("films", str(tmp_path)))
    steps = {key: one.n_steps for key, one in dataset.annotations.items()}
    return finished(tmp_path / "runs" / "films-a", steps, to_yaml(plan))


def names(paths: list[Path], folder: Path) -> list[str]:
    assert all(path.stat().st_size > 1000 for path in paths)
    return [str(path.relative_to(folder)) for path in paths]


def test_all_pictures_of_an_experiment(experiment: Path) -> None:
    scores = "scores/fold0-seed0"
    assert names(plot([experiment], Request(formats=["png"])), experiment / "plots") == [
        "forest.png",
        "training.png",
        f"{scores}/video_1.png",
        f"{scores}/video_2.png",
    ]


def test_a_run_by_itself_has_its_own_folder(experiment: Path) -> None:
    run = experiment / "fold1" / "seed0"
    drawn = plot([run], Request(kinds=["scores"], formats=["svg"]))
    assert names(drawn, run / "plots") == ["scores/fold1-seed0/video_3.svg"]
    moved = experiment.rename(experiment.parent / "elsewhere") / "fold1" / "seed0"
    drawn = plot([moved], Request(kinds=["scores"], formats=["svg"]))
    assert names(drawn, moved / "plots") == ["scores/fold1-seed0/video_3.svg"]
    assert not experiment.exists()
    with pytest.raises(UserError, match="name either runs or experiments"):
        plot([moved, moved.parent.parent], Request())


def test_several_experiments_share_one_forest(experiment: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(experiment, experiment.parent / "films-b"))
    request = Request(kinds=["forest", "training"], formats=["png"], to=tmp_path / "new")
    assert names(plot([experiment, other], request), tmp_path / "new") == [
        "forest.png",
        "films-a/training.png",
        "films-b/training.png",
    ]


def test_what_is_not_at_hand_is_a_note(
    experiment: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (experiment / "fold1" / "seed0" / "logs" / "metrics.csv").unlink()

    def gone(config: object, a_part: bool) -> None:
        raise UserError("data/films: no such folder")

    monkeypatch.setattr(pictures, "open_dataset", gone)
    with caplog.at_level("WARNING"):
        assert names(plot([experiment], Request(formats=["png"])), experiment / "plots") == [
            "forest.png"
        ]
    assert "films-a: not drawn: " in caplog.messages[0]
    assert "metrics.csv: no readable curves" in caplog.messages[0]
    assert caplog.messages[1] == "note: films-a: not drawn: data/films: no such folder"


def test_the_command(
    experiment: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["plot", str(experiment), "--kind", "forest", "--format", "svg"]) == 0
    assert capsys.readouterr().out == f"{experiment / 'plots' / 'forest.svg'}\n"
    for wrong, said in (
        (["x=1"], "command line: unknown key x"),
        (["data.root=x"], "name the folder of an experiment"),
        ([str(experiment / "nothing")], "no runs here"),
    ):
        assert main(["plot", *wrong]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert len(error.splitlines()) == 1
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["plot", str(experiment)]) == 2
    assert (
        capsys.readouterr().err == "llmvs: llmvs plot needs matplotlib: pip install 'llmvs[plot]'\n"
    )
