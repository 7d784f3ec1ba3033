"""A search that learns from the points before, by Optuna: its study is a file in a folder of its
own, and goes on where it stopped.
"""

import importlib.util
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmvs.errors import UserError
from llmvs.experiments.spaces import Space, is_logarithmic, is_whole, rounded
from llmvs.files import locked

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

logger = logging.getLogger(__name__)

STUDY = "study.log"
"""Optuna's journal of the points and their figures."""
NAME = "sweep"
AT_RANDOM = 5
"""Points before the first one that is learned: half of those tried where nothing else is said."""
Point = dict[str, Any]


def has_optuna() -> bool:
    """Whether Optuna is installed."""
    return importlib.util.find_spec("optuna") is not None


def learned(
    folder: Path,
    spaces: Mapping[str, Space],
    maximize: bool,
    count: int,
    at_once: int,
    evaluate: Callable[[Sequence[Point]], list[float]],
) -> list[Point]:
    """Try points until the study holds `count` of them, each chosen by Optuna's tree-structured
    Parzen estimator from the figures of those before.

    A study that was stopped goes on: a point that was being tried is tried first. Which point comes
    next depends only on the points before, so it ends as one that was never stopped.

    Args:
        folder: of the study.
        spaces: parameter -> its space.
        maximize: whether a larger figure is a better one.
        count: points in all.
        at_once: how many are tried side by side.
        evaluate: points -> their figures; NaN: undefined, which teaches nothing.

    Returns:
        All points with a figure, undefined or not, in the order of their trials.

    Raises:
        UserError: another process works on the study; it cannot be read; what `evaluate` raises,
            after which the study goes on with another point.
    """
    busy = f"{folder}: another process is at work on this search: wait for it"
    with locked(folder / ".lock", busy):
        study = _open(folder / STUDY, maximize)
        while len(tried := _finished(study)) < count:
            waiting = _stopped(study)[:at_once]
            while len(waiting) < min(at_once, count - len(tried)):
                waiting.append(_ask(study, spaces))
            some = [_point(spaces, study.trials[number].params) for number in waiting]
            logger.info(
                "search: point %s of %s: %s", len(tried) + 1, count, _shown(spaces, some[0])
            )
            _tell(study, waiting, some, evaluate)
        return [_point(spaces, params) for params in tried[:count]]


def _open(path: Path, maximize: bool) -> "Study":
    """The study in a file, new or as it was left."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(path))),
            study_name=NAME,
            direction="maximize" if maximize else "minimize",
            load_if_exists=True,
        )
    except Exception as error:  # whatever a damaged journal makes it raise
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"{path}: not a study of this search, or damaged ({reason}): delete it; finished runs"
            " are kept"
        ) from error


def _ask(study: "Study", spaces: Mapping[str, Space]) -> int:
    """The number of a new trial."""
    from optuna.samplers import TPESampler

    distributions = {key: _distribution(one) for key, one in spaces.items() if "value" not in one}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # before Optuna 5 the liar is called experimental
        study.sampler = TPESampler(
            seed=len(study.trials), n_startup_trials=AT_RANDOM, constant_liar=True
        )
        return study.ask(distributions).number


def _tell(
    study: "Study",
    numbers: Sequence[int],
    some: Sequence[Point],
    evaluate: Callable[[Sequence[Point]], list[float]],
) -> None:
    """Try points and tell the study their figures."""
    from optuna.trial import TrialState

    try:
        figures = evaluate(some)
    except UserError:
        for number in numbers:
            study.tell(number, state=TrialState.FAIL)
        raise
    for number, figure in zip(numbers, figures, strict=True):
        if figure == figure:
            study.tell(number, figure)
        else:  # it has no rank; pruned without a value, the trial counts as tried
            study.tell(number, state=TrialState.PRUNED)


def _finished(study: "Study") -> list[dict[str, Any]]:
    from optuna.trial import TrialState

    done = (TrialState.COMPLETE, TrialState.PRUNED)
    return [trial.params for trial in study.get_trials(states=done)]


def _stopped(study: "Study") -> list[int]:
    """Trials that somebody began and did not end."""
    from optuna.trial import TrialState

    return [trial.number for trial in study.get_trials(states=(TrialState.RUNNING,))]


def _distribution(space: Space) -> "BaseDistribution":
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if "values" in space:
        return CategoricalDistribution([str(value) for value in space["values"]])
    low, high = space["min"], space["max"]
    if is_whole(space):
        return IntDistribution(int(low), int(high))
    return FloatDistribution(float(low), float(high), log=is_logarithmic(space))


def _point(spaces: Mapping[str, Space], params: Mapping[str, Any]) -> Point:
    """A trial's parameters as settings: fixed ones beside them, numbers rounded as random ones are,
    and never past an end of their range.
    """
    point = {}
    for key, space in spaces.items():
        if "value" in space:
            point[key] = space["value"]
        elif "values" in space:
            point[key] = next(value for value in space["values"] if str(value) == params[key])
        elif is_whole(space):
            point[key] = int(params[key])
        else:
            point[key] = min(max(rounded(params[key]), space["min"]), space["max"])
    return point


def _shown(spaces: Mapping[str, Space], point: Point) -> str:
    return ", ".join(f"{key}={point[key]}" for key, space in spaces.items() if "value" not in space)
