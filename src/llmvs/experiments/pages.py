"""The pages of a finished run: its scores of every test video beside what people said, to be looked
at after training.

    RUN/report/index.html           all test videos, with their figures and curves
    RUN/report/videos/VIDEO.html    the page of `llmvs.summary.page`, as a summary has it

Pictures, captions and attention are shown where the videos, captions and embeddings are at hand.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmvs.console import tracked
from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError, VideoError
from llmvs.evaluation.keyshots import BUDGET, hold, knapsack
from llmvs.experiments.index_page import GENERATOR, Line, figures, index
from llmvs.experiments.materials import Materials
from llmvs.experiments.opening import open_dataset
from llmvs.files import printable, read_json, write_text
from llmvs.results.export import finished_run
from llmvs.results.schema import Result
from llmvs.summary.folder import Kind, check_new, whole_folder
from llmvs.summary.outputs import address, thumbnails
from llmvs.summary.page import Page, PageShot, html

logger = logging.getLogger(__name__)

INDEX, VIDEOS, FOLDER = "index.html", "videos", "report"
FPS = 30.0
"""Frames per second where a dataset does not say."""
PIECE = 5.0
"""Seconds of a piece, where a video's shots are not known."""


def _is_ours(path: Path) -> bool:
    """Whether a file called `index.html` is one of a run's pages."""
    with path.open("rb") as file:
        return GENERATOR.encode() in file.read(1000)


KIND = Kind("pages of a run", INDEX, _is_ours, frozenset(), {VIDEOS: r".+\.html"})
"""The folder of a run's pages."""


def write_pages(
    run: Path, force: bool = False, to: Path | None = None, places: Sequence[str] = ()
) -> Path:
    """Write the pages of a run's test videos.

    Args:
        run: its folder.
        force: replace earlier pages.
        to: folder to write; None: `report` in the run's folder.
        places: where things are now, `data.root=DIR` and `cache=DIR`, if not where they were.

    Returns:
        The index page.

    Raises:
        UserError: no finished run there, its scores are gone, its dataset is not at hand, or the
            folder cannot be written.
    """
    result, config = finished_run(run, places)
    scores = scores_of(run, result)
    folder = run / FOLDER if to is None else to
    check_new(folder, KIND, force)
    dataset = open_dataset(config, a_part=True)
    people = {key: dataset.annotations_of(key) for key in result.videos.test}
    scale = scale_of(dataset.annotations.values())
    materials = Materials(run, config, result)
    lines: list[Line] = []
    with whole_folder(folder, KIND, force) as new:
        (new / VIDEOS).mkdir()
        for key in tracked(result.videos.test, "pages", "video"):
            values = np.array(scores[key], dtype=np.float64)
            video = as_scored(people[key], len(values))
            page = _page(video, values, scale, _said(result, key), materials)
            page = _with_pictures(page, video.video.path, folder / VIDEOS)
            place = f"{VIDEOS}/{key}.html"
            write_text(new / place, html(page))
            lines.append(
                Line(place, page.title, figures(result, key), page.scores, page.consensus or ())
            )
        write_text(new / INDEX, index(f"{result.experiment}, fold {result.fold}", result, lines))
    return folder / INDEX


def as_scored(video: Annotations, n_scores: int) -> Annotations:
    """The video as the run used it: up to where its embeddings end.

    Raises:
        UserError: the scores are of other steps.
    """
    if n_scores > video.n_steps:
        raise UserError(
            f"{video.key}: {n_scores} scores for {video.n_steps} steps: the annotations are not"
            " those that the run was evaluated with"
        )
    return video.trim(n_scores)


