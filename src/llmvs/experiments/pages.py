"""The pages of a finished run: its scores of every test video beside what people said, to be looked
at after training.

    RUN/report/index.html    all test videos, with their figures and curves
    RUN/report/VIDEO.html    the page of `llmvs.summary.page`, as a summary has it

Pictures, captions and attention are shown where the videos, captions and embeddings are at hand.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmvs.cache.captions import CaptionCache
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import Config
from llmvs.console import tracked
from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError
from llmvs.evaluation.keyshots import BUDGET, hold, knapsack
from llmvs.evaluation.protocols import by_name
from llmvs.experiments.index_page import Line, index
from llmvs.experiments.opening import open_dataset
from llmvs.extraction.caption_stage import SuppliedCaptions
from llmvs.files import printable, read_json, write_text
from llmvs.models.pretrained import LLMVS
from llmvs.results.export import finished_run
from llmvs.results.schema import Result
from llmvs.results.tables import grouped
from llmvs.summary.folder import whole_folder
from llmvs.summary.leaning import LONGEST, Leaning, leaning
from llmvs.summary.outputs import address, thumbnails
from llmvs.summary.page import Page, PageShot, html

logger = logging.getLogger(__name__)

INDEX, FOLDER = "index.html", "report"
FPS = 30.0
"""Frames per second where a dataset does not say."""
PIECE = 5.0
"""Seconds of a piece, where a video's shots are not known."""


def write_pages(run: Path, force: bool = False) -> Path:
    """Write the pages of a run's test videos.

    Args:
        run: its folder.
        force: replace earlier pages.

    Returns:
        The index page.

    Raises:
        UserError: no finished run there, its scores are gone, its dataset is not at hand, or the
            folder cannot be written.
    """
    result, config = finished_run(run)
    scores = _scores(run, result)
    dataset = open_dataset(config, a_part=True)
    materials = _Materials(run, config, result)
    folder = run / FOLDER
    lines: list[Line] = []
    with whole_folder(folder, force, INDEX) as new:
        for key in tracked(result.videos.test, "pages", "video"):
            video = dataset.annotations_of(key)
            values = np.array(scores[key], dtype=np.float64)
            if len(values) < video.n_steps:
                video = video.trim(len(values))
            page = _page(video, values, _said(result, key), materials, folder)
            write_text(new / f"{key}.html", html(page))
            lines.append(
                Line(
                    f"{key}.html",
                    f"{key}: {video.name}" if video.name != key else key,
                    _figures(result, key),
                    page.scores,
                    page.consensus or (),
                )
            )
        write_text(new / INDEX, index(f"{result.experiment}, fold {result.fold}", result, lines))
    return folder / INDEX


class _Materials:
    """What is at hand of a run's videos besides scores and annotations."""

    def __init__(self, run: Path, config: Config, result: Result) -> None:
        self.config, self.dataset = config, result.dataset
        folder = Path(result.embeddings.folder)
        self.embeddings = EmbeddingCache(folder) if _holds(folder, ".safetensors") else None
        self.head: LLMVS | None = None
        if result.method.model == "head" and self.embeddings is not None:
            self.head = LLMVS.from_pretrained(run)
        made = sorted(Path(config.cache).glob(f"{result.dataset}/captions-*"))
        self.captions = [CaptionCache(one) for one in made]

    def captions_of(self, video: Annotations) -> list[str] | None:
        """T captions, where they are at hand."""
        try:
            if self.config.extract.captions:
                texts = SuppliedCaptions(self.config, self.dataset).read(video.video).texts
                return (texts + [""] * video.n_steps)[: video.n_steps]
            wanted = "" if self.embeddings is None else self.embeddings.captions_hash(video.key)
            for cache in self.captions:
                if video.key in cache.keys():  # noqa: SIM118 - a method of the cache
                    found = cache.read(video.key)
                    if found.sha256() == wanted:
                        return found.texts[: video.n_steps]
        except UserError:
            return None
        return None

    def answers_of(self, video: Annotations) -> list[str] | None:
        """T answers of the scorer, where they are at hand."""
        try:
            found = None if self.embeddings is None else self.embeddings.read(video.key).answers
        except UserError:
            return None
        return None if not found else list(found)[: video.n_steps]

    def leaning_of(self, video: Annotations) -> Leaning | None:
        """What the head's scores lean on, where it can be computed."""
        if self.head is None or self.embeddings is None or video.n_steps > LONGEST:
            return None
        if "v" in self.head.config.inputs:
            return None  # the visual features lie with the captions, which may be elsewhere
        try:
            made = self.embeddings.read(video.key)
            weights = self.head.attention(made.q, made.a)
        except UserError:
            return None
        return None if weights is None else leaning(weights.numpy())


def _page(
    video: Annotations,
    scores: npt.NDArray[np.float64],
    said: str,
    materials: _Materials,
    folder: Path,
) -> Page:
    """The page of one video."""
    times, duration = _times(video)
    scores = _within(scores)
    people = _people(video)
    path = video.video.path
    there = path is not None and path.is_file()
    shots = _shots(video, scores, duration)
    page = Page(
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
        people=people.tolist(),
        consensus=people.mean(axis=0).tolist() if len(people) else video.people_mean.tolist(),
        leaning=materials.leaning_of(video),
        back=INDEX,
    )
    if path is None or not there:
        return page
    pictures = list(thumbnails(path, duration))
    return replace(page, pictures=pictures, video=address(path, folder))


def _times(video: Annotations) -> tuple[npt.NDArray[np.float64], float]:
    """Seconds of the steps, and of the whole video."""
    fps = 1.0 if video.video.counts_steps else video.fps or FPS
    return video.picks / fps, video.n_frames / fps


def _within(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scores from 0 to 1: as they are where they lie there, else stretched to it."""
    low, high = float(scores.min()), float(scores.max())
    if low >= 0 and high <= 1:
        return scores
    return (scores - low) / max(high - low, 1e-12)


def _people(video: Annotations) -> npt.NDArray[np.float64]:
    """[U, T] what each annotator said of the steps, from 0 to 1."""
    said = video.user_scores if video.user_scores is not None else video.user_summary
    if said is None:
        return np.zeros((0, video.n_steps))
    rows = said[:, video.picks].astype(np.float64)
    low, high = float(said.min()), float(said.max())
    return (rows - low) / max(high - low, 1e-12)


def _shots(video: Annotations, scores: npt.NDArray[np.float64], duration: float) -> list[PageShot]:
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


def _figures(result: Result, key: str) -> dict[str, str]:
    """`per_annotator tau` -> its value for one video; equal protocols stand together."""
    found: dict[str, str] = {}
    blocks = result.per_video[result.selection]
    for names in grouped(blocks):
        protocol = by_name(names[0])
        for header, value in zip(protocol.headers, blocks[names[0]][key], strict=True):
            place = f"{' = '.join(names)} {header.removesuffix(' %')}"
            found[place] = _shown(value, protocol.percent)
    return found


def _shown(value: float, percent: bool) -> str:
    if value != value:
        return "undefined"
    return f"{100 * value:.1f} %" if percent else f"{value:+.3f}"


def _said(result: Result, key: str) -> str:
    figures = ", ".join(f"{name} {value}" for name, value in _figures(result, key).items())
    return f"{result.experiment}, fold {result.fold}, seed {result.seed}: {figures}"


def _scores(run: Path, result: Result) -> Mapping[str, Sequence[float]]:
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


def _holds(folder: Path, suffix: str) -> bool:
    return folder.is_dir() and any(folder.glob(f"*{suffix}"))
