"""A summarized video: its shots, scores and what was asked for, and the folder it is written to."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

import llmvs
from llmvs.errors import UserError, require_package
from llmvs.files import read_json, shown_name, write_json
from llmvs.summary.choice import WORTH, Wishes
from llmvs.summary.folder import Kind, whole_folder
from llmvs.summary.leaning import Leaning
from llmvs.summary.outputs import FILES, STORYBOARD, card, write_page, write_storyboard, write_video
from llmvs.summary.page import Page, PageShot
from llmvs.summary.plot import MOST_CARDS, Curve, draw
from llmvs.summary.timelines import Part
from llmvs.summary.times import clock
from llmvs.video.decoders import Frame
from llmvs.video.pictures import pictures
from llmvs.video.transcript import Spoken

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = 1
"""Of `summary.json`."""
MARK, SCORES, KEYFRAMES = "summary.json", "scores.csv", "keyframes"
"""What a summary's folder holds beside what is for watching (`llmvs.summary.outputs`)."""
JPEG = [int(cv2.IMWRITE_JPEG_QUALITY), 92]


@dataclass(frozen=True)
class Shot:
    """One shot of a summarized video."""

    start: float
    """Seconds from the start of the video."""
    end: float
    """Seconds: where the next shot begins, or the video ends."""
    first: int
    """Frame index."""
    last: int
    """Frame index, inclusive."""
    score: float
    """Mean score of its frames, 0 to 1."""
    chosen: bool
    """Whether it is in the summary."""
    kept: bool
    """Whether it would be whatever the length."""
    dropped: bool
    """Whether it would not be whatever the length."""
    size: int
    """How much of the summary's length it takes, in ticks (see `Summary.ticks`)."""
    keyframe: int
    """Frame index of its sharpest step among the better half."""


@dataclass(frozen=True)
class Summary:
    """A summarized video."""

    path: Path
    """The video file."""
    duration: float
    """Seconds."""
    fps: float
    """Mean frames per second."""
    steps: npt.NDArray[np.float64]
    """[T] seconds at which each step is shown."""
    picks: npt.NDArray[np.int64]
    """[T] frame index of each step."""
    scores: npt.NDArray[np.float64]
    """[T] from 0 to 1."""
    parts: dict[str, npt.NDArray[np.float64]]
    """Part of the score -> [T] from 0 to 1."""
    shots: tuple[Shot, ...]
    """All shots, in order; they cover the video."""
    wishes: Wishes
    """What was asked for."""
    times: npt.NDArray[np.float64]
    """[n_frames] seconds at which each frame is shown."""
    ticks: int
    """The video's length in frames of mean duration, in which the choice counts."""
    method: str = "visual"
    """How the steps are scored: `visual` (see `llmvs.video.visual`) or `language`."""
    model: str | None = None
    """What scores by language: the name of a trained head, or of a scorer."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings, by dotted key, that the language models were asked with."""
    captions: tuple[str, ...] = ()
    """T captions; none with the method `visual`."""
    answers: tuple[str, ...] = ()
    """T answers of the scorer; none with the method `visual`."""
    spoken: tuple[Spoken, ...] = ()
    """What is said in the video, from its subtitles."""
    words: tuple[str, ...] = ()
    """T texts: what is said around every step; none without subtitles."""
    leaning: Leaning | None = None
    """What every step's score leaned on, of a trained head with attention."""

    @property
    def chosen(self) -> tuple[Shot, ...]:
        """The shots of the summary, in order."""
        return tuple(shot for shot in self.shots if shot.chosen)

    @property
    def seconds(self) -> float:
        """How long the summary is."""
        return sum(shot.end - shot.start for shot in self.chosen)

    def to_json(self) -> dict[str, Any]:
        """The summary as `summary.json` holds it; times in seconds, frames from 0."""
        wishes, names = self.wishes, keyframe_names(self)
        return {
            "format": FORMAT,
            "llmvs": llmvs.__version__,
            "video": shown_name(self.path.name),
            "duration": round(self.duration, 6),
            "n_frames": len(self.times),
            "fps": round(self.fps, 6),
            "method": self.method,
            **({"model": self.model} if self.model else {}),
            "length": wishes.length,
            "by": wishes.by,
            "keep": [list(one) for one in wishes.keep],
            "drop": [list(one) for one in wishes.drop],
            "shortest": wishes.shortest,
            "summary_seconds": round(self.seconds, 6),
            **({"settings": dict(self.settings)} if self.settings else {}),
            "shots": [{**_shot(shot, names), **self._texts(shot)} for shot in self.shots],
        }

    def _texts(self, shot: Shot) -> dict[str, list[str]]:
        """The captions of a shot's steps (each run of equal ones once), its answers, and what is
        said during it; only what there is.
        """
        inside = np.flatnonzero((self.picks >= shot.first) & (self.picks <= shot.last)).tolist()
        said = [one.text for one in self.spoken if shot.start <= one.start < shot.end]
        texts = {
            "captions": [
                text for text, _ in groupby(self.captions[t] for t in inside if self.captions)
            ],
            "answers": [self.answers[t] for t in inside if self.answers],
            "said": said,
        }
        return {name: found for name, found in texts.items() if found}

    def plot(self) -> "Figure":
        """Draw the scores, the chosen shots and their key frames (needs the extra `plot`).

        Returns:
            a matplotlib figure.

        Raises:
            UserError: matplotlib is not installed.
            VideoError: the video can no longer be read.
        """
        require_package("matplotlib", "plot", "Summary.plot")
        best = sorted(self.chosen, key=lambda shot: -shot.score)[:MOST_CARDS]
        labels = {one.keyframe: f"{clock(one.start)} - {clock(one.end)}" for one in best}
        cards = [
            (labels[frame], image)
            for frame, image in pictures(self.path, sorted(labels), self.times)
        ]
        return draw(self.curve, cards)

    @property
    def curve(self) -> Curve:
        """The scores over time, as they are drawn."""
        chosen = [(shot.start, shot.end) for shot in self.chosen]
        return Curve(self.steps, self.scores, self.duration, chosen)

    def page(self) -> Page:
        """What `report.html` shows, but for its pictures."""
        shots = [
            PageShot(
                shot.start,
                shot.end,
                shot.size,
                shot.score + WORTH,
                shot.chosen,
                shot.kept,
                shot.dropped,
            )
            for shot in self.shots
        ]
        return Page(
            title=shown_name(self.path.name),
            about=(
                f"{clock(self.seconds)} of {clock(self.duration)} (asked for:"
                f" {self.wishes.length}), {len(self.chosen)} of {len(self.shots)} shots, scored by"
                f" {self.model or 'what is seen and heard'}"
            ),
            duration=self.duration,
            ticks=self.ticks,
            percent=100 * self.seconds / self.duration,
            times=self.steps.tolist(),
            scores=self.scores.tolist(),
            shots=shots,
            captions=self.captions or None,
            words=self.words or None,
            answers=self.answers or None,
            leaning=self.leaning,
        )

    def save(self, folder: str | Path, force: bool = False) -> Path:
        """Write the summary into a new folder, whole or not at all: `summary.mp4`, `preview.webp`,
        `report.html`, `storyboard.png`, `keyframes/`, `chapters.vtt`, `scores.csv`, `summary.json`,
        with a transcript `summary.vtt`, and with the extra `edit` `timeline.otio` and
        `timeline.edl`.

        Args:
            folder: is made; folders above it too.
            force: replace the folder where it holds an earlier summary, and nothing else.

        Returns:
            The folder.

        Raises:
            UserError: it exists, or cannot be written.
        """
        folder = Path(folder)
        with whole_folder(folder, KIND, force, [self.path]) as new:
            _write_scores(self, new / SCORES)
            (new / KEYFRAMES).mkdir()
            names = keyframe_names(self)
            cards = []
            labels = {one.keyframe: f"{clock(one.start)}  {one.score:.2f}" for one in self.chosen}
            for frame, image in pictures(self.path, list(names), self.times):
                _write_picture(image, new / names[frame])
                cards.append((labels[frame], card(image)))
            write_storyboard(cards, new / STORYBOARD)
            parts = [Part(one.first, one.last, one.start, one.end) for one in self.chosen]
            edges = np.append(self.times, self.duration)
            write_video(self.path, parts, self.fps, edges, new, self.spoken)
            write_page(self.page(), self.path, new, folder)
            write_json(new / MARK, self.to_json())
        return folder


