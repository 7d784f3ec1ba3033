"""Pictures of finished experiments for a paper: `llmvs plot`.

EXPERIMENT/plots/forest.png               all rows with their intervals, in the first's folder
EXPERIMENT/plots/training.png             loss and tau by epoch
EXPERIMENT/plots/scores/FOLD-SEED/VIDEO.png   scores beside what people said
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from llmvs.console import tracked
from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError, VideoError
from llmvs.experiments.index_page import figures
from llmvs.experiments.opening import open_dataset
from llmvs.experiments.pages import as_scored, people_of, scale_of, scores_of, shots_of, times_of
from llmvs.results.collect import check_reference, contenders, reference_in
from llmvs.results.comparison import comparison, rule_tables
from llmvs.results.curves import draw_training, read_curves
from llmvs.results.experiment import Experiment, experiment
from llmvs.results.export import finished_run
from llmvs.results.folders import Group, Wanted, read_groups
from llmvs.results.heading import heading
from llmvs.results.plots import draw
from llmvs.results.schema import RESULT, read_result
from llmvs.results.score_curves import Scored, draw_scores, wanted_times
from llmvs.summary.outputs import thumbnails

logger = logging.getLogger(__name__)

KINDS = ("forest", "training", "scores")
FOLDER = "plots"


@dataclass(frozen=True)
class Request:
    """What is drawn, and where it goes."""

    kinds: Sequence[str] = KINDS
    formats: Sequence[str] = ("png", "pdf")
    rule: str | None = None
    """Which epoch the forest plot shows; None: the experiments' own."""
    reference: str | None = None
    """The row that the others are compared with; None: the first."""
    to: Path | None = None
    """Folder of all pictures; None: `plots` in the folder of each experiment, or run."""
    places: Sequence[str] = ()
    """Where things are now, `data.root=DIR` and `cache=DIR`, if not where they were."""

    def files(self, folder: Path, name: str) -> list[Path]:
        """The files of one picture."""
        return [folder / f"{name}.{suffix}" for suffix in self.formats]


def plot(folders: Sequence[Path], request: Request, wanted: Wanted | None = None) -> list[Path]:
    """Draw finished experiments.

    Args:
        folders: of experiments, `runs/EXPERIMENT`, or of single runs.
        request: what is drawn, and where it goes.
        wanted: which of the experiments' runs; None: all.

    Returns:
        The files that were written. What cannot be drawn of an experiment is a note.

    Raises:
        UserError: nothing finished in any folder, results that do not belong in one picture, or a
            folder that cannot be written.
    """
    groups = _groups(folders, wanted)
    rows = [row for group in groups for row in contenders(group.experiments)[0]]
    check_reference(request.reference, rows)
    alone = sum(len(group.experiments) for group in groups) == 1
    written: list[Path] = []
    for group in groups:
        if "forest" in request.kinds:
            name = "forest" if len(groups) == 1 else f"forest-{group.experiments[0].one.dataset}"
            paths = request.files(_folder(groups[0].experiments[0], request, alone=True), name)
            written += _forest(group, request, paths)
        for found in group.experiments:
            folder = _folder(found, request, alone)
            if "training" in request.kinds:
                written += _unless_missing(_training, found, request, folder)
            if "scores" in request.kinds:
                written += _unless_missing(_scores, found, request, folder)
    return written


def _groups(folders: Sequence[Path], wanted: Wanted | None) -> list[Group]:
    """The experiments of some folders; a run by itself is one."""
    runs = [folder for folder in folders if (folder / RESULT).exists()]
    if not runs:
        return read_groups(folders, wanted)[0]
    if len(runs) < len(folders):
        raise UserError(
            f"{runs[0]} is a run, others are experiments: name either runs or experiments"
        )
    return [Group([_single(run)]) for run in runs]


def _single(run: Path) -> Experiment:
    result = read_result(run / RESULT)
    found = experiment(result.experiment, [result], run.absolute().parent.parent)
    return replace(found, name=f"{found.name}/fold{result.fold}/seed{result.seed}")


