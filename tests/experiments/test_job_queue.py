"""A cluster's queue by submitit's local executor: what jobs return, how they end, where they are
found again.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llmvs.config.schema import Config, DataConfig, SlurmConfig
from llmvs.errors import UserError
from llmvs.experiments import job_queue
from llmvs.experiments.job_queue import JobQueue, SentJob
from tests.experiments import jobs

submitit = pytest.importorskip("submitit")


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue on this machine, which answers soon."""
    monkeypatch.setattr(job_queue, "CLUSTER", "local")
    monkeypatch.setattr(submitit.Job, "_results_timeout_s", 0.1)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def config(folder: Path, **asked: Any) -> Config:
    return Config(
        experiment="queued", data=DataConfig("demo"), runs=str(folder), slurm=SlurmConfig(**asked)
    )


def send(folder: Path, task: Any, *arguments: Any) -> list[SentJob]:
    notes = [folder / f"{place}.json" for place in range(len(arguments))]
    return JobQueue(config(folder)).send(task, arguments, notes)


def ended(job: SentJob) -> SentJob:
    deadline = time.monotonic() + 60
    while not job.done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return job


def test_jobs_return_what_their_tasks_return(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sent = send(tmp_path, jobs.double, 4, 5)
    assert json.loads((tmp_path / "1.json").read_text()) == {
        "job": sent[1].id,
        "log": str(sent[1].log),
    }
    assert [ended(job).collect() for job in sent] == [{"result": 8}, {"result": 10}]
    assert not list(tmp_path.glob("*.json"))
    assert {path.name for path in tmp_path.iterdir()} == {".jobs"}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (jobs.refuse, "no space left (job {id}, log {log})"),
        (jobs.stumble, "failed: ZeroDivisionError: no steps (job {id}, log {log})"),
        (
            jobs.die,
            (
                "ended without a result, state FINISHED (job {id}, log {log}): run the same command"
                " again, it goes on from its checkpoint"
            ),
        ),
    ],
)
def test_how_a_job_ended_is_one_line_with_its_log(tmp_path: Path, task: Any, message: str) -> None:
    (job,) = send(tmp_path, task, 1)
    with pytest.raises(UserError) as caught:
        ended(job).collect()
    assert str(caught.value) == message.format(id=job.id, log=job.log)
    assert job.log.exists()
    assert not list(tmp_path.glob("*.json"))


def test_a_job_whose_time_is_over_is_queued_again_and_told_so(tmp_path: Path) -> None:
    (job,) = send(tmp_path, jobs.linger, str(tmp_path))
    while not (tmp_path / "begun").exists():
        time.sleep(0.05)
    controller = Path(f"/proc/{job.id}/task/{job.id}/children").read_text().split()
    os.kill(int(controller[0]), 12)  # USR2, as SLURM sends it before the time is over
    assert ended(job).collect() == {"result": True}


def test_only_a_job_that_waits_or_runs_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = send(tmp_path, jobs.double, 1)
    ended(job)
    queue = JobQueue(config(tmp_path))
    assert queue.find(tmp_path / "other.json") is None
    for state, found in (
        ("PENDING", True),
        ("RUNNING", True),
        ("COMPLETED", False),
        ("CANCELLED by 0", False),
        ("OUT_OF_MEMORY", False),
        ("UNKNOWN", False),
    ):
        monkeypatch.setattr(submitit.LocalJob, "state", state)
        again = queue.find(tmp_path / "0.json")
        assert (again is not None) is found, state
        assert again is None or again.id == job.id


def test_what_a_job_asks_for_is_in_its_batch_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, said in (("srun", ""), ("sbatch", "Submitted batch job 77")):
        (tools / name).write_text(f"#!/bin/sh\necho {said}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setattr(job_queue, "CLUSTER", "slurm")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    asked = config(
        tmp_path,
        partition="gpu",
        account="vision",
        minutes=90,
        cpus=6,
        memory=24.0,
        parallel=3,
        options=["qos=long", "exclude=node7"],
        setup=["module load cuda"],
    )
    sent = JobQueue(asked).send(jobs.double, [1, 2], [tmp_path / "a.json", tmp_path / "b.json"])
    assert [job.id for job in sent] == ["77_0", "77_1"]
    script = (tmp_path / ".jobs" / "77_submission.sh").read_text()
    for line in (
        "#SBATCH --partition=gpu",
        "#SBATCH --account=vision",
        "#SBATCH --time=90",
        "#SBATCH --cpus-per-task=6",
        "#SBATCH --gpus-per-node=1",
        "#SBATCH --mem=24GB",
        "#SBATCH --array=0-1%2",
        "#SBATCH --qos=long",
        "#SBATCH --exclude=node7",
        "#SBATCH --ntasks-per-node=1",
        "module load cuda",
    ):
        assert line in script.splitlines()


def test_a_cluster_that_takes_no_jobs_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "srun").write_text("#!/bin/sh\n")
    (tools / "sbatch").write_text("#!/bin/sh\necho 'error: invalid partition: gpu' >&2\nexit 1\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    monkeypatch.setattr(job_queue, "CLUSTER", "slurm")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with pytest.raises(UserError) as caught:
        JobQueue(config(tmp_path)).send(jobs.double, [1], [tmp_path / "a.json"])
    assert str(caught.value) == (
        "launcher=slurm: the cluster takes no jobs: error: invalid partition: gpu"
    )
    assert not (tmp_path / "a.json").exists()