def _is_ours(path: Path) -> bool:
    """Whether a file called `summary.json` is one of a summary."""
    try:
        found = read_json(path, "a summary")
    except UserError:
        return False
    return isinstance(found, dict) and {"format", "llmvs", "video", "shots"} <= set(found)


KIND = Kind("summary", MARK, _is_ours, FILES | {SCORES}, {KEYFRAMES: r"\d+\.jpg"})
"""The folder of a summary."""


def keyframe_names(summary: Summary) -> dict[int, str]:
    """Frame index -> `keyframes/03.jpg`, for every chosen shot by its number among all shots."""
    digits = max(2, len(str(len(summary.shots))))
    return {
        shot.keyframe: f"{KEYFRAMES}/{number:0{digits}d}.jpg"
        for number, shot in enumerate(summary.shots, start=1)
        if shot.chosen
    }


def _shot(shot: Shot, names: dict[int, str]) -> dict[str, Any]:
    picture = {"keyframe": names[shot.keyframe]} if shot.chosen else {}
    return {
        "start": round(shot.start, 6),
        "end": round(shot.end, 6),
        "first_frame": shot.first,
        "last_frame": shot.last,
        "score": round(shot.score, 6),
        "chosen": shot.chosen,
        **picture,
    }


def _write_scores(summary: Summary, path: Path) -> None:
    """A row per step."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        texts = {"caption": summary.captions, "answer": summary.answers, "said": summary.words}
        texts = {name: found for name, found in texts.items() if found}
        rows.writerow(["step", "frame", "seconds", "score", *summary.parts, *texts])
        for step, (frame, seconds) in enumerate(zip(summary.picks, summary.steps, strict=True)):
            figures = [summary.scores[step], *(part[step] for part in summary.parts.values())]
            rows.writerow(
                [
                    step,
                    int(frame),
                    f"{seconds:.3f}",
                    *(f"{figure:.6f}" for figure in figures),
                    *(found[step] for found in texts.values()),
                ]
            )


def _write_picture(image: Frame, path: Path) -> None:
    ok, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), JPEG)
    assert ok
    path.write_bytes(encoded.tobytes())
