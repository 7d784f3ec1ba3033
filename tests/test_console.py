"""Progress: a bar on a terminal, elsewhere plain lines that are few and say when it will end."""

import io
import subprocess
import sys

import pytest

from llmvs import console
from llmvs.console import ProgressBar, tracked


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    return clock


def test_without_a_terminal_a_line_comes_every_half_minute(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressBar("captions", total=200) as bar:
        bar.note("video 1 of 3")
        for _ in range(100):
            clock.now += 1
            bar.update()
    assert capsys.readouterr().err.splitlines() == [
        "captions: 15 % (30 of 200 steps), video 1 of 3, 3 min left",
        "captions: 30 % (60 of 200 steps), video 1 of 3, 2 min left",
        "captions: 45 % (90 of 200 steps), video 1 of 3, 2 min left",
        "captions: 50 % (100 of 200 steps), video 1 of 3, 2 min left, ended after 2 min",
    ]


def test_what_is_quick_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in tracked(range(20), "check", "video"):
        clock.now += 1
    assert capsys.readouterr().err == ""


def test_of_unknown_length_it_counts(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar("captions")
    clock.now += 31
    bar.update(7)
    bar.total = 14
    clock.now += 31
    bar.update(7)
    assert capsys.readouterr().err.splitlines() == [
        "captions: 7 steps",
        "captions: 100 % (14 of 14 steps)",
    ]


def test_another_rank_is_silent(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    with ProgressBar("captions", total=2) as bar:
        clock.now += 40
        bar.update()
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    """A screen."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with ProgressBar("captions", total=4) as bar:
        bar.note("video 1 of 3")
        bar.update(4)
    text = terminal.getvalue()
    assert "\r" in text
    assert "captions: 100%" in text
    assert "4/4" in text
    assert "video 1 of 3" in text


def test_what_stops_early_closes_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    for item in tracked([1, 2, 3], "check", "video", delay=0, leave=True):
        if item == 2:
            break
    assert "1/3" in terminal.getvalue()


def test_a_log_file_needs_no_bars_and_loads_none() -> None:
    code = (
        "import sys; from llmvs.console import tracked; list(tracked([1], 'a', 'b'));"
        " print('tqdm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
