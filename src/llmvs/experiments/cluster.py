"""Train runs as jobs in the queue of a SLURM cluster (`launcher=slurm`), and collect their results.

submitit writes the batch scripts, sends them and brings back what the jobs return. Jobs outlive the
command that sent them: the same command finds those that still wait or run by the note in the run's
folder, and sends only what is missing.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from llmvs.config.load import run_folder
from llmvs.config.schema import Config, SlurmConfig
from llmvs.config.settings import reads_features
from llmvs.errors import UserError
from llmvs.experiments.job_queue import JobQueue, SentJob
from llmvs.experiments.progress import Numbered, RunProgress, named
from llmvs.experiments.resources import Resources
from llmvs.experiments.run import train
from llmvs.methods import method_of

logger = logging.getLogger(__name__)

LOOK = 2.0
"""Seconds between two looks at the jobs."""
NOTE = "job.json"
"""In a run's folder: its job in the queue."""


def prepare(groups: Sequence[Sequence[Config]], queued_again: bool) -> dict[str, Any]:  # noqa: ARG001
    """Make the embeddings of each group of runs that read the same ones, in a job of their own.

    Args:
        groups: the runs of a command that have to be prepared.
        queued_again: whether an earlier attempt ran out of time; what it made is found again.

    Returns:
        The error, if there was one.
    """
    try:
        resources = Resources([run for group in groups for run in group])
        for group in groups:
            resources.prepare(group[0])
    except UserError as error:
        return {"error": str(error)}
    return {}


def train_run(run: Config, queued_again: bool) -> dict[str, Any]:
    """Train one run in a job, as `llmvs train` does.

    Args:
        run: its settings.
        queued_again: whether an earlier attempt ran out of time: it goes on from its checkpoint.

    Returns:
        The run's result, or the error that ended it.
    """
    try:
        return {"result": train(replace(run, resume=run.resume or queued_again))[0]}
    except UserError as error:
        return {"error": str(error)}


def train_in_queue(
    resources: Resources, groups: Sequence[Sequence[Numbered]], progress: RunProgress
) -> Iterator[tuple[Config, dict[str, Any]]]:
    """Give every run with its result, as their jobs end.

    Args:
        resources: what the runs share; jobs open it for themselves.
        groups: runs that read the same embeddings together, each with its place in the list of all.
        progress: shown how many are done.

    Raises:
        UserError: submitit is absent; the cluster refuses the jobs; the first run that failed or
            was killed, with its folder and its log (the other jobs stay in the queue).
    """
    first = groups[0][0][1]
    if first.devices > 1:
        raise UserError(
            f"devices={first.devices}: with launcher=slurm every run is a job on one device: leave"
            " devices out; slurm.parallel says how many jobs run at once"
        )
    queue = JobQueue(first)
    numbered = [one for group in groups for one in group]
    jobs = {index: queue.find(run_folder(run) / NOTE) for index, run in numbered}
    missing = [(index, run) for index, run in numbered if jobs[index] is None]
    if missing:
        _prepare(queue, resources, [[run for _, run in group] for group in groups])
        runs = [_in_a_job(run) for _, run in missing]
        sent = queue.send(train_run, runs, [run_folder(run) / NOTE for run in runs])
        jobs.update((index, job) for (index, _), job in zip(missing, sent, strict=True))
    logger.info(
        "launcher=slurm: jobs sent: %s, found in the queue: %s; logs in %s; the jobs go "
        "on when this command ends (scancel ends them)",
        len(missing),
        len(jobs) - len(missing),
        queue.folder,
    )
    yield from _collected({i: job for i, job in jobs.items() if job}, dict(numbered), progress)


def _collected(
    jobs: dict[int, SentJob], runs: dict[int, Config], progress: RunProgress
) -> Iterator[tuple[Config, dict[str, Any]]]:
    while jobs:
        ended = [index for index, job in jobs.items() if job.done()]
        for index in ended:
            run = runs[index]
            with named(run):
                returned = jobs.pop(index).collect()
            progress.done(index)
            yield run, returned["result"]
        if not ended:
            time.sleep(LOOK)


def _prepare(queue: JobQueue, resources: Resources, groups: Sequence[Sequence[Config]]) -> None:
    """Have the embeddings made that are not there, in a job: this machine may have no GPU."""
    unprepared = [group for group in groups if not _is_prepared(resources, group[0])]
    if not unprepared:
        return
    in_a_job = [[_in_a_job(run) for run in group] for group in unprepared]
    note = run_folder(unprepared[0][0]).parent.parent / "extraction.json"
    job = queue.find(note) or queue.send(prepare, [in_a_job], [note])[0]
    logger.info("launcher=slurm: extraction is job %s, log %s", job.id, job.log)
    while not job.done():
        time.sleep(LOOK)
    job.collect()


def _is_prepared(resources: Resources, run: Config) -> bool:
    """Whether a run finds its embeddings, as far as a look at the folders tells."""
    if run.extract.refresh == "always" and run.extract.embeddings is None:
        return reads_features(run) or not method_of(run.method).reads_embeddings
    try:
        resources.prepare(replace(run, extract=replace(run.extract, refresh="never")))
    except UserError:
        if run.extract.embeddings is not None or run.extract.refresh == "never":
            raise
        return False
    return True


def _in_a_job(run: Config) -> Config:
    """The settings of a run in its job: one device, no queue, and what is extracted is kept."""
    refresh = "missing" if run.extract.refresh == "always" else run.extract.refresh
    return replace(
        run,
        launcher="local",
        slurm=SlurmConfig(),
        devices=1,
        extract=replace(run.extract, refresh=refresh),
    )
