"""How far a wish moves a summary: the share of a summary of the demo's clips that shows an asked
event, with the wish and without it.

    python benchmarks/about.py EVENT "the wish" [key=value ...]

EVENT is an event of the drawn world, such as `fireworks`; only clips that have it are summarized
(at 15 %, by shots, zero-shot), from `data/demo` (`llmvs train demo` draws it). The settings name
the models: `demo`, or a scorer of your own beside the demo's captioner.
"""

import argparse
from pathlib import Path

import numpy as np

from llmvs.demo.dataset import read_scripts
from llmvs.summary.summarize import summarize


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("event")
    parser.add_argument("wish")
    parser.add_argument("settings", nargs="*", default=["demo"])
    parser.add_argument("--root", type=Path, default=Path("data/demo"))
    given = parser.parse_args()
    scripts = {
        key: script
        for key, script in read_scripts(given.root).items()
        if any(scene.event == given.event for scene in script.scenes)
    }
    rows = []
    for key, script in scripts.items():
        shown = np.array([script.moment(f).event == given.event for f in range(script.n_frames)])
        row = [shown.mean()]
        for about in (None, given.wish):
            summary = summarize(
                given.root / f"{key}.mp4",
                method="language",
                about=about,
                settings=given.settings,
            )
            inside = np.concatenate([np.arange(one.first, one.last + 1) for one in summary.chosen])
            row.append(shown[inside[inside < len(shown)]].mean())
            steps = shown[summary.picks[summary.picks < len(shown)]]
            scores = summary.scores[: len(steps)]
            row.append(scores[steps].mean() - scores[~steps].mean())
        rows.append(row)
        print(key, *(f"{one:.3f}" for one in row), flush=True)
    video, without, gap, wished, wished_gap = np.mean(rows, axis=0)
    print(f"{len(rows)} clips with {given.event}; share of the video that shows it: {video:.3f}")
    print(f"share of the summary: {without:.3f} without the wish, {wished:.3f} with it")
    print(f"score where it is shown, less elsewhere: {gap:+.3f} without, {wished_gap:+.3f} with it")


if __name__ == "__main__":
    main()
