"""Which experiments of some folders belong in a table: all of their runs, those of chosen folds and
seeds, or what all of them have finished. A folder of which nothing can be read is a note.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmvs.errors import UserError
from llmvs.evaluation.protocols import by_name
from llmvs.results.experiment import Experiment, experiment, places_of, read_runs
from llmvs.results.meaning import refuse_other_settings
from llmvs.results.schema import Result

logger = logging.getLogger(__name__)

Place = tuple[int, int]
"""(fold, seed)."""
Runs = Mapping[Place, Result]


@dataclass(frozen=True)
class Wanted:
    """Which runs are wanted of every experiment."""

    folds: Sequence[int] | None = None
    """None: all that are there."""
    seeds: Sequence[int] | None = None
    """The same. What was not trained has one figure whatever the seed, and is taken as it is."""
    protocols: Sequence[str] = ()
    """Only these of the protocols; none: all."""
    partial: bool = False
    """Of unfinished experiments take what all of them have finished."""


@dataclass(frozen=True)
class Group:
    """Experiments on one dataset."""

    experiments: list[Experiment]
    part: str = ""
    """What part of them this is, for the heading; empty: all that was wanted."""


def read_groups(
    folders: Sequence[Path], wanted: Wanted | None = None
) -> tuple[list[Group], list[str]]:
    """Read experiments, those of a dataset together.

    Args:
        folders: `runs/EXPERIMENT`.
        wanted: None: all runs of each.

    Returns:
        one group per dataset in the order of the folders, and a note on each folder left out.

    Raises:
        UserError: a folder named twice, nothing finished in any of them, or nothing that all of
            them have finished.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError("a folder is named twice: every experiment is one row")
    wanted = wanted or Wanted()
    read: dict[str, dict[str, Runs]] = {}
    reasons: dict[Path, str] = {}
    begun: dict[str, list[Place]] = {}
    at: dict[str, Path] = {}
    for folder in folders:
        try:
            there, found = _chosen(folder, wanted)
        except UserError as error:
            reasons[folder] = str(error)
            continue
        own = folder.name or folder.resolve().name  # of the folder `.`
        name = own if own not in at else str(folder)
        read.setdefault(next(iter(found.values())).dataset, {})[name] = found
        at[name], begun[name] = folder, there
    if not read:
        first, others = next(iter(reasons.values())), len(reasons) - 1
        raise UserError(f"{first} (and {others} more folders)" if others else first)
    notes = [f"Left out: {reason}." for reason in reasons.values()]
    for note in notes:
        logger.warning("note: %s", note)
    return [_group(runs, at, wanted, begun) for runs in read.values()], notes


def largest_grid(places: Iterable[Place]) -> tuple[list[int], list[int]]:
    """The folds and seeds of the largest set of runs in which every fold has every seed; of equally
    large ones that with more folds. Empty where there are no runs.

    >>> largest_grid([(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)])
    ([0, 1], [0, 1])
    """
    seeds_of: dict[int, frozenset[int]] = {}
    for fold, seed in places:
        seeds_of[fold] = seeds_of.get(fold, frozenset()) | {seed}
    # The seeds of a largest grid are those that its folds share.
    shared: set[frozenset[int]] = set()
    for seeds in seeds_of.values():
        shared |= {seeds} | {seeds & other for other in shared}
    grids = [
        (sorted(fold for fold, there in seeds_of.items() if seeds <= there), sorted(seeds))
        for seeds in shared
        if seeds
    ]
    return max(
        grids,
        key=lambda grid: (
            len(grid[0]) * len(grid[1]),
            len(grid[0]),
            [-n for n in (*grid[0], *grid[1])],
        ),
        default=([], []),
    )


