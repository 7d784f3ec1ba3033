"""The numbers that a model's answers begin with, as step scores (paper, "zero-shot")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.extraction.answer_text import parse_number

UNDEFINED = float("nan")


@dataclass(frozen=True)
class Answers:
    """The numbers that a model answered about the steps of some videos."""

    model: Literal["scorer", "captioner"]
    """Which of the pair answered."""
    scores: dict[str, npt.NDArray[np.float32]]
    """Video -> [T] in [0, 1]. A step without a number has the mean of its video's numbers; a video
    without any, zeros.
    """
    n_steps: int
    """Steps of all videos."""
    n_missing: int
    """Steps whose answer is no number from 0 to 10."""
    silent: list[str]
    """Videos about which no answer is a number."""

    @classmethod
    def of(
        cls, model: Literal["scorer", "captioner"], answers: Mapping[str, Sequence[str]]
    ) -> "Answers":
        """Read the numbers from every video's T answers."""
        numbers = {
            key: np.array(
                [
                    UNDEFINED if (number := parse_number(text)) is None else number / 10
                    for text in texts
                ]
            )
            for key, texts in answers.items()
        }
        silent = [key for key, values in numbers.items() if np.isnan(values).all()]
        scores = {
            key: np.where(np.isnan(values), np.nanmean(values), values).astype(np.float32)
            for key, values in numbers.items()
            if key not in silent
        }
        scores |= {key: np.zeros(len(numbers[key]), np.float32) for key in silent}
        missing = sum(int(np.isnan(values).sum()) for values in numbers.values())
        return cls(model, scores, sum(map(len, numbers.values())), missing, silent)

    def notes(self, row: str) -> list[str]:
        """What a reader of the row must know: how many answers are no numbers."""
        if not self.n_missing:
            return []
        line = f"{row}: {self.n_missing} of {self.n_steps} answers are not a number from 0 to 10; "
        return [
            line
            + (
                f"undefined, because no answer about {', '.join(self.silent)} is one."
                if self.silent
                else "each counts as the mean of its video's numbers."
            )
        ]


def answers_in(cache: EmbeddingCache, keys: Sequence[str]) -> Answers | None:
    """The scorer's numbers about videos whose embeddings are there.

    None where the embeddings hold no answers (released files) or the scorer was not asked for
    numbers.
    """
    if cache.identity.get("prompt.style") != "numeric":
        return None
    answers = {key: cache.read(key).answers for key in keys}
    return Answers.of("scorer", answers) if all(answers.values()) else None