def _folder(found: Experiment, request: Request, alone: bool) -> Path:
    """Where the pictures of an experiment go."""
    if request.to is None:
        assert found.folder is not None
        [(fold, seed), *others] = found.runs
        is_run = not others and "/" in found.name
        run = found.folder / f"fold{fold}" / f"seed{seed}"
        return (run if is_run else found.folder) / FOLDER
    return request.to if alone else request.to / found.name


def _unless_missing(
    draw_one: Callable[[Experiment, Request, Path], list[Path]],
    found: Experiment,
    request: Request,
    folder: Path,
) -> list[Path]:
    """What was drawn; where something is not at hand, a note and nothing."""
    try:
        return draw_one(found, request, folder)
    except UserError as error:
        logger.warning("note: %s: not drawn: %s", found.name, error)
        return []


def _forest(group: Group, request: Request, paths: Sequence[Path]) -> list[Path]:
    """All rows with their intervals; of one experiment its rules."""
    one = group.experiments[0]
    if len(group.experiments) == 1:
        draw(rule_tables(one), f"{one.name}. {heading(one)}", *paths)
    else:
        rows, _ = contenders(group.experiments)
        reference = reference_in(rows, request.reference)
        tables = comparison(rows, reference, request.rule, part=group.part)
        draw(tables, tables[0].heading, *paths)
    return list(paths)


def _training(found: Experiment, request: Request, folder: Path) -> list[Path]:
    """The training curves of all runs."""
    if not found.one.trained:
        return []
    runs = [(read_curves(_run(found, place)), result) for place, result in found.runs.items()]
    paths = request.files(folder, "training")
    title = f"{found.name}. {heading(found)}"
    draw_training(runs, title, request.rule, *paths)
    return paths


def _run(found: Experiment, place: tuple[int, int]) -> Path:
    assert found.folder is not None
    return found.folder / f"fold{place[0]}" / f"seed{place[1]}"


def _scores(found: Experiment, request: Request, folder: Path) -> list[Path]:
    """A picture of every test video of the first run."""
    place = next(iter(found.runs))
    result, config = finished_run(_run(found, place), request.places)
    scores = scores_of(_run(found, place), result)
    dataset = open_dataset(config, a_part=True)
    scale = scale_of(dataset.annotations.values())
    written = []
    for key in tracked(result.videos.test, "pictures", "video"):
        values = np.array(scores[key], dtype=np.float64)
        video = as_scored(dataset.annotations_of(key), len(values))
        said = ", ".join(f"{name} {value}" for name, value in figures(result, key).items())
        title = key if video.name == key else f"{key}: {video.name}"
        drawn = _scored(video, values, scale, f"{title}. {said}")
        paths = request.files(folder / "scores" / f"fold{place[0]}-seed{place[1]}", key)
        draw_scores(drawn, *paths)
        written += paths
    return written


def _scored(
    video: Annotations,
    scores: npt.NDArray[np.float64],
    scale: tuple[float, float],
    title: str,
) -> Scored:
    """A video as its picture shows it."""
    times, duration = times_of(video)
    shots = [(one.start, one.end, one.chosen) for one in shots_of(video, scores, duration)]
    return Scored(
        title=title,
        times=times,
        duration=duration,
        scores=scores,
        mean=np.asarray(video.people_mean, dtype=np.float64),
        people=people_of(video, scale),
        shots=shots,
        pictures=list(_pictures(video.video.path, duration, wanted_times(duration, shots))),
    )


def _pictures(
    path: Path | None, duration: float, moments: Sequence[float]
) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
    """The pictures nearest to the moments wanted; none where the video is not at hand."""
    if path is None or not path.is_file():
        return
    try:
        there = list(thumbnails(path, duration))
    except VideoError as error:
        logger.warning("note: no pictures of the video: %s", error)
        return
    for second in moments if there else ():
        _, encoded = min(there, key=lambda one: abs(one[0] - second))
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        yield second, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
