"""What the app does with an upload, without a browser."""

import errno
import json
import os
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from llmvs.app.jobs import Jobs, Limits, Wish, safe_name
from llmvs.cli import main
from llmvs.errors import UserError, VideoError
from llmvs.summary.result import MARK
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
    (folder,) = (tmp_path / "app" / "results").iterdir()
    video = folder / "my_film_1.mp4"
    assert '"video": "../my_film_1.mp4"' in made.page.read_text(encoding="utf-8")  # it plays there
    assert made.page.parent.parent == folder
    assert video.samefile(upload)  # no second copy


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("nothing", r"^no video: choose a file first$"),
        ("text", r"^notes\.txt: not a video by its name"),
        ("text called mp4", r"^notes\.mp4: not a readable video"),
        ("too large", r"^my_film_1\.mp4: 0 MB, at most 0\.001 are taken"),
        ("too long", r"^my_film_1\.mp4: longer than the 0\.01 minutes that are taken"),
        ("a link", r"^my_film\.mp4: is not here, or no longer: upload it again"),
        ("a wish", r"length|%"),
        ("a model", r"^language: no language model is at hand here"),
        ("a wish without a model", r"^language: no language model is at hand here"),
        ("a wish that nobody reads", r"^what it shall show is asked of language models"),
        ("a long wish", r"^what it shall show: 301 characters, at most 300"),
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
    elif kind == "a model":
        wish = Wish(method="language")
    elif kind.startswith("a wish without"):
        wish = Wish(about="goals")
    elif kind.startswith("a wish that"):
        wish = Wish(method="visual", about="goals")
    elif kind == "a long wish":
        wish = Wish(about="x" * 301)
    root = tmp_path / "app"
    with pytest.raises(UserError, match=said) as error:
        run(Jobs(root, limits), None if kind == "nothing" else given, wish)
    assert str(root) not in str(error.value)
    assert "\n" not in str(error.value)
    assert [path for path in root.rglob("*") if path.parent != root] == []


def test_a_video_that_does_not_state_its_length_is_refused_when_it_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = film(tmp_path / "my film (1).mp4", 10, 3)
    monkeypatch.setattr("llmvs.app.jobs.seconds_of", lambda path: None)
    with pytest.raises(UserError, match=r"^my_film_1\.mp4: longer than the 0\.05 minutes"):
        run(Jobs(tmp_path / "app", Limits(minutes=0.05)), upload)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), "no room left here"),
        (MemoryError(), "not enough memory here"),
        (ZeroDivisionError("division by zero"), "failed here, for a reason that the server's log"),
        (VideoError("{folder}/my_film_1.mp4: bad\nworse"), "bad worse"),
    ],
)
def test_what_goes_wrong_is_one_line_without_our_folders(
    error: Exception, said: str, upload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Jobs(tmp_path / "app")

    def fail(video: Path, *given: object, **more: object) -> None:
        raise VideoError(str(error).format(folder=video.parent)) if said == "bad worse" else error

    monkeypatch.setattr("llmvs.app.jobs.summarize_as", fail)
    with pytest.raises(UserError) as told:
        run(jobs, upload)
    assert str(told.value).startswith(f"my_film_1.mp4: {said}")
    assert list(jobs.results.iterdir()) == []


def test_what_is_old_is_removed_and_nothing_else(upload: Path, tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "app")
    made, _ = run(jobs, upload)
    left = jobs.uploads / "abc" / "x.mp4"
    left.parent.mkdir()
    shutil.copy2(upload, left)
    os.utime(left, (0, 0))  # it came just now, whatever its own time is
    jobs.tidy()
    assert made.archive.is_file()
    assert left.is_file()
    working = jobs.results / "job-working"
    working.mkdir()
    jobs._working.add(working)
    time.sleep(0.05)
    jobs.tidy(0.01)
    jobs.tidy(0.0)  # folders, now that they are empty
    assert list(jobs.results.iterdir()) == [working]
    assert list(jobs.uploads.iterdir()) == []
    assert upload.is_file()


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
    for method, about in (("language", " goals "), ("auto", "")):
        with pytest.raises(UserError, match="stop"):
            run(jobs, upload, Wish(method=method, about=about))  # type: ignore[arg-type]
        *given, settings, spoken = asked.pop()
        assert (given, spoken) == ([method, "demo", about.strip() or None, None], False)
        first, cache = settings
        assert first == "small"
        assert Path(cache.removeprefix("cache=")).is_relative_to(jobs.results)  # goes with the job
    run(jobs, upload, Wish("25%", method="visual"))
    assert asked == []


def test_what_language_models_make_of_an_upload_stays_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = ["backbone.captioner=builtin:tiny-llava", "backbone.scorer=builtin:tiny-llama"]
    jobs = Jobs(tmp_path / "app", settings=tiny)
    monkeypatch.setattr(
        "llmvs.summary.language.Language._numbers",
        lambda self, path, answers: np.arange(len(answers), dtype=np.float32),  # tiny says nonsense
    )
    for seed in (1, 2):  # two people's videos of one name
        path = film(tmp_path / str(seed) / "x.mp4", 4, seed)
        made, _ = run(jobs, path, Wish("50%"))
        assert "builtin:tiny-llama, zero-shot" in made.line
        assert (made.archive.parent / "cache").is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2", "app"}


def test_without_gradio_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["app"]) == 2
    assert "llmvs app needs gradio: pip install 'llmvs[app]'" in capsys.readouterr().err
