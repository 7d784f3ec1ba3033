"""The stages of extraction: decoding, preprocessing, captioner and scorer, each alone, what working
side by side saves, and what the sizes of batches change.

    python benchmarks/extraction.py [SETTING ...] [--videos 4] [--rounds 3]
    python benchmarks/extraction.py DATASET data.root=DIR --batches 1,16,64 --budgets 2048,8192

SETTINGS are those of `llmvs extract` (`demo`, unless others are given: its clips must have been
drawn, as by `llmvs train demo`); nothing is written into a cache. What is compared takes turns
within every round; figures are the least of the rounds. A stage "alone" has its input ready.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import torch
from figures import add_json, save

from llmvs.config.load import load_config
from llmvs.config.schema import Config
from llmvs.datasets.video import Video
from llmvs.experiments.opening import open_dataset
from llmvs.extraction.caption_stage import CaptionStage
from llmvs.extraction.caption_steps import caption_steps
from llmvs.extraction.captioner import Captioner
from llmvs.extraction.prompts import Window, windows
from llmvs.extraction.scorer import Scorer
from llmvs.extraction.scoring_stage import ScoringStage, worked_examples
from llmvs.extraction.steps import steps_of
from llmvs.video.reader import Sampled

T = TypeVar("T")
Table = dict[str, dict[str, float]]


def main() -> None:
    """Measure both stages and print their tables."""
    given = arguments()
    if given.threads:
        torch.set_num_threads(given.threads)
    config = load_config(given.settings)
    dataset = open_dataset(config)
    clips = [Clip.of(video, config) for video in islice(dataset.videos.values(), given.videos)]
    stage = CaptionStage(config, dataset.name)
    captioner = stage.load()
    texts = [clip.captions(captioner, config.caption.batch) for clip in clips]
    steps = sum(map(len, texts))
    print(f"{len(clips)} videos, {steps} steps, {captioner.model.device}, {captioner.model.dtype}")
    figures = {"captions": caption_table(clips, captioner, config.caption.batch, given.rounds)}
    show("captions", figures["captions"], steps)
    figures["captioner"] = batch_table(clips, captioner, given.batches, given.rounds)
    show("captioner, by frames in a batch", figures["captioner"], steps)
    del captioner
    scoring = ScoringStage(config, dataset.name, stage, worked_examples(config, [], stage))
    scorer = scoring.load()
    asked = [windows(captions, config.prompt.window) for captions in texts]
    figures["scorer"] = budget_table(scorer, asked, given.budgets, given.rounds)
    show("scorer, by query tokens in a batch", figures["scorer"], steps)
    save(given.json, figures)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("settings", nargs="*", default=["demo"])
    parser.add_argument("--videos", type=int, default=4, help="how many of the dataset")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: torch's choice)")
    parser.add_argument("--batches", type=sizes, default=(1, 8, 32), help="frames, as 1,8,32")
    parser.add_argument(
        "--budgets", type=sizes, default=(512, 1024, 2048, 4096, 8192), help="query tokens"
    )
    add_json(parser)
    return parser.parse_args()


def sizes(text: str) -> tuple[int, ...]:
    """The numbers of a list such as 1,8,32."""
    return tuple(int(part) for part in text.split(","))


@dataclass
class Clip:
    """A video, and how its steps are sampled."""

    video: Video
    path: Path
    fps: float | None
    every_nth_frame: int | None
    frames: list[Sampled]
    """Its steps, decoded."""

    @classmethod
    def of(cls, video: Video, config: Config) -> "Clip":
        """Decode a video's steps."""
        if video.path is None:
            raise SystemExit(f"{video.key}: no video file")
        clip = cls(video, video.path, config.extract.fps, config.extract.every_nth_frame, [])
        clip.frames = list(clip.steps())
        return clip

    def steps(self) -> Iterator[Sampled]:
        """Decode, as extraction does."""
        return steps_of(self.video, self.path, self.fps, self.every_nth_frame)

    def captions(self, captioner: Captioner, batch: int) -> list[str]:
        """Decode, preprocess and caption, as extraction does."""
        return caption_steps(self.steps(), captioner, batch)[1]

    def batches(self, size: int) -> Iterator[list[Sampled]]:
        """Its decoded steps."""
        for first in range(0, len(self.frames), size):
            yield self.frames[first : first + size]


