"""Many runs in one command: what is finished is reused, what they share is done once, and `workers`
processes work side by side, or a cluster's queue works for them.

Every run stays on one device (no DDP inside a run): runs do not wait for each other, and a run's
result is that of one device.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmvs.config.load import run_folder
from llmvs.config.schema import Config
from llmvs.datasets import Dataset
from llmvs.experiments.progress import Numbered, RunProgress, named
from llmvs.experiments.run import finished, train
from llmvs.training.launch import refuse_ranks

if TYPE_CHECKING:
    from llmvs.experiments.resources import Resources

logger = logging.getLogger(__name__)


def run_all(runs: Sequence[Config], dataset: Dataset) -> list[dict[str, Any]]:
    """Finish every run and give their results, in order.

    Args:
        runs: of one dataset; one that stands twice is done once. `workers` is how many run side by
            side, on this machine; with `launcher=slurm` every run is a job in a cluster's queue.
        dataset: as `open_dataset` gives it for each of them.

    Raises:
        UserError: as `train`; the runs that are finished by then stay finished. Several nodes,
            torchrun or SLURM ranks.
    """
    refuse_ranks(runs[0].num_nodes)
    by_folder = {str(run_folder(run)): run for run in runs}
    found = {
        folder: document
        for folder, run in by_folder.items()
        if (document := finished(run)) is not None
    }
    pending = [run for folder, run in by_folder.items() if folder not in found]
    if found and runs[0].data.absent == "skip":
        from llmvs.experiments.absence import refuse_other_absence, without_absent

        dataset = without_absent(list(by_folder.values()), dataset)
        for folder in found:
            refuse_other_absence(by_folder[folder], dataset)
    if found:
        logger.info(
            "reused: %s of %s runs are finished (resume=false trains them anew)",
            len(found),
            len(by_folder),
        )
    if pending:
        # Not above: it takes seconds to import, and finished runs are only read.
        from llmvs.experiments.side_by_side import begin_imports

        begin_imports(pending, dataset)
        from llmvs.experiments.resources import Resources

        resources = Resources(pending, dataset)
        groups = _groups(resources, pending)
        with RunProgress(len(pending)) as progress:
            for run, document in _finish(resources, groups, progress):
                found[str(run_folder(run))] = document
    return [found[str(run_folder(run))] for run in runs]


def _groups(resources: "Resources", runs: Sequence[Config]) -> list[list[Numbered]]:
    """The runs that read the same embeddings together, each with its place in the list."""
    groups: dict[str, list[Numbered]] = {}
    for index, run in enumerate(runs):
        groups.setdefault(repr(resources.wanted(run)), []).append((index, run))
    return list(groups.values())


def _finish(
    resources: "Resources", groups: Sequence[Sequence[Numbered]], progress: RunProgress
) -> Iterator[tuple[Config, dict[str, Any]]]:
    """Every run with its result, as they finish."""
    if groups[0][0][1].launcher == "slurm":
        from llmvs.experiments.cluster import train_in_queue

        yield from train_in_queue(resources, groups, progress)
        return
    for group in groups:
        yield from _run_group(resources, group, progress)


def _run_group(
    resources: "Resources", group: Sequence[Numbered], progress: RunProgress
) -> Iterator[tuple[Config, dict[str, Any]]]:
    """Runs that read the same embeddings, which are made first, on all devices."""
    from llmvs.experiments.side_by_side import n_workers
    from llmvs.experiments.workers import train_side_by_side

    resources.prepare(group[0][1])
    workers = n_workers([run for _, run in group], resources)
    on_one_device = [(index, replace(run, devices=1)) for index, run in group]
    if workers == 1:
        for index, run in on_one_device:
            with named(run):
                yield run, train(run, resources, progress.callback(index, run))[0]
            progress.done(index)
    else:
        yield from train_side_by_side(resources, on_one_device, workers, progress)
