"""The app as a server: what it answers, and to whom. Needs the extra `app`."""

import socket
from pathlib import Path

import pytest

from llmvs.app.jobs import Jobs, Limits
from llmvs.cli import main

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
