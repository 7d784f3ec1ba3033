"""Ctrl-C and SIGTERM: one line, the status a shell expects, and handlers as they were before."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from llmvs import interruption
from llmvs.cli import main
from llmvs.errors import UserError

LINE = "llmvs: interrupted; the same command goes on from here\n"


def run(monkeypatch: pytest.MonkeyPatch, verb) -> int:
    monkeypatch.setattr("llmvs.cli._run", lambda arguments: verb() or 0)
    return main([])


def receive(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_one_line(number, status, monkeypatch, capsys) -> None:
    before = [signal.getsignal(one) for one in interruption.SIGNALS]
    assert run(monkeypatch, lambda: receive(number)) == status
    assert capsys.readouterr().err == LINE
    assert [signal.getsignal(one) for one in interruption.SIGNALS] == before


@pytest.mark.parametrize("error", [ImportError("numpy"), UserError("a process died"), OSError(5)])
def test_what_an_interruption_breaks_is_no_other_error(error, monkeypatch, capsys) -> None:
    def broken() -> None:
        try:
            receive(signal.SIGTERM)
        except KeyboardInterrupt:
            raise error from None

    assert run(monkeypatch, broken) == 143
    assert capsys.readouterr().err == LINE


def test_the_signal_of_an_earlier_command_is_forgotten(monkeypatch, capsys) -> None:
    assert run(monkeypatch, lambda: receive(signal.SIGTERM)) == 143

    def mistaken() -> None:
        raise UserError("wrong")

    assert run(monkeypatch, mistaken) == 2
    assert capsys.readouterr().err == f"{LINE}llmvs: wrong\n"


def test_a_signal_sent_twice_does_not_cut_the_tidying_up_short(monkeypatch) -> None:
    tidied = []

    def twice() -> None:
        try:
            receive(signal.SIGTERM)
        finally:
            receive(signal.SIGTERM)  # as `timeout` does
            tidied.append(True)

    assert run(monkeypatch, twice) == 143
    assert tidied
    monkeypatch.setattr(interruption, "TWICE", 0.0)
    assert run(monkeypatch, twice) == 143
    assert len(tidied) == 1  # later, it is another wish


def test_what_ignores_ctrl_c_goes_on_ignoring_it(monkeypatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run(monkeypatch, lambda: receive(signal.SIGINT)) == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_command_runs_in_any_thread(monkeypatch) -> None:
    found: list[int] = []
    monkeypatch.setattr("llmvs.cli._run", lambda arguments: 0)
    thread = threading.Thread(target=lambda: found.append(main([])))
    thread.start()
    thread.join()
    assert found == [0]


def test_ctrl_c_while_the_command_line_is_imported() -> None:
    code = (
        "import sys\n"
        "class Press:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'llmvs.commands': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Press())\n"
        "from llmvs.__main__ import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, LINE)


def test_an_interrupted_import_does_not_change_the_status(tmp_path: Path) -> None:
    (tmp_path / "command.py").write_text(
        "import os, signal, sys\n"
        "from llmvs import cli\n"
        "cli._run = lambda arguments: exec('os.kill(os.getpid(), signal.SIGTERM)')\n"
        "sys.exit(cli.main([]))\n"
    )
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "command"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (143, LINE)
