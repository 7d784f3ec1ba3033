"""Processes that are started here: they end with whoever started them, and their deaths are known."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from llmvs import processes
from llmvs.processes import WorkerProcess, end


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START", "fork")


def kill(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def hold(folder: Path) -> None:
    """Write a temporary file, and remove it when interrupted."""
    temporary = folder / f"{os.getpid()}.tmp"
    temporary.touch()
    try:
        time.sleep(60)
    finally:
        temporary.unlink()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_process_does_one_task_after_another() -> None:
    worker = WorkerProcess(os.putenv, "LLMVS_TEST", "1")
    first, second = worker.submit(os.getpid), worker.submit(os.getpid)
    assert first.result() == second.result() != os.getpid()
    assert worker.close() == 0


@pytest.mark.parametrize(
    ("task", "argument", "status"),
    [(kill, signal.SIGKILL, -9), (os._exit, 3, 3), (sys.exit, 4, 4), (kill, signal.SIGINT, 130)],
)
def test_a_death_is_told_from_the_others(
    task: Callable[[int], None], argument: int, status: int
) -> None:
    healthy, mortal = WorkerProcess(), WorkerProcess()
    here, gone = healthy.submit(os.getpid), mortal.submit(task, argument)
    with pytest.raises(BrokenProcessPool):
        gone.result()
    with pytest.raises(BrokenProcessPool):
        mortal.submit(os.getpid).result()
    assert mortal.close() == status
    assert here.result() == healthy.submit(os.getpid).result()
    assert healthy.close() == 0


def test_who_is_ended_removes_its_temporary_files(tmp_path: Path) -> None:
    workers = [WorkerProcess() for _ in range(3)]
    for worker in workers[:2]:
        worker.submit(hold, tmp_path)
    workers[2].submit(os.getpid).result()  # has nothing to do
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    began = time.monotonic()
    end(workers)
    assert time.monotonic() - began < processes.GRACE
    assert list(tmp_path.iterdir()) == []
    assert [worker.close() for worker in workers] == [130] * 3


def test_who_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.2)
    worker = WorkerProcess()
    worker.submit(deaf, tmp_path)
    until(lambda: (tmp_path / "deaf").exists())
    end([worker])
    assert worker.close() == -9


def deaf(folder: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / "deaf").touch()
    time.sleep(60)


AFTER_ITS_SERVER = """
import os, sys
from llmvs import processes
if __name__ == "__main__":
    os.environ.update(STAYS="1", GOES="1")
    processes.prepare(["wave"])
    os.environ["STAYS"] = "2"
    del os.environ["GOES"]
    worker = processes.WorkerProcess()
    print(worker.submit(os.getenv, "STAYS").result(), worker.submit(os.getenv, "GOES").result())
    print(worker.submit(eval, "'wave' in __import__('sys').modules").result())
    print(worker.submit(os.getenv, "OMP_NUM_THREADS").result(), os.getenv("OMP_NUM_THREADS"))
    worker.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a server starts processes on Linux alone")
def test_a_server_imports_and_what_it_starts_has_todays_environment(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(AFTER_ITS_SERVER, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n") == ["2 None", "True", "None None", ""]
    assert done.stderr == ""


PARENT = """
import sys, time
from llmvs.processes import WorkerProcess, end
workers = [WorkerProcess(), WorkerProcess()]
try:
    pids = [worker.submit(eval, "__import__('os').getpid()").result() for worker in workers]
    waiting = workers[0].submit(time.sleep, 60)
    time.sleep(0.5)
    print(*pids, flush=True)
    waiting.result()
except KeyboardInterrupt:
    sys.exit(130)
finally:
    end(workers)
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_spawned_processes_end_with_their_parent(number: int, status: int) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    pids = parent.stdout.readline().split()
    assert len(pids) == 2
    if number == signal.SIGINT:
        os.killpg(parent.pid, number)  # as the terminal does
    else:
        parent.kill()
    _, said = parent.communicate(timeout=30)
    assert parent.returncode == status
    assert "Traceback" not in said
    until(lambda: not any(alive(pid) for pid in pids))


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
