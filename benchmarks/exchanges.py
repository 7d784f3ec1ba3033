"""What ridge regression on q and a reaches by chance on SumMe: the annotations go to other videos,
as in shuffled.py, a thousand times, and every time the ridge is fitted and evaluated anew. Beside
it its own scores shifted in time, and in any order: how much of the spread is that neighbours
agree.

    python benchmarks/exchanges.py ROOT EMBEDDINGS [--draws 1000]

ROOT is SumMe's folder (one h5 file with people's summaries), EMBEDDINGS a folder of embeddings in
the cache. A draw is cheap because the features stay: their matrices are decomposed once.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from shuffled import exchanged, stretched

from llmvs import load_dataset
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.datasets.annotations import Annotations
from llmvs.evaluation.protocols import by_name
from llmvs.methods.ridge import GROUPS, PENALTIES, fit_ridge

Of = dict[str, np.ndarray]
MOVES = 300


class FittedFold:
    """The ridge of one fold, for any targets."""

    def __init__(self, rows: Of, train: list[str], test: list[str]) -> None:
        together = np.concatenate([rows[key] for key in train])
        sd = together.std(axis=0)
        self.rows = {key: x / np.where(sd > 0, sd, 1) for key, x in rows.items()}
        self.rows = {key: x - x.mean(axis=0) for key, x in self.rows.items()}
        self.train, self.test = train, test
        self.groups = [train[first::GROUPS] for first in range(GROUPS)]
        grams = [sum(self.rows[key].T @ self.rows[key] for key in group) for group in self.groups]
        self.scale = np.trace(sum(grams)) / len(grams[0])
        self.parts = [np.linalg.eigh(sum(grams) - gram) for gram in grams]
        self.whole = np.linalg.eigh(sum(grams))

    def scores(self, targets: Of) -> Of:
        """Fit as `fit_ridge` does, and predict the test videos."""
        y = {key: targets[key] - targets[key].mean() for key in self.train}
        moments = [sum(self.rows[key].T @ y[key] for key in group) for group in self.groups]
        whole, errors = sum(moments), np.zeros(len(PENALTIES))
        for group, out, part in zip(self.groups, moments, self.parts, strict=True):
            for place, penalty in enumerate(PENALTIES):
                weights = self.solved(part, whole - out, penalty)
                errors[place] += sum(((y[k] - self.rows[k] @ weights) ** 2).sum() for k in group)
        weights = self.solved(self.whole, whole, PENALTIES[int(np.argmin(errors))])
        return {key: self.rows[key] @ weights for key in self.test}

    def solved(self, parts: tuple[np.ndarray, ...], moment: np.ndarray, penalty: float):
        """The weights under a penalty."""
        values, vectors = parts
        return vectors @ ((vectors.T @ moment) / (values + penalty * self.scale))


def given(videos: dict[str, Annotations], donors: dict[str, str]) -> dict[str, Annotations]:
    """Every video with the summaries and the target of another one, stretched to its length."""
    return {
        key: replace(
            video,
            gtscore=stretched(videos[donors[key]].gtscore, len(video.gtscore)),
            user_summary=stretched(videos[donors[key]].user_summary, video.n_frames),
        )
        for key, video in videos.items()
    }


def tau(folds: list[FittedFold], videos: dict[str, Annotations], rows: Of) -> float:
    """The mean `per_annotator` tau of all test videos."""
    videos = {key: video.trim(len(rows[key])) for key, video in videos.items()}
    targets = {key: video.gtscore.astype(np.float64) for key, video in videos.items()}
    protocol = by_name("per_annotator")
    found = [
        protocol.evaluate(scores, videos[key])["tau"]
        for fold in folds
        for key, scores in fold.scores(targets).items()
    ]
    return float(np.mean(found))


def moved(folds: list[FittedFold], videos: dict[str, Annotations], rows: Of) -> None:
    """Print how the tau of the own scores spreads when their steps are moved."""
    videos = {key: video.trim(len(rows[key])) for key, video in videos.items()}
    targets = {key: video.gtscore.astype(np.float64) for key, video in videos.items()}
    scores = {key: found for fold in folds for key, found in fold.scores(targets).items()}
    compare = {key: by_name("per_annotator").prepare(videos[key]) for key in scores}
    rng = np.random.default_rng(0)
    ways = {
        "shifted in time": lambda found: np.roll(found, rng.integers(len(found))),
        "in any order": rng.permutation,
    }
    for name, move in ways.items():
        means = [
            np.mean([compare[key](move(found))["tau"] for key, found in scores.items()])
            for _ in range(MOVES)
        ]
        print(
            f"own scores {name}, {MOVES} draws: mean {np.mean(means):.4f}, sd {np.std(means):.4f}"
        )


def main() -> None:
    """Print where the draws lie."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--draws", type=int, default=1000)
    asked = parser.parse_args()
    dataset, cache = load_dataset("summe", asked.root), EmbeddingCache(asked.embeddings)
    videos, rows = dict(dataset.annotations), {}
    for key, video in videos.items():
        found = cache.read(key)
        both = np.concatenate([found.q.float().numpy(), found.a.float().numpy()], axis=1)
        rows[key] = both[: video.n_steps].astype(np.float64)
    folds = [
        FittedFold(rows, list(train), list(test)) for train, test in dataset.splits["disjoint"]
    ]

    first = folds[0]
    targets = {key: videos[key].gtscore[: len(rows[key])] for key in videos}
    weights = fit_ridge(*([of[key] for key in first.train] for of in (first.rows, targets)))
    for key, scores in first.scores({k: y.astype(np.float64) for k, y in targets.items()}).items():
        np.testing.assert_allclose(scores, first.rows[key] @ weights, rtol=1e-5, atol=1e-8)

    own, keys = tau(folds, videos, rows), sorted(videos)
    draws = np.array(
        [
            tau(folds, given(videos, dict(zip(keys, exchanged(keys, seed), strict=True))), rows)
            for seed in range(asked.draws)
        ]
    )
    low, high = np.percentile(draws, [2.5, 97.5])
    print(f"own annotations: tau {own:.4f}")
    print(
        f"{len(draws)} exchanges: mean {draws.mean():.4f}, sd {draws.std():.4f}, 95 % of them"
        f" {low:.3f} to {high:.3f}; {np.mean(draws >= own):.3f} reach that of the own"
    )
    print("the first ten:", " ".join(f"{value:.3f}" for value in draws[:10]))
    moved(folds, videos, rows)


if __name__ == "__main__":
    main()
