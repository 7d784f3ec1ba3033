"""Scores by language models: what the frozen pair, and a trained head or none, make of a video."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmvs.config.schema import Config
from llmvs.config.settings import shaping_embeddings
from llmvs.datasets.video import Video
from llmvs.errors import UserError, VideoError
from llmvs.methods.answers import Answers
from llmvs.models.own_video import Reading, Readings, read_videos, settings_for
from llmvs.models.pretrained import LLMVS
from llmvs.summary.leaning import LONGEST, Leaning, leaning

logger = logging.getLogger(__name__)

DEMO = "demo"
"""Names the demo's head and its two small models."""
DEMO_HEAD = "builtin:demo-head"


@dataclass(frozen=True)
class Judgment:
    """What language models make of one video."""

    frames: npt.NDArray[np.int64]
    """[T] frame index of every step."""
    scores: npt.NDArray[np.float64]
    """[T] from 0 to 1."""
    captions: tuple[str, ...]
    """T"""
    answers: tuple[str, ...]
    """T: what the scorer answered about every window."""
    leaning: Leaning | None = None
    """What a trained head's scores lean on."""


class Language:
    """The method `language`: the scorer's own number of every step, or the score of a trained head.

    >>> Language.of(None, ["demo"], 2.0).name
    'builtin:demo-llama, zero-shot'
    """

    def __init__(self, config: Config, head: LLMVS | None, name: str) -> None:
        """Take what `of` found."""
        self.config, self.head, self.name = config, head, name
        self._read: dict[Path, Readings] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, by dotted key, that decide the captions and embeddings."""
        return shaping_embeddings(self.config, places=False)

    @classmethod
    def of(cls, model: str | None, settings: Sequence[str], fps: float) -> "Language":
        """Find what is asked for, without loading the frozen pair.

        Args:
            model: a run's folder, an export's, a hub id, or `demo`; None: the scorer's own numbers.
            settings: layers and `key=value`, as on the command line.
            fps: steps per second of video.

        Raises:
            UserError: no such model, or settings that it was not trained with.
        """
        if model is None:
            config = settings_for(settings, fps)
            if config.prompt.style != "numeric":
                raise UserError(
                    f"prompt.style={config.prompt.style}: without a trained head (--model) the"
                    " scorer's numbers are the scores: leave it out"
                )
            return cls(config, None, f"{config.backbone.scorer}, zero-shot")
        head = LLMVS.from_pretrained(DEMO_HEAD if model == DEMO else model)
        if not head.extraction:
            logger.warning(
                "note: %s does not say how its embeddings are made: the settings decide", model
            )
        config = settings_for(settings, fps, head.extraction, head.identity, f"--model {model}")
        return cls(config, head, model)

    def read(self, paths: Sequence[Path], transcript: Path | None = None) -> None:
        """Caption and embed several videos with models that are loaded once.

        Args:
            paths: the files.
            transcript: subtitles of the only one; None: those beside each.

        Raises:
            UserError: what concerns all videos. One that fails says so in `judge`.
        """
        videos = []
        for path in paths:
            try:
                videos.append(replace(Video.file(path), transcript=transcript))
            except VideoError:
                continue  # `judge` says what is wrong with its name
        done = read_videos(self.config, videos)
        self._read |= dict.fromkeys(paths, done)

    def judge(self, path: Path, transcript: Path | None = None) -> Judgment:
        """Score every step of a video.

        Raises:
            VideoError: it cannot be read, or no answer about it is a number.
        """
        video = replace(Video.file(path), transcript=transcript)
        if path not in self._read:
            self.read([path], transcript)
        reading = self._read[path].of(
            video, self.head is not None and "v" in self.head.config.inputs
        )
        captions, answers = reading.captions, tuple(reading.embeddings.answers)
        scores = (
            self._numbers(path, answers)
            if self.head is None
            else self.head.score_reading(reading).numpy()
        )
        n = len(scores)  # supplied captions may end early
        return Judgment(
            np.array(captions.frames[:n]),
            scores.astype(np.float64),
            tuple(captions.texts[:n]),
            answers,
            self._leaning(path, reading),
        )

    def _leaning(self, path: Path, reading: Reading) -> Leaning | None:
        if self.head is None:
            return None
        if len(reading.embeddings.q) > LONGEST:
            logger.warning(
                "note: %s: what its scores lean on is not shown: more than %s steps", path, LONGEST
            )
            return None
        weights = self.head.attention_of(reading)
        return None if weights is None else leaning(weights.numpy())

    def _numbers(self, path: Path, answers: Sequence[str]) -> npt.NDArray[np.float32]:
        found = Answers.of("scorer", {path.stem: answers})
        if found.silent:
            raise VideoError(
                f"{path}: no answer of {self.config.backbone.scorer} is a number from 0 to 10"
                f" (the first: {answers[0][:60]!r}): choose another backbone.scorer, or a trained"
                " head with --model"
            )
        if found.n_missing:
            logger.warning(
                "note: %s: %s of %s answers are no number from 0 to 10: each counts as the mean of"
                " the others",
                path,
                found.n_missing,
                found.n_steps,
            )
        return found.scores[path.stem]
