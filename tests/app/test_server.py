"""The app's own folder, and the Space: without Gradio."""

import os
import runpy
import time
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from llmvs.app.jobs import KEPT, Jobs
from llmvs.app.server import PREFIX, _own_folder, _tidied
from llmvs.cli import main

ROOT = Path(__file__).parents[2]
SPACE = ROOT / "examples" / "space"


def test_the_app_has_a_folder_of_its_own_in_any_other_and_removes_it(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    killed, living, other = (tmp_path / f"{PREFIX}{name}" for name in ("killed", "living", "x"))
    for folder in (killed, living):
        (folder / "results").mkdir(parents=True)
    other.symlink_to(tmp_path.parent)
    os.utime(killed, (time.time() - KEPT - 60,) * 2)
    with _own_folder(tmp_path) as root:
        (root / "x.mp4").write_bytes(b"x")
        assert root.parent == tmp_path
        assert not killed.exists()
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, living.name, other.name}
    assert (living / "results").is_dir()


def test_a_living_server_removes_what_is_old_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tidied: list[float] = []
    jobs = Jobs(tmp_path)
    monkeypatch.setattr(jobs, "tidy", lambda: tidied.append(tmp_path.stat().st_mtime))
    os.utime(tmp_path, (0, 0))
    with _tidied(jobs, every=0.01):
        while not tidied:
            time.sleep(0.01)
    assert time.time() - tidied[0] < 60  # touched: it lives


def test_a_wrong_setting_is_refused_before_anybody_can_ask(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmvs.commands.app.require_package", lambda *needed: None)
    monkeypatch.setattr("llmvs.app.server._refuse_taken", lambda host, port: None)
    assert main(["app", "backbone.scorrer=x"]) == 2
    assert "backbone.scorer" in capsys.readouterr().err


def test_the_space_says_what_it_is_and_starts_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    _, front, _ = (SPACE / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    says = yaml.safe_load(front)
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert says["sdk"] == "gradio"
    assert f"gradio=={says['sdk_version']}" in pins
    assert len(says["short_description"]) <= 60
    lines = (SPACE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (needed,) = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert (needed.name, needed.extras) == ("llmvs", {"app"})
    started: list[list[str]] = []
    monkeypatch.setattr("llmvs.cli.main", lambda given: started.append(given) or 0)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SPACE / says["app_file"]), run_name="__main__")
    assert end.value.code == 0
    assert started == [["app", "--host=0.0.0.0", "--port=7860", "--max-mb=200", "--max-minutes=15"]]
