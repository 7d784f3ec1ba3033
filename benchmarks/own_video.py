"""What a summary of one's own video costs: Kernel Temporal Segmentation of an hour, and a clip from
file to choice, part by part.

    python benchmarks/own_video.py [VIDEO] [--steps 7200]

Without VIDEO only the segmentation is measured. Times are seconds on the clock and of the
processor; memory is the process's peak so far.
"""

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from llmvs.summary.choice import Wishes, choose
from llmvs.video.footage import watch
from llmvs.video.shots import find_shots, segment
from llmvs.video.visual import visual_scores

T = TypeVar("T")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--steps", type=int, default=7200)
    given = parser.parse_args()
    if given.video is not None:
        began = time.perf_counter()
        footage = timed("look", lambda: watch(given.video))
        scored = timed("score", lambda: visual_scores(footage))
        shots = timed("shots", lambda: find_shots(footage))
        timed("choose", lambda: choose(footage, scored.scores, shots, Wishes()))
        passed = time.perf_counter() - began
        print(f"{footage.duration:.0f} s of video: {footage.duration / passed:.1f} x realtime")
    for kind, rows in made(given.steps).items():
        changes, _ = timed(f"KTS, {kind}", lambda rows=rows: segment(rows, most=given.steps // 2))  # type: ignore[misc]
        print(f"    {given.steps} steps, {len(changes)} changes")


def made(steps: int) -> dict[str, np.ndarray]:
    """Features of a video of shots, of a still one, and of one that drifts."""
    rng = np.random.default_rng(0)
    shots: list[np.ndarray] = []
    while len(shots) < steps:
        mean = rng.normal(size=234)
        shots += [mean + 0.25 * rng.normal(size=234) for _ in range(rng.integers(3, 30))]
    kinds = {
        "shots": np.array(shots[:steps]),
        "still": 1 + 1e-3 * rng.normal(size=(steps, 234)),
        "drift": np.cumsum(rng.normal(size=(steps, 234)), axis=0),
    }
    return {
        kind: rows / np.linalg.norm(rows, axis=1, keepdims=True) for kind, rows in kinds.items()
    }


def timed(what: str, do: Callable[[], T]) -> T:
    """Do it and print what it took."""
    clock, processor = time.perf_counter(), time.process_time()
    found = do()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{what:12} {time.perf_counter() - clock:7.2f} s, {time.process_time() - processor:7.2f} s"
        f" of processor, peak {peak:.0f} MB"
    )
    return found


if __name__ == "__main__":
    main()