def _page(
    video: Annotations,
    scores: npt.NDArray[np.float64],
    scale: tuple[float, float],
    said: str,
    materials: Materials,
) -> Page:
    """The page of one video, without pictures."""
    times, duration = times_of(video)
    shots = shots_of(video, scores, duration)
    return Page(
        title=f"{video.key}: {video.name}" if video.name != video.key else video.key,
        about=said + ("" if video.shots is not None else f"; pieces of {PIECE:g} s for shots"),
        duration=duration,
        ticks=sum(shot.size for shot in shots),
        percent=100 * BUDGET,
        times=times.tolist(),
        scores=scores.tolist(),
        shots=shots,
        captions=materials.captions_of(video),
        answers=materials.answers_of(video),
        people=people_of(video, scale).tolist(),
        consensus=video.people_mean.tolist(),
        leaning=materials.leaning_of(video),
        back=f"../{INDEX}",
    )


def _with_pictures(page: Page, path: Path | None, folder: Path) -> Page:
    """The page with the video and its pictures, where it is at hand and can be read.

    Args:
        page: of a video.
        path: the video's file, if there is one.
        folder: where the page will stand.
    """
    if path is None or not path.is_file():
        return page
    try:
        pictures = list(thumbnails(path, page.duration))
    except VideoError as error:
        logger.warning("note: no pictures on the page: %s", error)
        return page
    return replace(page, pictures=pictures, video=address(path, folder))


def times_of(video: Annotations) -> tuple[npt.NDArray[np.float64], float]:
    """Seconds of the steps, and of the whole video."""
    fps = 1.0 if video.video.counts_steps else video.fps or FPS
    return video.picks / fps, video.n_frames / fps


def scale_of(videos: Iterable[Annotations]) -> tuple[float, float]:
    """The lowest and the highest rating of any of the videos; (0, 1) where people voted."""
    rated = [video.user_scores for video in videos if video.user_scores is not None]
    if not rated:
        return 0.0, 1.0
    return min(float(one.min()) for one in rated), max(float(one.max()) for one in rated)


def people_of(video: Annotations, scale: tuple[float, float]) -> npt.NDArray[np.float64]:
    """[U, T] what each annotator said of the steps, from 0 to 1."""
    said, (low, high) = video.user_scores, scale
    if said is None:
        said, low, high = video.user_summary, 0.0, 1.0
    if said is None:
        return np.zeros((0, video.n_steps))
    return (said[:, video.picks].astype(np.float64) - low) / max(high - low, 1e-12)


def shots_of(
    video: Annotations, scores: npt.NDArray[np.float64], duration: float
) -> list[PageShot]:
    """The video's shots, or pieces of equal length, with the choice of 15 %."""
    n_frames = video.n_frames
    shots = video.shots
    if shots is None:
        piece = max(1, round(PIECE * n_frames / duration))
        begins = np.arange(0, n_frames, piece)
        shots = np.stack([begins, np.append(begins[1:], n_frames) - 1], axis=1)
    sizes = shots[:, 1] - shots[:, 0] + 1
    values = np.add.reduceat(hold(scores, video.picks, n_frames), shots[:, 0]) / sizes
    chosen = set(knapsack(values, sizes, int(n_frames * BUDGET)).tolist())
    second = duration / n_frames
    return [
        PageShot(
            float(first * second), float((last + 1) * second), int(size), float(value), i in chosen
        )
        for i, ((first, last), size, value) in enumerate(zip(shots, sizes, values, strict=True))
    ]


def _said(result: Result, key: str) -> str:
    values = ", ".join(f"{name} {value}" for name, value in figures(result, key).items())
    return f"{result.experiment}, fold {result.fold}, seed {result.seed}: {values}"


def scores_of(run: Path, result: Result) -> Mapping[str, Sequence[float]]:
    """Video -> the scores at the epoch that the run chose.

    Raises:
        UserError: they are gone, or of other videos.
    """
    place = run / "scores" / f"{result.selection}.json"
    found: Any = read_json(place, "the scores of a run")
    lacking = [key for key in result.videos.test if not isinstance(found, dict) or key not in found]
    if lacking:
        raise UserError(
            f"{printable(place)}: no scores of {', '.join(lacking)}: train anew with resume=false"
        )
    return {key: found[key] for key in result.videos.test}
