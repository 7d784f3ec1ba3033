"""Progress: a bar on a terminal, elsewhere plain lines that are few and say when it will end."""

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from llmvs import __version__, console, processes
from llmvs.console import (
    FROM_ANY_RANK,
    Outlets,
    ProgressBar,
    logged_in,
    printed_messages,
    tracked,
)
from llmvs.errors import UserError


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


def test_batches_are_counted_in_english(clock: Clock) -> None:
    bar = ProgressBar("epoch 1", 3, "batch")
    bar.update(2)
    assert bar.line().startswith("epoch 1: 66 % (2 of 3 batches)")
    assert ProgressBar("fold 0", 3, "epoch").line() == "fold 0: 0 % (0 of 3 epochs)"


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


QUIET = logging.getLogger("llmvs.tests")
"""A logger of the package, as every module has one."""


def child(code: str) -> subprocess.CompletedProcess[str]:
    """A program of a library user's."""
    start = "import logging, llmvs; log = logging.getLogger('llmvs.cache');"
    return subprocess.run(
        [sys.executable, "-c", f"{start}{code}"], capture_output=True, text=True, check=True
    )


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("log.info('a'); log.warning('b')", []),
        ("logging.basicConfig(format='%(message)s'); log.info('a'); log.warning('b')", ["b"]),
        ("logging.basicConfig(level='INFO', format='%(message)s'); log.info('a')", ["a"]),
        (
            "logging.basicConfig(); logging.getLogger('llmvs').setLevel('ERROR'); log.warning('b')",
            [],
        ),
        ("from llmvs.console import print_messages as p; p(); p(); log.info('a %s', 1)", ["a 1"]),
    ],
)
def test_a_library_is_silent_until_its_user_says_otherwise(code: str, lines: list[str]) -> None:
    assert child(code).stderr.splitlines() == lines


def test_only_the_first_process_prints_but_for_what_every_rank_may_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "2")
    QUIET.warning("for all")
    QUIET.warning("a video failed", extra=FROM_ANY_RANK)
    assert capsys.readouterr().err == "a video failed\n"


def test_the_logger_is_left_as_it_was() -> None:
    package = logging.getLogger("llmvs")
    before = (package.level, package.propagate, list(package.handlers))
    with printed_messages():
        assert Outlets.here().printed
    assert (package.level, package.propagate, package.handlers) == before


def logged(path: Path) -> list[str]:
    """The lines of a log without their times."""
    return [line.partition(" ")[2].partition(" ")[2] for line in path.read_text().splitlines()]


def test_a_log_has_what_was_said_and_what_ended_it(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    with logged_in(path):
        QUIET.warning("%s of %s", 1, 2)
    with pytest.raises(UserError), logged_in(path):
        raise UserError("no\nsuch file")
    with pytest.raises(KeyError), logged_in(path):
        raise KeyError("key")
    assert logged(path)[:6] == [
        f"INFO llmvs.console: started: llmvs {__version__}",
        "WARNING llmvs.tests: 1 of 2",
        "INFO llmvs.console: finished",
        f"INFO llmvs.console: started: llmvs {__version__}",
        "ERROR llmvs.console: ended: no such file",
        f"INFO llmvs.console: started: llmvs {__version__}",
    ]
    assert "Traceback" not in path.read_text().split("ended: 'key'")[0]
    assert "raise KeyError" in path.read_text().split("ended: 'key'")[1]
    assert Outlets.here().log is None


@pytest.mark.parametrize("place", ["/dev/full", "absent/run.log"])
def test_a_log_that_cannot_be_written_ends_nothing(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / place
    if place == "/dev/full" and not path.exists():
        pytest.skip("this system has no /dev/full")
    with logged_in(path):
        QUIET.info("said")
    assert capsys.readouterr().err.splitlines() == [
        f"{path} cannot be written: there is no log from here on",
        "said",
    ]


def test_another_rank_writes_no_log_but_what_it_may_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    with logged_in(tmp_path / "run.log"):
        QUIET.info("the first says so too")
        QUIET.warning("a video failed", extra=FROM_ANY_RANK)
    assert logged(tmp_path / "run.log") == ["WARNING llmvs.tests: a video failed"]


def speak() -> None:
    """In a started process."""
    QUIET.warning("from the other process")


def test_started_processes_speak_where_this_one_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with logged_in(tmp_path / "run.log"):
        worker = processes.WorkerProcess()
        worker.submit(speak).result()
        worker.close()
    assert "from the other process\n" in capfd.readouterr().err
    assert "WARNING llmvs.tests: from the other process" in logged(tmp_path / "run.log")


def test_a_warning_is_printed_once_and_logged_by_every_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("llmvs.here")
    for _command in range(2):
        with printed_messages():
            for run in ("one", "two"):
                with logged_in(tmp_path / run):
                    logger.warning("%s ends early", "video_21")
                    logger.info("a line of progress")
        assert capsys.readouterr().err.splitlines() == [
            "video_21 ends early",
            "a line of progress",
            "a line of progress",
        ]
    assert (tmp_path / "two").read_text().count("video_21 ends early") == 2
