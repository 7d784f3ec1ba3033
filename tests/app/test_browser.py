"""The app as a server: what it answers, and to whom. Needs the extra `app`."""

import io
import json
import re
import socket
import zipfile
from importlib.metadata import requires
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from llmvs.app.browser import _frame
from llmvs.app.jobs import Jobs, Limits
from llmvs.cli import main
from tests.films import film

pytest.importorskip("gradio", reason="needs the extra app (gradio)")


@pytest.fixture
def client(tmp_path: Path):
    from fastapi.testclient import TestClient

    from llmvs.app.browser import application

    with TestClient(application(Jobs(tmp_path / "app", Limits(megabytes=1)))) as made:
        yield made


def test_every_answer_keeps_the_browser_at_home(client) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "*" not in policy


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "{app}/../secret.txt", "{here}/secret.txt", "{app}/%2e%2e/secret.txt"]
)
def test_nothing_but_its_own_folder_is_served(client, path: str, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    place = path.format(app=tmp_path / "app", here=tmp_path)
    answer = client.get(f"/gradio_api/file={place}")
    assert answer.status_code in (403, 404)
    assert answer.text != "secret"


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://localhost:9/x.mp4",  # the server would fetch it
        "/gradio_api/proxy=https://x.hf.space/y",
        "/monitoring/summary",
        "/gradio_api/runs",
        "/docs",
        "/anything",
    ],
)
def test_the_framework_answers_what_the_page_needs_and_nothing_else(client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.text == "not found"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_a_summary_is_served_with_its_video_in_a_world_of_its_own(client, tmp_path: Path) -> None:
    folder = tmp_path / "app" / "results" / "job-x"
    (folder / "summary").mkdir(parents=True)
    (folder / "my film.mp4").write_bytes(b"film")
    (folder / "summary" / "report.html").write_text("<p>page</p>", encoding="utf-8")
    address = re.search('iframe src="([^"]*)"', _frame(folder / "summary" / "report.html"))
    assert address
    page = client.get(f"/{address[1]}")
    assert page.text == "<p>page</p>"
    assert page.headers["content-type"].startswith("text/html")
    assert "sandbox allow-scripts" in page.headers["content-security-policy"]
    assert "allow-same-origin" not in page.headers["content-security-policy"]
    assert client.get(urljoin(str(page.url), "../my%20film.mp4")).content == b"film"
    assert "sandbox" not in client.get("/").headers["content-security-policy"]


def test_an_uploaded_page_is_not_shown_but_kept_as_a_file(client, tmp_path: Path) -> None:
    answer = client.post("/gradio_api/upload", files={"files": ("x.html", b"<script>1</script>")})
    (place,) = answer.json()
    shown = client.get(f"/gradio_api/file={place}")
    assert shown.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in shown.headers["content-security-policy"]


def asked(client, upload: object, *wishes: object) -> dict[str, Any]:
    """What the page gets for an upload, as its own code asks for it."""
    session = "abc"
    body = {"data": [upload, *wishes], "fn_index": 0, "session_hash": session}
    assert client.post("/gradio_api/queue/join", json=body).status_code == 200
    told = client.get(f"/gradio_api/queue/data?session_hash={session}").text
    messages = [json.loads(line[5:]) for line in told.splitlines() if line.startswith("data:")]
    (done,) = [one for one in messages if one["msg"] == "process_completed"]
    return done


def given(path: str) -> dict[str, Any]:
    return {"path": path, "orig_name": "x.mp4", "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize("path", ["/etc/passwd", "http://localhost:9/x.mp4", "{app}/../x.mp4"])
def test_nothing_is_read_or_fetched_that_was_not_uploaded(
    client, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **more: fetched.append(asked))
    film(tmp_path / "x.mp4", 3)
    done = asked(client, given(path.format(app=tmp_path / "app")), 15, "auto", "")
    assert not done["success"]
    assert done["output"]["error"] == "upload the video itself"
    assert fetched == []


def test_from_upload_to_download(client, tmp_path: Path) -> None:
    content = film(tmp_path / "my film.mp4", 8, 3).read_bytes()
    answer = client.post("/gradio_api/upload", files={"files": ("my film.mp4", content)})
    done = asked(client, given(answer.json()[0]), 25, "auto", None)
    video, said, archive, shown = done["output"]["data"]
    assert "0:02.0 of 0:08.0, 1 of 5 shots" in said
    assert client.get(video["url"]).content[4:8] == b"ftyp"
    with zipfile.ZipFile(io.BytesIO(client.get(archive["value"]["url"]).content)) as file:
        assert "my_film-summary/report.html" in file.namelist()
    assert "<iframe" in shown


def test_what_is_refused_is_one_line_in_the_page(client) -> None:
    answer = client.post("/gradio_api/upload", files={"files": ("a<b>.mp4", b"no video")})
    done = asked(client, given(answer.json()[0]), 25, "auto", "")
    assert done["success"]  # else the framework would show its own words
    video, said, archive, shown = done["output"]["data"]
    assert re.fullmatch("<p role=.alert.[^>]*><strong>No summary.</strong> ab?.*</p>", said)
    assert "not a readable video" in said
    assert (video, archive["visible"], shown) == (None, False, "")


def test_an_upload_stays_in_its_folder_whatever_its_name(client, tmp_path: Path) -> None:
    answer = client.post(
        "/gradio_api/upload", files={"files": ("../../../escaped.mp4", b"x" * 100)}
    )
    assert answer.status_code == 200
    (place,) = answer.json()
    assert Path(place).resolve().is_relative_to((tmp_path / "app").resolve())


def test_a_file_above_the_limit_is_refused(client) -> None:
    answer = client.post("/gradio_api/upload", files={"files": ("big.mp4", b"x" * 2_000_000)})
    assert answer.status_code in (413, 500)


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["app", "--port", str(port)]) == 2
    assert f"--port {port}: Address already in use: name another --port" in capsys.readouterr().err


def test_the_pins_are_what_the_framework_asks_for() -> None:
    """Nobody installs them together in the other tests, so that a conflict would not be seen."""
    pins = {}
    for line in (Path(__file__).parents[2] / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate():
                pins[canonicalize_name(pin.name)] = next(iter(pin.specifier)).version
    asked = [Requirement(line) for line in requires("gradio") or []]
    for one in asked:
        name = canonicalize_name(one.name)
        if name in pins and (one.marker is None or one.marker.evaluate({"extra": ""})):
            assert one.specifier.contains(pins[name]), f"{one}: pinned to {pins[name]}"
