"""The results of runs, read back from `result.json` alone: an experiment is a grid of folds and
seeds. No torch, no dataset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmvs.errors import UserError
from llmvs.evaluation.bootstrap import Interval, interval
from llmvs.files import read_json

RESULT = "result.json"
FORMAT = 2
PER_FOLD = {"fold", "wording"}
"""What the identity of embeddings says of the fold whose training videos gave the examples."""
Document = Mapping[str, Any]
"""The content of a result.json."""


@dataclass(frozen=True)
class Figures:
    """One row of a table before it is averaged: what every video got, with every seed."""

    values: npt.NDArray[np.float64]
    """[videos, seeds, 2]: tau and rho (or mean and maximum F1), averaged over the folds that test
    the video; NaN: undefined.
    """
    weights: npt.NDArray[np.float64]
    """[videos]: what a video counts in a mean over folds of means over their test videos; they sum
    to 1.
    """
    spread: npt.NDArray[np.float64] | None = None
    """[videos, 2]: standard deviations over random draws; None for rows without chance in them."""

    def mean(self, which: int) -> Interval:
        """Mean tau (0) or rho (1) with its 95 % interval over videos; of random draws, where 95 %
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
    runs: Mapping[tuple[int, int], Document]
    """(fold, seed) -> result; every fold with every seed."""

    @property
    def one(self) -> Document:
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
        return {fold: list(self.runs[fold, self.seeds[0]]["videos"]["test"]) for fold in self.folds}

    @property
    def rows(self) -> list[str]:
        """What was judged: rules that choose an epoch (`last`, `val`, `test`), and where a model
        answered numbers `zero_shot` and
        `untied`, the same with ties broken by chance.
        """
        return [
            row
            for row in ("last", "val", "test", "zero_shot", "untied")
            if all(row in run["per_video"] for run in self.runs.values())
        ]

    def judged(self, protocol: str) -> list[str]:
        """Those of `rows` that this protocol or measure judged: broken ties change no key-shot
        summary.
        """
        return [
            row
            for row in self.rows
            if all(protocol in run["per_video"][row] for run in self.runs.values())
        ]

    @property
    def trained(self) -> bool:
        """Whether anything was: a frozen model by itself has no epochs."""
        return bool(self.one["epochs"])

    @property
    def protocols(self) -> list[str]:
        """The protocols of all runs, `f1` included."""
        return [
            name
            for name in self.one["protocols"]
            if all(name in run["protocols"] for run in self.runs.values())
        ]

    def figures(self, row: str, protocol: str) -> Figures:
        """What a rule's, or `zero_shot`'s, scores got."""
        return self._figures("per_video", row, protocol, self.seeds)

    def floor(self, row: str, protocol: str) -> Figures | None:
        """What `random`, `human_pairwise`, `human_others` or `ceiling` gets on the same folds; None
        where nobody computed it.
        """
        if protocol not in self.one["floors"].get(row, {}):
            return None
        found = self._figures("floors", row, protocol, self.seeds[:1])
        drawn = found.values.shape[2] == 4
        return Figures(
            found.values[:, :, :2], found.weights, found.values[:, 0, 2:] if drawn else None
        )

    def _figures(self, part: str, row: str, protocol: str, seeds: Sequence[int]) -> Figures:
        tests = self.tests
        keys = sorted({key for test in tests.values() for key in test})
        place = {key: i for i, key in enumerate(keys)}
        width = len(next(iter(self.one[part][row][protocol].values())))
        sums, weights = np.zeros((len(keys), len(seeds), width)), np.zeros(len(keys))
        for fold, test in tests.items():
            share = 1 / (len(test) * len(tests))
            for key in test:
                weights[place[key]] += share
                for s, seed in enumerate(seeds):
                    numbers = self.runs[fold, seed][part][row][protocol][key]
                    sums[place[key], s] += share * np.array(
                        numbers, dtype=np.float64
                    )  # JSON's null becomes NaN
        return Figures(sums / weights[:, None, None], weights)


def read_experiment(folder: Path) -> Experiment:
    """All runs in the folder of an experiment.

    Raises:
        UserError: no runs, an unfinished run, a seed that not all folds have, or a result of
            another format.
    """
    places = sorted(folder.glob("fold*/seed*"))
    if not places:
        raise UserError(
            f"{folder}: no runs here (expected folders fold0/seed0, ... that `llmvs crossval` or"
            " `llmvs train` made)"
        )
    for place in places:
        if not (place / RESULT).exists():
            raise UserError(
                f"{place}: no {RESULT}: the run is not finished; the command that began it goes on"
                " with it"
            )
    return experiment(
        folder.name, [read_json(place / RESULT, "the result of a run") for place in places]
    )


def experiment(name: str, documents: Sequence[Document]) -> Experiment:
    """The experiment of some results.

    Raises:
        UserError: a seed that not all folds have, or a result of another format.
    """
    for one in documents:
        check_format(one)
    runs = {(int(one["fold"]), int(one["seed"])): one for one in documents}
    found = Experiment(name, dict(sorted(runs.items())))
    missing = [
        f"fold {fold} seed {seed}"
        for fold in found.folds
        for seed in found.seeds
        if (fold, seed) not in runs
    ]
    if missing:
        raise UserError(
            f"{name}: {', '.join(missing)} did not run, but other folds have that seed: run `llmvs"
            " crossval` for all of them"
        )
    return found


def check_format(document: Document) -> None:
    """Refuse a result that an older or newer version wrote.

    Raises:
        UserError: names its folder.
    """
    if document.get("format") != FORMAT:
        raise UserError(
            f"{document.get('folder', '?')}: its {RESULT} has format {document.get('format')}"
            f" (expected {FORMAT}): train it anew with resume=false"
        )


def refuse_mixture(experiments: Sequence[Experiment]) -> None:
    """Refuse a table over results that cannot be compared.

    Raises:
        UserError: other datasets, splits, folds, test videos or protocols.
    """
    first = experiments[0]
    for other in experiments[1:]:
        for what, a, b in (
            ("dataset", first.one["dataset"], other.one["dataset"]),
            ("splits", first.one["splits"], other.one["splits"]),
            ("folds", first.folds, other.folds),
            ("test videos", first.tests, other.tests),
            ("protocols", first.protocols, other.protocols),
        ):
            if a != b:
                shown = "" if what == "test videos" else f": {_shown(a)} and {_shown(b)}"
                raise UserError(
                    f"{first.name} and {other.name}: not the same {what}{shown}; "
                    "figures of one table must be of the same videos under the same protocols"
                )


def revision_notes(experiments: Sequence[Experiment]) -> list[str]:
    """A line where the results come from different revisions of the code, or from files that differ
    from their revision.
    """
    found: dict[str, list[str]] = {}
    for one in experiments:
        for run in one.runs.values():
            names = found.setdefault(run.get("environment", {}).get("revision") or "unknown", [])
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
        found = [run.get("embeddings", {}).get("identity", {}) for run in one.runs.values()]
        keys = sorted({key for made in found for key in made} - PER_FOLD)
        changed = [key for key in keys if len({repr(made.get(key)) for made in found}) > 1]
        if changed:
            notes.append(
                f"{one.name}: its runs read embeddings that were not made alike"
                f" ({', '.join(changed)}): train it anew with resume=false."
            )
    return notes


def _short(revision: str) -> str:
    commit, _, changes = revision.partition("+")
    return commit[:8] + (f"+{changes}" if changes else "")


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