def caption_table(clips: Sequence[Clip], captioner: Captioner, batch: int, rounds: int) -> Table:
    """Seconds of every part of stage 1 alone, and of the whole, whose parts overlap."""

    def prepared() -> list[list[object]]:
        return [
            captioner.prepare([step.image for step in part])
            for clip in clips
            for part in clip.batches(batch)
        ]

    ready = prepared()
    table = fastest(
        {
            "decode": lambda: [list(clip.steps()) for clip in clips],
            "preprocess": prepared,
            "model": lambda: [captioner(list(part)) for part in ready],
            "whole, as extraction does": lambda: [
                clip.captions(captioner, batch) for clip in clips
            ],
        },
        rounds,
    )
    parts = sum(row["seconds"] for name, row in table.items() if not name.startswith("whole"))
    return {**table, "the parts, one after the other": {"seconds": parts}}


def batch_table(
    clips: Sequence[Clip], captioner: Captioner, batches: Sequence[int], rounds: int
) -> Table:
    """Seconds of the captioner alone, by the frames in a batch."""

    def model(ready: list[list[object]]) -> Callable[[], object]:
        return lambda: [captioner(list(part)) for part in ready]

    return fastest(
        {
            str(batch): model(
                [
                    captioner.prepare([step.image for step in part])
                    for clip in clips
                    for part in clip.batches(batch)
                ]
            )
            for batch in batches
        },
        rounds,
    )


def budget_table(
    scorer: Scorer, asked: Sequence[Sequence[Window]], budgets: Sequence[int], rounds: int
) -> Table:
    """Seconds of the scorer by the query tokens in a batch, and until its first result."""
    first: dict[str, float] = {}

    def ways(budget: int) -> Callable[[], object]:
        one = Scorer(
            scorer.reader.model,
            scorer.template,
            scorer.reader.max_tokens,
            replace(scorer.config, tokens_per_batch=budget),
            scorer.checked,
        )
        one(list(asked[0])[:2])  # chooses the engine, and computes the prefix

        def read() -> None:
            begun = time.perf_counter()
            said: list[float] = []
            for video in asked:
                one(video, lambda _: said.append(time.perf_counter() - begun))
            first[str(budget)] = min(first.get(str(budget), said[0]), said[0])

        return read

    table = fastest({str(budget): ways(budget) for budget in budgets}, rounds)
    return {name: {**row, "first result": first[name]} for name, row in table.items()}


def fastest(ways: dict[str, Callable[[], object]], rounds: int) -> Table:
    """The least seconds of every way, taking turns, and the most memory of a GPU."""
    cuda = torch.cuda.is_available()
    table: Table = {}
    for _ in range(rounds):
        for name, way in ways.items():
            if cuda:
                torch.cuda.reset_peak_memory_stats()
                torch.cuda.synchronize()
            begun = time.perf_counter()
            way()
            if cuda:
                torch.cuda.synchronize()
            seconds = time.perf_counter() - begun
            row = table.setdefault(name, {"seconds": seconds})
            row["seconds"] = min(row["seconds"], seconds)
            if cuda:
                row["peak GB"] = torch.cuda.max_memory_allocated() / 1e9
    return table


def show(title: str, table: Table, steps: int) -> None:
    """Print a table, with its steps per second."""
    print(f"\n{title}")
    for name, row in table.items():
        more = "".join(f"   {what} {value:.2f}" for what, value in row.items() if what != "seconds")
        print(f"  {name:32}{row['seconds']:9.2f} s{steps / row['seconds']:10.1f} steps/s{more}")


if __name__ == "__main__":
    main()
