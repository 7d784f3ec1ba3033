"""Train runs side by side on the devices of this machine: a process per device, which trains one
run after another, those of one fold if it can: what no seed changes is then made once. One that
dies or fails ends the others; their checkpoints stay.
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

from llmvs import processes
from llmvs.config.load import run_folder
from llmvs.config.schema import Config
from llmvs.errors import UserError
from llmvs.experiments.progress import Numbered, RunProgress, named
from llmvs.experiments.resources import Resources
from llmvs.experiments.run import train
from llmvs.experiments.side_by_side import LIBRARIES, gpus_of
from llmvs.processes import WorkerProcess, cores

LOOK = 0.25
"""Seconds between two looks at how far the runs are."""
_process: dict[str, Any] = {}
"""In a started process: the `resources` of its runs, and the `share` that its run has done."""


@dataclass
class _Device:
    """One device, the process that trains on it, and what it is training."""

    worker: WorkerProcess
    share: Any
    """A number that both processes see: the share of the run that is done."""
    run: Numbered | None = None
    folds: set[int] = field(default_factory=set)
    """Those of its runs so far."""

    def begin(self, run: Numbered) -> "Future[dict[str, Any]]":
        self.run, self.share.value = run, 0.0
        self.folds.add(run[1].fold)
        return self.worker.submit(_train, run[1])


def train_side_by_side(
    resources: Resources, runs: Sequence[Numbered], n_workers: int, progress: RunProgress
) -> Iterator[tuple[Config, dict[str, Any]]]:
    """Give every run with its result, as they finish.

    Raises:
        UserError: the first mistake of a run, with its folder; a process died.
    """
    gpus = gpus_of(runs[0][1])
    processes.prepare(LIBRARIES)
    waiting = list(runs)
    places = [_device(resources, place, n_workers, gpus) for place in range(n_workers)]
    try:
        with processes.threads(max(1, cores() // n_workers)):
            busy = {place.begin(_next(waiting, place, places)): place for place in places}
        while busy:
            finished, _ = wait(busy, LOOK, FIRST_COMPLETED)
            for place in busy.values():
                assert place.run is not None
                progress.reach(place.run[0], place.share.value)
            for future in finished:
                place = busy.pop(future)
                assert place.run is not None
                index, run = place.run
                document = _result(future, run)
                progress.done(index)
                if waiting:
                    busy[place.begin(_next(waiting, place, places))] = place
                yield run, document
        for place in places:
            place.worker.close()
    finally:
        processes.end([place.worker for place in places])


def _next(waiting: list[Numbered], place: _Device, places: Sequence[_Device]) -> Numbered:
    """Take what a device trains next: a run of a fold that it knows, else of one that no other
    knows, else the first.
    """
    others = {fold for other in places if other is not place for fold in other.folds}

    def distance(index: int) -> int:
        fold = waiting[index][1].fold
        return 0 if fold in place.folds else 1 if fold not in others else 2

    return waiting.pop(min(range(len(waiting)), key=distance))


def _device(resources: Resources, place: int, n_workers: int, gpus: int) -> _Device:
    share = multiprocessing.get_context(processes.START).Value("d", 0.0, lock=False)
    return _Device(WorkerProcess(_begin, resources, share, place, n_workers, gpus), share)


def _result(future: "Future[dict[str, Any]]", run: Config) -> dict[str, Any]:
    try:
        with named(run):
            return future.result()
    except BrokenProcessPool:
        raise UserError(
            f"{run_folder(run)}: the process of this run died (out of memory?): run the same"
            " command again, it goes on from its checkpoint"
        ) from None


def _begin(resources: Resources, share: Any, place: int, n_workers: int, gpus: int) -> None:
    """Give a started process its device, its part of the cores, and what its runs share."""
    if gpus:  # without, the user may have hidden them
        place %= gpus  # they take turns where there are more workers
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        os.environ["CUDA_VISIBLE_DEVICES"] = (
            visible[place] if len(visible) > place and visible[0] else str(place)
        )
    import torch

    torch.set_num_threads(max(1, cores() // n_workers))
    _process.update(resources=resources, share=share)


def _train(run: Config) -> dict[str, Any]:
    """Train a run in a started process."""

    def tell(share: float) -> None:
        _process["share"].value = share

    return train(run, _process["resources"], tell)[0]
