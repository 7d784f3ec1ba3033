"""One run: a fold from video files to its table. Every stage reuses what it finds and says so."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmvs.config.load import run_folder
from llmvs.config.schema import Config
from llmvs.console import logged_in
from llmvs.experiments.run_files import LOG, claim, finished_result, hold, trained_files, write
from llmvs.files import removed_if_refused
from llmvs.results.report import run_text
from llmvs.results.schema import Result
from llmvs.training.launch import check_launch, refuse_queue

if TYPE_CHECKING:
    from llmvs.experiments.resources import Resources

logger = logging.getLogger(__name__)

Progress = Callable[[float], None]
"""Told the share of a run that is done, 0 to 1."""


def train(
    config: Config, resources: "Resources | None" = None, progress: Progress | None = None
) -> tuple[dict[str, Any], str]:
    """Extract what is missing, score one fold by the configured method, evaluate the scores, and
    write the run's folder.

    The folder holds config.yaml, what was trained (for a head model.safetensors and config.json of
    the selected epoch), scores/*.json, logs/, and result.json, which is written last: a folder that
    has it is finished, and is only read.

    Args:
        config: the run.
        resources: what runs on the same dataset share; None: this run is the only one.
        progress: told what share of the training is done, in place of a progress bar.

    Returns:
        The content of result.json, and the table as text.

    Raises:
        UserError: anything that the user can mend; what is already computed stays. Another process
            works on this run.
    """
    folder = run_folder(config)
    result = finished_result(config, folder)
    if result is not None:
        if config.data.absent == "skip":
            from llmvs.experiments.absence import refuse_other_absence
            from llmvs.experiments.resources import Resources

            refuse_other_absence(config, (resources or Resources([config])).dataset)
        logger.info("reused: the finished run in %s (resume=false trains it anew)", folder)
    else:
        refuse_queue(config.launcher)
        check_launch(config.devices, config.num_nodes)
        with hold(folder), removed_if_refused(folder, Path(config.runs)):
            claim(folder, config)
            with logged_in(folder / LOG):
                result = _run(config, folder, resources, progress)
    return result.document(), run_text(result)


def finished(config: Config) -> dict[str, Any] | None:
    """The content of result.json where the run is finished and may be reused.

    Raises:
        UserError: as `finished_result`.
    """
    result = finished_result(config, run_folder(config))
    return None if result is None else result.document()


def _run(
    config: Config, folder: Path, resources: "Resources | None", progress: Progress | None
) -> Result:
    # Not above: they take seconds to import, and a finished run is only read.
    from llmvs.experiments.absence import refuse_other_absence
    from llmvs.experiments.resources import Resources
    from llmvs.experiments.result import result_of
    from llmvs.methods import method_of
    from llmvs.methods.base import Task
    from llmvs.methods.beside import simple_scores
    from llmvs.results.environment import environment
    from llmvs.training.loggers import RunLoggers

    clock = _Clock()
    resources = resources or Resources([config])
    refuse_other_absence(config, resources.dataset)
    fold = resources.fold(config)
    clock.lap("dataset")
    with RunLoggers(config, folder) as loggers:
        task = Task(
            config,
            resources.dataset,
            fold,
            folder,
            lambda settings: resources.embeddings(settings, fold),
            partial(resources.other_datasets, config),
            clock.lap,
            progress,
            loggers,
        )
        scores = method_of(config.method).load().score(task)
        beside = resources.beside(
            config, scores.videos["test"], partial(simple_scores, task, scores)
        )
        clock.lap("baselines")
        result = result_of(config, folder, resources, fold, scores, beside)
        clock.lap("evaluation")
        result = replace(
            result,
            seconds=clock.laps,
            environment=environment(config.tf32 and config.precision == "32-true"),
            files=trained_files(folder),
        )
        write(folder, result, scores, fold.test)
        loggers.conclude(result.document(), scores.videos["test"], scores.selected.scores)
    return result


class _Clock:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage], self.last = round(now - self.last, 2), now
