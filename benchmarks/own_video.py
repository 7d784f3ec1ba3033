"""What a summary of one's own video costs, part by part; Kernel Temporal Segmentation of an hour.

    python benchmarks/own_video.py [VIDEO] [--draw MINUTES] [--steps 7200]

With `--draw` VIDEO is first drawn: 1280 x 720, 25 frames a second, H.264, scenes of 2 to 8 seconds
that move, a tone. Without VIDEO only the segmentation is measured. Times are seconds on the clock
and of the processor; memory is the process's peak so far.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import cv2
import numpy as np
from figures import add_json, save

from llmvs.summary import outputs, result
from llmvs.summary.choice import Wishes, choose
from llmvs.summary.summarize import summarize
from llmvs.video.footage import watch
from llmvs.video.shots import find_shots, segment
from llmvs.video.visual import visual_scores
from llmvs.video.writer import write

T = TypeVar("T")
FIGURES: dict[str, dict[str, float]] = {}
"""What every part took so far."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--draw", type=float, metavar="MINUTES")
    parser.add_argument("--steps", type=int, default=7200)
    add_json(parser)
    given = parser.parse_args()
    if given.video is not None and given.draw is not None:
        draw(given.video, given.draw)
    if given.video is not None:
        summary = in_parts(given.video)
        with tempfile.TemporaryDirectory() as folder:
            for module, part in PARTS:
                watched(module, part)
            timed("save", lambda: summary.save(Path(folder) / "summary"))
    for kind, rows in made(given.steps).items():
        changes, _ = timed(f"KTS, {kind}", lambda rows=rows: segment(rows, most=given.steps // 2))  # type: ignore[misc]
        print(f"    {given.steps} steps, {len(changes)} changes")
    save(given.json, FIGURES)


PARTS = (
    (result, "write_storyboard"),
    (outputs, "cut"),
    (outputs, "write_preview"),
    (result, "write_page"),
)
"""What saving a summary consists of."""


def in_parts(video: Path) -> result.Summary:
    """Summarize, as the command line does without a model."""
    began = time.perf_counter()
    footage = timed("  look", lambda: watch(video))
    scored = timed("  score", lambda: visual_scores(footage))
    shots = timed("  shots", lambda: find_shots(footage))
    timed("  choose", lambda: choose(footage, scored.scores, shots, Wishes()))
    passed = time.perf_counter() - began
    print(f"{footage.duration:.0f} s of video: {footage.duration / passed:.1f} x realtime")
    return timed("summarize", lambda: summarize(video))


def watched(module: ModuleType, name: str) -> None:
    """Print what each call of a function takes."""
    part = getattr(module, name)
    setattr(
        module,
        name,
        lambda *given, **named: timed(f"  {name}", lambda: part(*given, **named)),
    )


def draw(video: Path, minutes: float) -> None:
    """Draw a video of scenes that move."""
    rate, total = 44_100, round(minutes * 60 * 25)

    def frames() -> Iterator[np.ndarray]:
        rng, left = np.random.default_rng(0), total
        while left:
            coarse = rng.integers(0, 255, (9, 20, 3), dtype=np.uint8)
            scene = cv2.resize(coarse, (1600, 720), interpolation=cv2.INTER_CUBIC)
            length, speed = min(left, int(rng.integers(50, 200))), int(rng.integers(0, 3))
            for i in range(length):
                at = i * speed % 320
                yield scene[:, at : at + 1280]
            left -= length

    tone = 0.3 * np.sin(np.arange(round(minutes * 60 * rate)) * 2 * np.pi * 300 / rate)
    write(video, frames(), 25, tone.astype(np.float32), rate, x264={"preset": "ultrafast"})


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
    row = {
        "seconds": time.perf_counter() - clock,
        "processor": time.process_time() - processor,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    FIGURES[what.strip()] = row
    print(
        f"{what:12} {row['seconds']:7.2f} s, {row['processor']:7.2f} s of processor, peak"
        f" {row['peak MB']:.0f} MB"
    )
    return found


if __name__ == "__main__":
    main()
