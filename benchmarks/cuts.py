"""How well cuts are found, on drawn clips whose cuts are known, beside PySceneDetect and ruptures.

    pip install --target EXTRA --no-deps scenedetect ruptures
    PYTHONPATH=EXTRA python benchmarks/cuts.py [FOLDER] [--seed 1] [--clips 40]

FOLDER (default `data/cuts`) becomes a demo world of another seed than the demo's, so that nothing
was chosen on it. A cut is found where a shot begins within one frame of it. Without scenedetect or
ruptures their rows are left out.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from figures import add_json, save

from llmvs.demo.dataset import load, read_scripts
from llmvs.video.footage import Footage, watch
from llmvs.video.shots import find_shots, hard_cuts, segment

Finder = Callable[[Path, Footage], list[int]]
NEAR = 1
"""Frames."""


def main() -> None:
    """Find the cuts of every clip in every way, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("data/cuts"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clips", type=int, default=40)
    add_json(parser)
    given = parser.parse_args()
    dataset = load(given.folder, clips=given.clips, seed=given.seed)
    scripts = read_scripts(given.folder)
    counts: dict[str, list[tuple[int, int, int]]] = {}
    seconds: dict[str, float] = {}
    hidden = 0
    for key, video in dataset.videos.items():
        assert video.path is not None
        truth = scripts[key].shots[1:, 0].tolist()
        began = time.perf_counter()
        footage = watch(video.path)
        seconds["looking"] = seconds.get("looking", 0) + time.perf_counter() - began
        hidden += sum(not footage.change[cut] >= 1 for cut in truth)
        for name, find in finders().items():
            began = time.perf_counter()
            found = find(video.path, footage)
            seconds[name] = seconds.get(name, 0) + time.perf_counter() - began
            counts.setdefault(name, []).append(compared(found, truth))
    print(f"{given.clips} clips of seed {given.seed}, {sum(t for *_, t in counts['shots'])} cuts")
    print(f"{hidden} of them change the picture by less than one of 256 levels of brightness")
    figures: dict[str, dict[str, float]] = {}
    for name, clips in counts.items():
        hits, said, true = np.sum(clips, axis=0)
        row = {"precision": float(hits / said), "recall": float(hits / true)}
        figures[name] = {**row, "found": int(said), "seconds": seconds[name]}
        print(
            f"{name:28} precision {row['precision']:.3f}  recall {row['recall']:.3f}"
            f"  found {said:4d}  {seconds[name]:6.1f} s"
        )
    print(f"{'(decoding and features':28} {seconds['looking']:.1f} s, shared by the first two)")
    save(given.json, figures)
    if importlib.util.find_spec("ruptures"):
        beside_ruptures(footage.features)


def finders() -> dict[str, Finder]:
    """Every way that can be tried here: clip and footage -> first frames of shots but the first."""
    found: dict[str, Finder] = {
        "shots": lambda path, footage: find_shots(footage)[1:, 0].tolist(),
        "hard cuts alone": lambda path, footage: hard_cuts(footage).tolist(),
    }
    if importlib.util.find_spec("scenedetect"):
        from scenedetect import AdaptiveDetector, ContentDetector, detect

        for make in (ContentDetector, AdaptiveDetector):
            found[f"PySceneDetect, {make.__name__}"] = (
                lambda path, footage, make=make: [  # type: ignore[misc]
                    scene[0].get_frames() for scene in detect(str(path), make())[1:]
                ]
            )
    return found


def compared(found: list[int], truth: list[int]) -> tuple[int, int, int]:
    """(hits, found, true): every true cut is hit once."""
    left = list(found)
    hits = 0
    for cut in truth:
        near = [one for one in left if abs(one - cut) <= NEAR]
        if near:
            left.remove(min(near, key=lambda one: abs(one - cut)))
            hits += 1
    return hits, len(found), len(truth)


def beside_ruptures(features: np.ndarray) -> None:
    """Whether Kernel Temporal Segmentation finds what another program finds for the same number of
    changes.
    """
    import ruptures

    ours, _ = segment(features, most=len(features) // 2)
    theirs = ruptures.KernelCPD(kernel="linear", min_size=1).fit(features.astype(np.float64))
    want = theirs.predict(n_bkps=len(ours))[:-1]
    print(
        f"KTS and ruptures, {len(features)} steps, {len(ours)} changes: same {list(ours) == want}"
    )


if __name__ == "__main__":
    main()
