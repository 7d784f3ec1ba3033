"""Evaluating one video: our tau and rho against scipy's pair by pair, and our F1, knapsack and KTS
against plain ones (`reference/plain.py`), side by side in one run.

    python benchmarks/correlations.py [--json FILE]

Made-up annotations of the benchmarks' shapes; the figures are the minimum of interleaved
repetitions, and their ratio.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, spearmanr

sys.path.insert(0, str(Path(__file__).parent / "reference"))
import plain
from figures import add_json, save

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.datasets.video import Video
from llmvs.evaluation.key_shot_f1 import f1
from llmvs.evaluation.keyshots import knapsack, summarize
from llmvs.evaluation.protocols import protocols
from llmvs.video.shots import segment

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


def fastest(ways: dict[str, Callable[[], object]], repeat: int = REPEAT) -> dict[str, float]:
    """Milliseconds of each way: the minimum over interleaved repetitions."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(repeat):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            best[name] = min(best[name], 1e3 * (time.perf_counter() - start))
    return best


def show(title: str, times: dict[str, float]) -> None:
    """Print a line: ours, the other way, and their ratio."""
    (_, own), (other, theirs) = times.items()
    print(f"{title:34} ours {own:8.2f} ms   {other:5} {theirs:8.2f} ms   x{theirs / own:.1f}")


def without_correlation() -> dict[str, dict[str, float]]:
    """F1, knapsack and KTS against the plain ones, which must find the same."""
    rng = np.random.default_rng(2)
    video = made_up("votes", 7_500, 15, 50)
    assert video.user_summary is not None
    assert video.shots is not None
    scores = rng.random(video.n_steps).astype(np.float32)
    summary, users = summarize(scores, video.picks, video.n_frames, video.shots), video.user_summary
    values, weights = rng.random(50), np.diff(video.shots, axis=1)[:, 0] + 1
    room = int(0.15 * video.n_frames)
    scenes = np.repeat(rng.normal(size=(20, 32)), 15, axis=0) + 0.3 * rng.normal(size=(300, 32))

    def our_kts() -> list[int]:
        return segment(scenes, 5.0, 60)[0].tolist()

    def plain_kts() -> list[int]:
        return plain.change_points(scenes, 5.0, 60)

    assert np.allclose(f1(summary, users).mean, np.mean(plain.f1(summary, users)))
    assert knapsack(values, weights, room).tolist() == plain.knapsack(
        values.tolist(), weights.tolist(), room
    )
    assert our_kts() == plain_kts()
    return {
        "F1, 7,500 frames x 15 people": fastest(
            {"ours": lambda: f1(summary, users), "plain": lambda: plain.f1(summary, users)}
        ),
        "knapsack, 50 shots of 7,500 frames": fastest(
            {
                "ours": lambda: knapsack(values, weights, room),
                "plain": lambda: plain.knapsack(values.tolist(), weights.tolist(), room),
            }
        ),
        "KTS, 300 steps, 60 changes at most": fastest({"ours": our_kts, "plain": plain_kts}, 3),
    }


def main() -> None:
    """Print one line per protocol, and of what has no correlation."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add_json(parser)
    given = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
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
        figures[title] = times
    figures |= without_correlation()
    for title, times in figures.items():
        show(title, times)
    save(given.json, figures)


if __name__ == "__main__":
    main()
