"""The folder of a run: whose it is."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from llmvs.config.load import load_config, to_yaml
from llmvs.errors import UserError
from llmvs.experiments.run_files import CONFIG, claim, finished_result, trained_files, write
from llmvs.results.schema import RESULT, Result
from tests.results.toys import result


def test_a_run_older_than_a_setting_is_not_taken_for_one_of_the_new_default(tmp_path: Path) -> None:
    """Runs chose their epoch by `paper` before that could be set."""
    config = load_config(["summe", f"runs={tmp_path}"])
    assert config.selection_by == ["loss"]
    lines = to_yaml(config).splitlines(keepends=True)
    place = lines.index("selection_by:\n")
    old = "".join(lines[:place] + lines[place + 2 :])
    assert "loss" not in old.split("optim:")[0]
    (tmp_path / CONFIG).write_text(old)
    (tmp_path / RESULT).write_text("{}")
    with pytest.raises(UserError, match=r"selection_by=\['paper'\] \(expected \['loss'\]\)"):
        finished_result(config, tmp_path)
    by_paper = load_config(["summe", f"runs={tmp_path}", "selection_by=paper"])
    with pytest.raises(UserError, match="not the result of a run"):  # taken for what it is
        finished_result(by_paper, tmp_path)


def test_a_run_that_replaces_another_goes_on_from_nothing_of_it(tmp_path: Path) -> None:
    """Killed before it trains, its next attempt must not find the other's checkpoint."""
    claim(tmp_path, load_config(["summe"]))
    for name in ("last.ckpt", "inner/0/last.ckpt", "scores/val.json", RESULT, "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("of the other")
    other = ["summe", "precision=bf16-mixed"]
    with pytest.raises(UserError, match="precision=32-true"):
        claim(tmp_path, load_config(other))
    assert (tmp_path / "last.ckpt").exists()
    claim(tmp_path, load_config([*other, "resume=false"]))
    left = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert left == [CONFIG, "notes.txt"]
    claim(tmp_path, load_config(other))


def test_a_finished_run_leaves_nothing_that_was_for_going_on(tmp_path: Path) -> None:
    for name in ("last.ckpt", "inner/1/last.ckpt", "model.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    write(tmp_path, Result.of(result(0, 0)), SimpleNamespace(epochs={}), ())  # type: ignore[arg-type]
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", RESULT}


def test_an_export_in_the_folder_of_a_run_is_not_what_it_trained(tmp_path: Path) -> None:
    for name in ("model.safetensors", "adapter/adapter_model.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"weights")
    trained = trained_files(tmp_path)
    assert list(trained) == ["adapter/adapter_model.safetensors", "model.safetensors"]
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "model.safetensors").write_bytes(b"others")
    assert trained_files(tmp_path) == trained
