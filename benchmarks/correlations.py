"""Evaluating one video after every epoch: our tau and rho against scipy's, side by side in one run.

    python benchmarks/correlations.py

Made-up annotations of the benchmarks' shapes; the figures are the minimum of interleaved
repetitions, and their ratio.
"""

import time
from collections.abc import Callable

import numpy as np
from scipy.stats import kendalltau, spearmanr

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.datasets.video import Video
from llmvs.evaluation.keyshots import summarize
from llmvs.evaluation.protocols import protocols

REPEAT = 15


def made_up(annotation: str, n_frames: int, people: int, n_shots: int) -> Annotations:
    """A video of `n_frames` with votes or ratings."""
    rng = np.random.default_rng(0)
    picks = np.arange(0, n_frames, 15)
    edges = np.linspace(0, n_frames, n_shots + 1).astype(int)
    shots = np.stack([edges[:-1], edges[1:] - 1], axis=1)
    votes = np.repeat(rng.random((people, n_shots)) < 0.15, np.diff(edges), axis=1).astype(np.uint8)
    ratings = np.repeat(rng.integers(1, 6, (people, -(-n_frames // 60))), 60, axis=1)[:, :n_frames]
    people_said = {"user_summary": votes} if annotation == "votes" else {"user_scores": ratings}
    return Annotations(
        Video("video_1", "made up", picks=picks),
        n_frames,
        rng.random(len(picks)).astype(np.float32),
        shots=shots,
        **people_said,
    )


def fastest(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of each way: the minimum over interleaved repetitions."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(REPEAT):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            best[name] = min(best[name], 1e3 * (time.perf_counter() - start))
    return best


def main() -> None:
    """Print one line per protocol."""
    for title, annotation, protocol, video in [
        ("TVSum, 20 annotators, 700 steps", "ratings", "paper", made_up("ratings", 10_500, 20, 60)),
        ("SumMe paper, 5,000 frames", "votes", "paper", made_up("votes", 5_000, 15, 40)),
        (
            "SumMe per_annotator, 333 steps",
            "votes",
            "per_annotator",
            made_up("votes", 5_000, 15, 40),
        ),
    ]:
        dataset = Dataset("made up", annotation, {video.key: video}, {})
        evaluate = protocols(dataset)[protocol].prepare(video)
        scores = np.random.default_rng(1).random(video.n_steps).astype(np.float32)
        people = video.user_scores if video.user_scores is not None else video.user_summary
        assert people is not None
        at_picks, mean = people[:, video.picks], people.mean(axis=0)

        def with_scipy(
            key_shots: bool = annotation == "votes" and protocol == "paper",
            video: Video = video,
            scores: np.ndarray = scores,
            at_picks: np.ndarray = at_picks,
            mean: np.ndarray = mean,
        ) -> None:
            pairs = (
                [(summarize(scores, video.picks, video.n_frames, video.shots), mean)]
                if key_shots
                else [(scores, row) for row in at_picks]
            )
            for x, y in pairs:
                kendalltau(x, y)
                spearmanr(x, y)

        times = fastest(
            {"ours": lambda evaluate=evaluate, scores=scores: evaluate(scores), "scipy": with_scipy}
        )  # type: ignore[misc]
        print(
            f"{title:34} ours {times['ours']:6.2f} ms   scipy {times['scipy']:6.2f} ms  "
            f" x{times['scipy'] / times['ours']:.1f}"
        )


if __name__ == "__main__":
    main()
