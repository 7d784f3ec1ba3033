"""A cluster's queue: send jobs, find those sent earlier, and say in one line how one ended.

Here alone submitit is used, which writes the batch scripts and brings back what the jobs return.
"""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmvs.config.schema import Config, SlurmConfig
from llmvs.console import print_messages
from llmvs.errors import UserError
from llmvs.files import read_json, write_json

if TYPE_CHECKING:
    from submitit import AutoExecutor, Job

CLUSTER = "slurm"
"""submitit's name of the queue; its `local` starts processes on this machine."""
FOLDER = ".jobs"
"""In the folder of all runs: the jobs' scripts, logs and what they return."""
ALIVE = ("PENDING", "REQUEUED", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "PREEMPTED")
"""States of a job that waits, runs or will run again."""


Task = Callable[[Any, bool], dict[str, Any]]
"""What a job does with its argument; told whether the job has been queued again, its time over."""


@dataclass(frozen=True)
class SentJob:
    """A job in the queue, and the note by which the same command finds it again."""

    job: "Job[dict[str, Any]]"
    note: Path

    @property
    def id(self) -> str:
        """The cluster's number of the job."""
        return self.job.job_id

    @property
    def log(self) -> Path:
        """The file with all that the job says."""
        return self.job.paths.stderr

    def done(self) -> bool:
        """Whether it has ended, however."""
        return self.job.done()

    def collect(self) -> dict[str, Any]:
        """Return what an ended job has returned.

        Raises:
            UserError: it returned an error, failed or was killed: with the path of its log.
        """
        from submitit.core.utils import FailedJobError, UncompletedJobError

        where = f"job {self.id}, log {self.log}"
        try:
            returned: dict[str, Any] = self.job.result()
        except FailedJobError as error:
            trace = str(error).split("\n-----")[1].strip("-\n")
            raise UserError(f"failed: {trace.splitlines()[-1]} ({where})") from error
        except UncompletedJobError as error:
            raise UserError(
                f"ended without a result, state {self.job.state} ({where}): run the same command"
                " again, it goes on from its checkpoint"
            ) from error
        finally:
            self.note.unlink(missing_ok=True)
        if "error" in returned:
            raise UserError(f"{returned['error']} ({where})")
        return returned


class JobQueue:
    """The queue of this machine's cluster, with what a job asks for."""

    def __init__(self, config: Config) -> None:
        """Find the cluster.

        Args:
            config: its `slurm` says what a job asks for; scripts and logs go into `RUNS/.jobs`.

        Raises:
            UserError: submitit is absent, this machine belongs to no cluster, or a setting is
                unknown to it.
        """
        self.folder = (Path(config.runs) / FOLDER).absolute()
        try:
            import submitit
        except ModuleNotFoundError:
            raise UserError(
                "launcher=slurm needs submitit: pip install 'llmvs[slurm]'; launcher=local trains"
                " on this machine"
            ) from None
        self._job_type: type[Job[Any]] = {"slurm": submitit.SlurmJob, "local": submitit.LocalJob}[
            CLUSTER
        ]
        try:
            self._executor: AutoExecutor = submitit.AutoExecutor(self.folder, cluster=CLUSTER)
            self._executor.update_parameters(**_parameters(config.slurm))
        except RuntimeError as error:
            raise UserError(
                "launcher=slurm: this machine has no srun: run the command on a login node of the"
                " cluster, or give launcher=local"
            ) from error

    def find(self, note: Path) -> SentJob | None:
        """The job that a note names, where it still waits or runs."""
        if not note.exists():
            return None
        job = self._job_type(self.folder, str(read_json(note, "the note of a job")["job"]))
        return SentJob(job, note) if job.state.split()[0].upper() in ALIVE else None

    def send(self, task: Task, arguments: Sequence[Any], notes: Sequence[Path]) -> list[SentJob]:
        """Queue a job for each argument, and note it.

        Raises:
            UserError: the cluster does not take them.
        """
        try:
            jobs = self._executor.submit_array([_Call(task, argument) for argument in arguments])
        except (RuntimeError, subprocess.CalledProcessError) as error:
            reason = " ".join(str(error).split())[-300:]
            raise UserError(f"launcher=slurm: the cluster takes no jobs: {reason}") from error
        sent = [SentJob(job, note) for job, note in zip(jobs, notes, strict=True)]
        for one in sent:
            write_json(one.note, {"job": one.id, "log": one.log})
        return sent


@dataclass(frozen=True)
class _Call:
    """A task with its argument, as submitit queues it again when a job's time is over."""

    task: Task
    argument: Any
    queued_again: bool = False

    def __call__(self) -> dict[str, Any]:
        print_messages()  # into the job's log
        return self.task(self.argument, self.queued_again)

    def checkpoint(self) -> Any:
        """Give what submitit calls in the next attempt."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(replace(self, queued_again=True))


def _parameters(asked: SlurmConfig) -> dict[str, Any]:
    """What a job asks for, in submitit's words; None: not asked."""
    return {
        "name": "llmvs",
        "nodes": 1,
        "tasks_per_node": 1,
        "timeout_min": asked.minutes,
        "cpus_per_task": asked.cpus,
        "gpus_per_node": asked.gpus or None,
        "mem_gb": asked.memory,
        "slurm_partition": asked.partition,
        "slurm_account": asked.account,
        "slurm_array_parallelism": asked.parallel,
        "slurm_additional_parameters": dict(option.split("=", 1) for option in asked.options)
        or None,
        "slurm_setup": asked.setup or None,
    }
