"""What the app does with an upload, without a browser."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from llmvs.app.jobs import Jobs, Limits, Wish, safe_name
from llmvs.cli import main
from llmvs.errors import UserError, VideoError
from llmvs.summary.folder import MARK
from llmvs.video.container import probe
from tests.films import film


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    return film(tmp_path / "my film (1).mp4", 8, 3)


def run(jobs: Jobs, path: Path | None, wish: Wish = Wish("25%")) -> tuple:  # noqa: B008
    told: list[tuple[float, str]] = []
    return jobs.run(path, wish, lambda share, doing: told.append((share, doing))), told


def test_an_upload_becomes_a_summary_a_page_and_an_archive(upload: Path, tmp_path: Path) -> None:
    made, told = run(Jobs(tmp_path / "app"), upload)
    assert probe(made.video).seconds == pytest.approx(2, abs=0.2)
    assert "my_film_1.mp4" in made.page.read_text(encoding="utf-8")
    with zipfile.ZipFile(made.archive) as file:
        names = file.namelist()
        document = json.loads(file.read(f"my_film_1-summary/{MARK}"))
    assert document["length"] == "25%"
    assert {f"my_film_1-summary/{name}" for name in ("summary.mp4", "report.html")} <= set(names)
    assert all(name.startswith("my_film_1-summary/") for name in names)
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert told[-1] == (1.0, "done")
    assert "shots, scored by what is seen and heard" in made.line
    (folder,) = (tmp_path / "app").iterdir()
    assert not [path for path in folder.iterdir() if path.suffix == ".mp4"]  # no copy stays
    assert upload.is_file()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("nothing", r"^no video: choose a file first$"),
        ("text", r"^notes\.txt: not a video by its name"),
        ("text called mp4", r"^notes\.mp4: not a readable video"),
        ("too large", r"^my_film_1\.mp4: 0 MB, at most 0\.001 are taken"),
        ("too long", r"^my_film_1\.mp4: 0:08.* long, at most 0\.01 minutes are taken"),
        ("a link", r"^my_film\.mp4: did not arrive"),
        ("a wish", r"length|%"),
    ],
)
def test_what_is_not_allowed_is_one_line_and_leaves_nothing(
    kind: str, said: str, upload: Path, tmp_path: Path
) -> None:
    limits, wish, given = Limits(), Wish(), upload
    if kind.startswith("text"):
        given = tmp_path / ("notes.mp4" if "called" in kind else "notes.txt")
        given.write_text("no video", encoding="utf-8")
    elif kind == "too large":
        limits = Limits(megabytes=0.001)
    elif kind == "too long":
        limits = Limits(minutes=0.01)
    elif kind == "a link":
        given = tmp_path / "my film.mp4"
        given.symlink_to(upload)
    elif kind == "a wish":
        wish = Wish("900%")
    root = tmp_path / "app"
    with pytest.raises(UserError, match=said) as error:
        run(Jobs(root, limits), None if kind == "nothing" else given, wish)
    assert str(root) not in str(error.value)
    assert "\n" not in str(error.value)
    assert list(root.iterdir()) == []


def test_old_results_are_removed_and_others_stay(upload: Path, tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "app")
    first, _ = run(jobs, upload)
    old = first.archive.parent
    other = tmp_path / "app" / "uploads"
    other.mkdir()
    for folder in (old, other):
        os.utime(folder, (0, 0))
    second, _ = run(jobs, upload)
    assert not old.exists()
    assert other.exists()
    assert second.archive.is_file()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\x.MP4", "x.mp4"),
        ("-rf.mp4", "rf.mp4"),
        ("a b'\"$(id)`;.mov", "a_b_id.mov"),
        ("....mp4", "video.mp4"),
        ("é.mkv", "é.mkv"),
        ("x" * 300 + ".mp4", "x" * 60 + ".mp4"),
    ],
)
def test_names_mean_nothing_to_anybody(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_wish_goes_to_the_language_models(
    upload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple] = []

    def stop(*given: object) -> None:
        asked.append(given)
        raise VideoError("stop")

    monkeypatch.setattr("llmvs.app.jobs.language_for", stop)
    jobs = Jobs(tmp_path / "app", model="demo", settings=["small"])
    for method, model, settings in (("language", "demo", ("small",)), ("visual", None, ())):
        with pytest.raises(VideoError, match="stop"):
            run(jobs, upload, Wish(method=method, about=" goals "))  # type: ignore[arg-type]
        assert asked[-1][:5] == (method, model, "goals", None, settings)


def test_without_gradio_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["app"]) == 2
    assert "llmvs app needs gradio: pip install 'llmvs[app]'" in capsys.readouterr().err
