"""What the scorer says without any training: the number that its answer about every step begins
with (paper, "zero-shot").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.datasets import Dataset
from llmvs.evaluation.baselines import Figure
from llmvs.evaluation.judging import Judged, judge, judge_untied
from llmvs.experiments.evaluate import undefined_notes
from llmvs.extraction.prompts import parse_number
from llmvs.results.run_table import TITLES, UNTIED

ROW = "zero_shot"
UNDEFINED = float("nan")


@dataclass(frozen=True)
class Answered:
    """The numbers that a model answered about the steps of some videos."""

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
    def of(cls, answers: Mapping[str, Sequence[str]]) -> "Answered":
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
        return cls(scores, sum(map(len, numbers.values())), missing, silent)

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


def answered(cache: EmbeddingCache, keys: Sequence[str]) -> Answered | None:
    """The scorer's numbers about videos whose embeddings are there.

    None where the embeddings hold no answers (released files) or the scorer was not asked for
    numbers.
    """
    if cache.identity.get("prompt.style") != "numeric":
        return None
    answers = {key: cache.read(key).answers for key in keys}
    return Answered.of(answers) if all(answers.values()) else None


def judge_answered(
    dataset: Dataset, found: Answered, test: Sequence[str], row: str = ROW
) -> tuple[dict[str, dict[str, Judged]], list[str]]:
    """Judge the numbers like any scores, and with their ties broken.

    Returns:
        row -> protocol -> verdict (`UNTIED` is the second row, unless a video has no number), and
        the notes that belong to them.

    Where a video has no number the row is undefined: a mean over the other videos would be another
    table's figure.
    """
    judged = judge(dataset, found.scores, [test])
    title = TITLES.get(row, row)
    notes = [
        *found.notes(title),
        *(f"{title}: {note}" for note in undefined_notes(judged) if not found.silent),
    ]
    if found.silent:
        nothing = dict.fromkeys(found.silent, (UNDEFINED, UNDEFINED))
        judged = {
            name: replace(
                one, figure=Figure(UNDEFINED, UNDEFINED), per_video={**one.per_video, **nothing}
            )
            for name, one in judged.items()
        }
        return {row: judged}, notes
    return {row: judged, UNTIED: judge_untied(dataset, found.scores, [test])}, notes
