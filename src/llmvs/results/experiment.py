"""The results of runs together: an experiment is a grid of folds and seeds. It needs neither torch
nor a dataset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmvs.errors import UserError, first_few
from llmvs.evaluation.bootstrap import Interval, interval
from llmvs.evaluation.protocols import by_name
from llmvs.results.labels import scored_rows
from llmvs.results.schema import AGAIN, RESULT, Result, read_result
from llmvs.results.tables import grouped

PER_FOLD = {"fold", "wording"}
"""What the identity of embeddings says of the fold whose training videos gave the examples."""


@dataclass(frozen=True)
class VideosBySeeds:
    """One row of a table before it is averaged: what every video got, with every seed."""

    values: npt.NDArray[np.float64]
    """[videos, seeds, measures] (tau and rho, say), averaged over the folds that test the video;
    NaN: undefined.
    """
    weights: npt.NDArray[np.float64]
    """[videos]: what a video counts in a mean over folds of means over their test videos; they sum
    to 1.
    """
    spread: npt.NDArray[np.float64] | None = None
    """[videos, measures]: standard deviations over random draws; None for rows without chance in
    them.
    """

    def mean(self, which: int) -> Interval:
        """Mean of measure `which` with its 95 % interval over videos; of random draws, where 95 %
        of the draws lie.
        """
        found = interval(self.values[:, :, which], weights=self.weights)
        sd = self.sd(which)
        return (
            found
            if self.spread is None or sd is None
            else Interval(found.mean, found.mean - 1.96 * sd, found.mean + 1.96 * sd)
        )

    def sd(self, which: int) -> float | None:
        """Standard deviation of the mean over seeds, or over random draws; None where there is one
        seed and nothing drawn.
        """
        if self.spread is not None:  # a video's draws are independent of the others'
            return float(np.linalg.norm(self.weights * self.spread[:, which]))
        means = self.weights @ self.values[:, :, which]
        return float(means.std(ddof=1)) if len(means) > 1 else None


@dataclass(frozen=True)
class Experiment:
    """All runs of one configuration."""

    name: str
    runs: Mapping[tuple[int, int], Result]
    """(fold, seed) -> result; every fold with every seed."""
    folder: Path | None = None
    """Where the runs are; None: not known."""

    @property
    def one(self) -> Result:
        """Any of the results, for what all have in common."""
        return next(iter(self.runs.values()))

    @property
    def folds(self) -> list[int]:
        """The folds, in order."""
        return sorted({fold for fold, _ in self.runs})

    @property
    def seeds(self) -> list[int]:
        """The seeds, in order."""
        return sorted({seed for _, seed in self.runs})

    @property
    def tests(self) -> dict[int, list[str]]:
        """Fold -> its test videos."""
        return {fold: self.runs[fold, self.seeds[0]].videos.test for fold in self.folds}

    @property
    def rows(self) -> list[str]:
        """The rows of scores that all runs have, in the order of the tables: rules that choose an
        epoch, and what models answered without training; each before its tie-broken row.
        """
        runs = self.runs.values()
        return [
            row
            for row in scored_rows(self.one.per_video)
            if all(row in run.per_video for run in runs)
        ]

    def rows_of(self, protocol: str) -> list[str]:
        """Those of `rows` that have values under this protocol: ties are broken for rank
        correlations only.
        """
        runs = self.runs.values()
        return [row for row in self.rows if all(protocol in run.per_video[row] for run in runs)]

    @property
    def protocols(self) -> list[str]:
        """The protocols of all runs."""
        runs = self.runs.values()
        return [name for name in self.one.protocols if all(name in run.protocols for run in runs)]

    def same_protocols(self) -> list[list[str]]:
        """The protocols with the same values in every run together."""
        return grouped(
            {name: [run.protocols[name] for run in self.runs.values()] for name in self.protocols}
        )

    def row(self, row: str, protocol: str) -> VideosBySeeds:
        """What a row of scores got."""
        tables = {place: run.per_video[row][protocol] for place, run in self.runs.items()}
        return self._row(tables, self.seeds)

    def baseline(self, row: str, protocol: str) -> VideosBySeeds | None:
        """What a baseline (`random`, `human_pairwise`, `position`, ...) gets on the same folds;
        None where a run does not have it.
        """
        if any(protocol not in run.baselines.get(row, {}) for run in self.runs.values()):
            return None
        tables = {place: run.baselines[row][protocol] for place, run in self.runs.items()}
        found = self._row(tables, self.seeds[:1])
        n = len(by_name(protocol).measures)
        drawn = found.values.shape[2] == 2 * n
        return VideosBySeeds(
            found.values[:, :, :n], found.weights, found.values[:, 0, n:] if drawn else None
        )

    def _row(
        self, tables: Mapping[tuple[int, int], Mapping[str, list[float]]], seeds: Sequence[int]
    ) -> VideosBySeeds:
        """A row from (fold, seed) -> video -> its numbers."""
        tests = self.tests
        keys = sorted({key for test in tests.values() for key in test})
        place = {key: i for i, key in enumerate(keys)}
        width = len(next(iter(next(iter(tables.values())).values())))
        sums, weights = np.zeros((len(keys), len(seeds), width)), np.zeros(len(keys))
        for fold, test in tests.items():
            share = 1 / (len(test) * len(tests))
            for key in test:
                weights[place[key]] += share
                for s, seed in enumerate(seeds):
                    sums[place[key], s] += share * np.array(tables[fold, seed][key])
        return VideosBySeeds(sums / weights[:, None, None], weights)


def read_experiment(folder: Path) -> Experiment:
    """All runs in the folder of an experiment.

    Raises:
        UserError: no runs, an unfinished run, a seed that not all folds have, or a result of
            another format.
    """
    return experiment(folder.name, list(read_runs(places_of(folder)).values()), folder)


def places_of(folder: Path) -> dict[tuple[int, int], Path]:
    """(fold, seed) -> the folder of the run, of all runs of an experiment that have begun.

    Raises:
        UserError: there are none.
    """
    found = {}
    for path in sorted(folder.glob("fold*/seed*")):
        place = (path.parent.name.removeprefix("fold"), path.name.removeprefix("seed"))
        if all(number.isdecimal() for number in place):
            found[int(place[0]), int(place[1])] = path
    if not found:
        raise UserError(
            f"{folder}: no runs here (expected folders fold0/seed0, ... that `llmvs crossval` or"
            " `llmvs train` made)"
        )
    return found


def read_runs(
    places: Mapping[tuple[int, int], Path], partial: bool = False
) -> dict[tuple[int, int], Result]:
    """The results of runs.

    Args:
        places: (fold, seed) -> the run's folder.
        partial: leave out the runs that are not finished.

    Raises:
        UserError: an unfinished run, or a result of another format or damaged.
    """
    there = {place: path for place, path in places.items() if (path / RESULT).exists()}
    for place, path in places.items():
        if place not in there and not partial:
            raise UserError(
                f"{path}: no {RESULT}: the run is not finished; the command that began it goes on"
                " with it, and --partial shows what is finished"
            )
    return {place: read_result(path / RESULT) for place, path in there.items()}


def experiment(
    name: str, results: Sequence[Result | Mapping[str, Any]], folder: Path | None = None
) -> Experiment:
    """The experiment of some results, or of the contents of their files.

    Raises:
        UserError: a seed that not all folds have, runs that are not of one dataset and splits, a
            fold whose seeds did not test the same videos, or a result of another format or damaged.
    """
    typed = [one if isinstance(one, Result) else Result.of(one) for one in results]
    runs = {(one.fold, one.seed): one for one in typed}
    found = Experiment(name, dict(sorted(runs.items())), folder)
    missing = [
        f"fold {fold} seed {seed}"
        for fold in found.folds
        for seed in found.seeds
        if (fold, seed) not in runs
    ]
    if missing:
        raise UserError(
            f"{name}: {', '.join(missing)} did not run, but other folds have that seed: run `llmvs"
            " crossval` for all of them; --partial shows those that have it"
        )
    for (fold, seed), one in found.runs.items():
        if one.videos.test != found.tests[fold]:
            other = sorted(set(one.videos.test) ^ set(found.tests[fold]))
            raise UserError(
                f"{name}: fold {fold} seed {seed} did not test the videos of seed {found.seeds[0]}"
                f" ({first_few(other)}; videos left out by data.absent=skip?): {AGAIN}"
            )
    for what in ("dataset", "splits"):
        there = dict.fromkeys(str(getattr(one, what)) for one in typed)
        if len(there) > 1:
            raise UserError(f"{name}: its runs are not of the same {what}: {' and '.join(there)}")
    return found


def refuse_mixture(experiments: Sequence[Experiment]) -> None:
    """Refuse a table over results that cannot be compared.

    Raises:
        UserError: other datasets, splits, folds, test videos or protocols.
    """
    first = experiments[0]
    for other in experiments[1:]:
        for what, a, b in (
            ("dataset", first.one.dataset, other.one.dataset),
            ("splits", first.one.splits, other.one.splits),
            ("folds", first.folds, other.folds),
            ("test videos", first.tests, other.tests),
            ("protocols", first.protocols, other.protocols),
        ):
            if a != b:
                cure = "; --folds or --partial show those that both have" if what == "folds" else ""
                shown = "" if what == "test videos" else f": {_shown(a)} and {_shown(b)}"
                raise UserError(
                    f"{first.name} and {other.name}: not the same {what}{shown}; "
                    "figures of one table must be of the same videos under the same protocols"
                    f"{cure}"
                )


def revision_notes(experiments: Sequence[Experiment]) -> list[str]:
    """A line where the results come from different revisions of the code, or from files that differ
    from their revision.
    """
    found: dict[str, list[str]] = {}
    for one in experiments:
        for run in one.runs.values():
            names = found.setdefault(run.environment.get("revision") or "unknown", [])
            if one.name not in names:
                names.append(one.name)
    notes = []
    if len(found) > 1:
        made_by = "; ".join(f"{_short(name)}: {', '.join(made)}" for name, made in found.items())
        notes.append(f"Different revisions of the code: {made_by}.")
    dirty = sorted(
        {made for name, names in found.items() if name.endswith("+changes") for made in names}
    )
    if dirty:
        notes.append(f"Made by files that differ from their revision: {', '.join(dirty)}.")
    return notes


def embedding_notes(experiments: Sequence[Experiment]) -> list[str]:
    """A line for every experiment whose runs read embeddings that were not made alike, such as
    before and after a model changed.
    """
    notes = []
    for one in experiments:
        found = [run.embeddings.identity for run in one.runs.values()]
        keys = sorted({key for made in found for key in made} - PER_FOLD)
        changed = [key for key in keys if len({repr(made.get(key)) for made in found}) > 1]
        if changed:
            notes.append(
                f"{one.name}: its runs read embeddings that were not made alike"
                f" ({', '.join(changed)}): {AGAIN}."
            )
    return notes


def _short(revision: str) -> str:
    commit, _, changes = revision.partition("+")
    return commit[:8] + (f"+{changes}" if changes else "")


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