def _chosen(folder: Path, wanted: Wanted) -> tuple[list[Place], Runs]:
    """The wanted runs of an experiment that have begun, and those of them that are finished.

    Raises:
        UserError: none is finished, or one that is needed is not; they were made with different
            settings.
    """
    places = places_of(folder)
    mine = {place: path for place, path in places.items() if _is_wanted(place, wanted)}
    if wanted.seeds is not None and not mine:  # what was not trained may have another seed
        mine = {place: path for place, path in places.items() if _is_fold(place, wanted)}
        mine = mine if all(not run.trained for run in read_runs(mine, True).values()) else {}
    found = read_runs(mine, wanted.partial)
    refuse_other_settings(folder, {place: mine[place] for place in found})
    if not found:
        some = " of the folds and seeds asked for" if wanted.folds or wanted.seeds else ""
        raise UserError(f"{folder}: no run{some} is finished")
    if not wanted.partial:
        untrained = not any(run.trained for run in found.values())
        for which, asked, there in (
            ("fold", wanted.folds, {fold for fold, _ in found}),
            ("seed", None if untrained else wanted.seeds, {seed for _, seed in found}),
        ):
            lacking = ", ".join(str(number) for number in asked or () if number not in there)
            if lacking:
                raise UserError(f"{folder}: no run of {which} {lacking}")
    return list(mine), {place: _under(run, wanted, folder) for place, run in found.items()}


def _under(run: Result, wanted: Wanted, folder: Path) -> Result:
    """A result with only the protocols wanted.

    Raises:
        UserError: it lacks one of them, or there is none of this name.
    """
    for name in wanted.protocols:
        if name not in run.protocols:
            by_name(name)
            raise UserError(
                f"{folder}: no figures of protocol {name}, only {', '.join(run.protocols)}"
            )
    kept = {name: rows for name, rows in run.protocols.items() if name in wanted.protocols}
    return replace(run, protocols=kept) if wanted.protocols else run


def _is_wanted(place: Place, wanted: Wanted) -> bool:
    return _is_fold(place, wanted) and (wanted.seeds is None or place[1] in wanted.seeds)


def _is_fold(place: Place, wanted: Wanted) -> bool:
    return wanted.folds is None or place[0] in wanted.folds


def _group(
    runs: Mapping[str, Runs],
    at: Mapping[str, Path],
    wanted: Wanted,
    begun: Mapping[str, Sequence[Place]],
) -> Group:
    """The experiments of one dataset.

    Raises:
        UserError: an experiment whose folds have different seeds, or, of a part, no run that all
            have.
    """
    if not wanted.partial:
        return Group(
            [experiment(name, list(found.values()), at[name]) for name, found in runs.items()]
        )
    folds, seeds = largest_grid(_shared(runs))
    if not folds:
        done = "; ".join(
            f"{name}: {', '.join(f'fold{fold}/seed{seed}' for fold, seed in sorted(found))}"
            for name, found in runs.items()
        )
        raise UserError(f"--partial: no fold and seed is finished in all of them ({done})")
    experiments = []
    for name, found in runs.items():
        own = seeds if _trained(found) else _seeds_of_all(found, folds)
        kept = [found[fold, seed] for fold in folds for seed in own]
        experiments.append(experiment(name, kept, at[name]))
    counted = [begun[name] for name in runs if _trained(runs[name])]
    all_places = [place for there in counted or map(begun.get, runs) for place in there or ()]
    all_folds, all_seeds = ({place[i] for place in all_places} for i in (0, 1))
    part = (
        f"unfinished: {len(folds)} of {len(all_folds)} folds and {len(seeds)} of"
        f" {len(all_seeds)} seeds, which all rows have"
    )
    whole = len(folds) == len(all_folds) and len(seeds) == len(all_seeds)
    return Group(experiments, "" if whole else part)


def _trained(runs: Runs) -> bool:
    return any(run.trained for run in runs.values())


def _shared(runs: Mapping[str, Runs]) -> set[Place]:
    """The runs that all experiments have; any seed of what was not trained stands for all."""
    trained = [found for found in runs.values() if _trained(found)]
    shared = set.intersection(*(set(found) for found in trained or runs.values()))
    for found in runs.values() if trained else ():
        folds = range(0) if _trained(found) else largest_grid(found)[0]
        shared = {place for place in shared if _trained(found) or place[0] in folds}
    return shared


def _seeds_of_all(runs: Runs, folds: Sequence[int]) -> list[int]:
    """The seeds that all of some folds have."""
    each = [{seed for fold, seed in runs if fold == wanted} for wanted in folds]
    return sorted(set.intersection(*each))
