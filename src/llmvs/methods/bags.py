"""Captions as bags of words: which words are there, or TF-IDF vectors."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
LEAST = 5
"""Captions in which a word stands at least, to be in a vocabulary."""
MOST = 2000
"""Words in a vocabulary: the most frequent ones."""


@dataclass(frozen=True)
class Bags:
    """Words, and how rare each is."""

    words: dict[str, int]
    """Word -> its dimension."""
    rarity: Vector
    """[V] log of captions per caption with the word, and 1 (smoothed as in scikit-learn)."""

    @classmethod
    def of(cls, videos: Sequence[Sequence[str]], least: int = LEAST, most: int = MOST) -> "Bags":
        """Count the words of all captions of some videos."""
        captions = [_words(caption) for video in videos for caption in video]
        counts = Counter(word for words in captions for word in set(words))
        common = sorted(counts, key=lambda word: (-counts[word], word))[:most]
        kept = [word for word in common if counts[word] >= least]
        seen = np.array([counts[word] for word in kept], dtype=np.float64)
        return cls(
            {word: place for place, word in enumerate(kept)},
            np.log((1 + len(captions)) / (1 + seen)) + 1,
        )

    def present(self, captions: Sequence[str]) -> Vector:
        """[T, V] 1 where a caption holds the word, 0 elsewhere."""
        return np.minimum(self._counted(captions), 1)

    def weighed(self, captions: Sequence[str]) -> Vector:
        """TF-IDF vectors [T, V] of length 1; of no known word, 0."""
        rows = self._counted(captions) * self.rarity
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.divide(rows, length, out=rows, where=length > 0)

    def _counted(self, captions: Sequence[str]) -> Vector:
        rows = np.zeros((len(captions), len(self.words)))
        for row, caption in zip(rows, captions, strict=True):
            for word in _words(caption):
                if word in self.words:
                    row[self.words[word]] += 1
        return rows


def novelty(captions: Sequence[str]) -> Vector:
    """How little each caption says of what the other captions of its video say: 1 - cosine of its
    TF-IDF vector and the others' mean.

    Args:
        captions: T of one video.

    Returns:
        [T] from 0 to 1; of a single caption, 0.
    """
    rows = Bags.of([captions], least=1, most=10**6).weighed(captions)
    if len(rows) < 2:
        return np.zeros(len(rows))
    others = (rows.sum(axis=0) - rows) / (len(rows) - 1)
    length = np.linalg.norm(others, axis=1)
    shared = (rows * others).sum(axis=1)
    return 1 - np.divide(shared, length, out=np.zeros(len(rows)), where=length > 0)


def _words(caption: str) -> list[str]:
    return WORD.findall(caption.lower())
