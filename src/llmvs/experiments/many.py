"""Many runs in one command: what is finished is reused, what they share is done once, and `devices`
processes work side by side.

With several devices every run stays on one of them (no DDP inside a run): runs do not wait for each
other, and a run's result is that of one device.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any

from tqdm import tqdm

from llmvs.config.load import run_folder
from llmvs.config.schema import Config
from llmvs.console import say
from llmvs.datasets import Dataset
from llmvs.errors import UserError
from llmvs.experiments.resources import Resources
from llmvs.experiments.run import finished, train

Numbered = tuple[int, Config]


def run_all(runs: Sequence[Config], dataset: Dataset) -> list[dict[str, Any]]:
    """Finish every run and give their results, in order.

    Args:
        runs: of one dataset; one that stands twice is done once. `devices` is how many run side by
            side.
        dataset: as `open_dataset` gives it for each of them.

    Raises:
        UserError: as `train`; the runs that are finished by then stay finished. Several nodes,
            torchrun or SLURM ranks.
    """
    _refuse_ranks(runs[0])
    by_folder = {str(run_folder(run)): run for run in runs}
    found = {
        folder: document
        for folder, run in by_folder.items()
        if (document := finished(run)) is not None
    }
    pending = [run for folder, run in by_folder.items() if folder not in found]
    if found:
        say(
            f"reused: {len(found)} of {len(by_folder)} runs are finished (resume=false trains them"
            " anew)"
        )
    if pending:
        bench = Resources(pending, dataset)
        with Overall(len(pending)) as overall:
            for group in _groups(bench, pending):
                for run, document in _run_group(bench, group, overall):
                    found[str(run_folder(run))] = document
    return [found[str(run_folder(run))] for run in runs]


def _groups(bench: Resources, runs: Sequence[Config]) -> list[list[Numbered]]:
    """The runs that read the same embeddings together, each with its place in the list."""
    groups: dict[str, list[Numbered]] = {}
    for index, run in enumerate(runs):
        groups.setdefault(repr(bench.wanted(run)), []).append((index, run))
    return list(groups.values())


def _run_group(
    bench: Resources, group: Sequence[Numbered], overall: "Overall"
) -> Iterator[tuple[Config, dict[str, Any]]]:
    """Runs that read the same embeddings, which are made first, on all devices."""
    bench.prepare(group[0][1])
    devices = min(group[0][1].devices, len(group))
    alone = [(index, replace(run, devices=1)) for index, run in group]
    if devices == 1:
        for index, run in alone:
            with _named(run):
                yield run, train(run, bench, overall.tick(index, run))[0]
            overall.done(index)
    else:
        from llmvs.experiments.workers import share_out

        yield from share_out(bench, alone, devices, overall)


@contextmanager
def _named(run: Config) -> Iterator[None]:
    """Say in an error which of the runs it was."""
    try:
        yield
    except UserError as error:
        place = str(run_folder(run))
        raise error if place in str(error) else UserError(f"{place}: {error}") from error


def _refuse_ranks(config: Config) -> None:
    if config.num_nodes > 1 or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(
            "several runs are shared out over the devices of one machine: start one process, with"
            " devices=N and num_nodes=1 (on several machines give each other folds or seeds)"
        )


class Overall:
    """One line on standard error: how many runs are done, and the time left for all, from the share
    of epochs that is done.
    """

    def __init__(self, n_runs: int) -> None:
        self.shares = [0.0] * n_runs
        self.n_done = 0
        self.bar = tqdm(
            total=n_runs,
            mininterval=0.5,
            dynamic_ncols=True,
            smoothing=0.05,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}",
        )
        self._describe("")

    def tick(self, index: int, run: Config) -> Callable[[float], None]:
        """What run `index` tells the share of it that is done."""
        self._describe(f", now {run.experiment} fold {run.fold} seed {run.seed}")
        return lambda share: self.reach(index, share)

    def reach(self, index: int, share: float) -> None:
        """Run `index` has come so far."""
        self.shares[index] = share
        self.bar.update(min(sum(self.shares), len(self.shares)) - self.bar.n)

    def done(self, index: int) -> None:
        """Run `index` is finished."""
        self.reach(index, 1.0)
        self.n_done += 1
        self._describe("")

    def _describe(self, more: str) -> None:
        self.bar.set_description_str(f"{self.n_done} of {len(self.shares)} runs{more}")

    def __enter__(self) -> "Overall":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.close()
