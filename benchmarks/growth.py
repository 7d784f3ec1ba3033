"""How time and memory grow with the length of a video and with the number of videos.

    python benchmarks/growth.py steps [--most 20000]
    python benchmarks/growth.py videos [--most 30000] [--width 64] [--memory-gb 8]

`steps`: forward and backward (with dropout), and evaluation, of one video by a head of 3 layers of
256. `videos`: made-up embeddings of 200 steps a video; how long the data module takes to start, an
epoch's reading, and beside it the same head's steps (forward, backward, optimizer). Every size
is measured in a fresh process; memory is the peak of what is resident, above what was before the
measured work. `--plot NAME` draws NAME.svg and NAME.png from the figures of both (`--json`).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from figures import add_json, save

from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.config.schema import HeadConfig
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Fold
from llmvs.datasets.video import Video
from llmvs.models.datamodule import EmbeddingDataModule
from llmvs.models.head import Head

STEPS = (500, 2_000, 5_000, 10_000, 20_000)
VIDEOS = (300, 3_000, 30_000)
LENGTH = 200
"""Steps of a made-up video."""
HEAD = HeadConfig(dim=256, layers=3, feedforward=256)
TIMED = 20
"""Batches that the head's step is timed on."""
Row = dict[str, float]


def memory(field: str) -> float:
    """MB of VmRSS (now) or VmHWM (peak) of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def one_video(n_steps: int, width: int, training: bool) -> Row:
    """Seconds and MB of one pass over a video."""
    head = Head(width, HEAD).train(training)
    warm, lengths = torch.randn(100, width), torch.tensor([100])
    with torch.set_grad_enabled(training):
        if training:
            head(warm, lengths).sum().backward()
        else:
            head(warm, lengths)
        steps, lengths = torch.randn(n_steps, width), torch.tensor([n_steps])
        before, start = memory("VmRSS"), time.perf_counter()
        processor = time.process_time()
        scores = head(steps, lengths)
        if training:
            scores.square().mean().backward()
    return {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - processor,
        "mb": memory("VmHWM") - before,
    }


def made_up(n_videos: int, width: int, folder: Path) -> tuple[Dataset, Fold]:
    """A cache of `n_videos`, and what its data set would say of them."""
    picks = np.arange(LENGTH)
    keys = [f"video_{i}" for i in range(n_videos)]
    cache = EmbeddingCache(folder, {"made_up": width})
    q, a = torch.randn(2, LENGTH, width).half()
    cache.write(keys[0], Embeddings(q, a, torch.from_numpy(picks)))
    content = cache.path(keys[0]).read_bytes()
    for key in keys[1:]:
        cache.path(key).write_bytes(content)
    truth = np.random.default_rng(0).random(LENGTH).astype(np.float32)
    videos = {key: Annotations(Video(key, key, picks=picks), LENGTH, truth) for key in keys}
    return Dataset("made_up", "replays", videos, {}), Fold(
        0, tuple(keys[10:]), (), tuple(keys[:10])
    )


def many_videos(n_videos: int, width: int, memory_gb: float) -> Row:
    """Seconds and MB to start, of an epoch's reading, and of the head's steps in it."""
    with tempfile.TemporaryDirectory() as temporary:
        dataset, fold = made_up(n_videos, width, Path(temporary))
        before, start = memory("VmRSS"), time.perf_counter()
        data = EmbeddingDataModule(dataset, fold, temporary, memory_gb=memory_gb)
        data.setup("fit")
        started, batches = time.perf_counter() - start, 0
        kept = []
        start = time.perf_counter()
        for batch in data.train_dataloader():
            batch.steps.sum()  # what is mapped is read
            batches += 1
            kept = [*kept, batch][-TIMED:]
        read, peak = time.perf_counter() - start, memory("VmHWM") - before
        head = Head(width, HEAD)
        optimizer = torch.optim.AdamW(head.parameters(), fused=True)
        start = time.perf_counter()
        for batch in kept:
            loss = (head(batch.steps, batch.lengths) - batch.gtscore).square().mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        step = (time.perf_counter() - start) / len(kept)
        return {"start": started, "reading": read, "head": step * batches, "mb": peak}


def fresh(what: str, size: int, width: int, memory_gb: float) -> Row:
    """Measure one size in a process of its own."""
    command = [sys.executable, __file__, "one", "--what", what, "--size", str(size)]
    done = subprocess.run(
        [*command, "--width", str(width), "--memory-gb", str(memory_gb)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def draw(figures: dict[str, dict[str, Row]], place: Path) -> None:
    """Seconds and memory over the steps of a video, and over the number of videos."""
    from matplotlib import pyplot as plt

    panels = 3 if "videos" in figures else 2
    figure, axes = plt.subplots(1, panels, figsize=(3.7 * panels, 3.4), layout="constrained")
    labels = {"train": "forward and backward", "evaluation": "evaluation"}
    for what, label in labels.items():
        rows = figures.get(what, {})
        sizes = [int(size) for size in rows]
        for axis, field in ((axes[0], "cpu"), (axes[1], "mb")):
            axis.plot(sizes, [row[field] for row in rows.values()], "o-", ms=4, label=label)
    rows = figures.get("videos", {})
    for field, label in (("head", "the head's steps"), ("reading", "reading"), ("start", "start")):
        if not rows:
            break
        sizes = [int(size) for size in rows]
        axes[2].plot(sizes, [row[field] for row in rows.values()], "o-", ms=4, label=label)
    titles = [
        ("one video: processor time", "steps", "s"),
        ("one video: peak memory above the start", "steps", "MB"),
        ("an epoch: time", "videos of 200 steps", "s"),
    ]
    for axis, (title, x, y) in zip(axes, titles[:panels], strict=True):
        axis.set(title=title, xlabel=x, ylabel=y, xscale="log", yscale="log")
        axis.title.set_fontsize(10)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
    for suffix in (".svg", ".png"):
        figure.savefig(place.with_suffix(suffix), dpi=110)


def main() -> None:
    """Measure, print, and write or draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("of", choices=("steps", "videos", "one", "plot"))
    parser.add_argument("--most", type=int, default=30_000)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--memory-gb", type=float, default=8.0, help="beyond it videos are mapped")
    add_json(parser)
    parser.add_argument("--plot", type=Path, help="draw this .svg and .png from the --json file")
    parser.add_argument("--what", choices=("train", "evaluation", "videos"))
    parser.add_argument("--size", type=int)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.of == "one":
        if given.what == "videos":
            print(json.dumps(many_videos(given.size, given.width, given.memory_gb)))
        else:
            print(json.dumps(one_video(given.size, given.width, given.what == "train")))
        return
    figures: dict[str, dict[str, Row]] = {}
    if given.json and given.json.exists():  # the other half of the plot
        figures = json.loads(given.json.read_text())["figures"]
    kinds = {"steps": ("evaluation", "train"), "videos": ("videos",), "plot": ()}[given.of]
    for what in kinds:
        figures[what] = {}
        for size in VIDEOS if what == "videos" else STEPS:
            if size > given.most:
                continue
            figures[what][str(size)] = row = fresh(what, size, given.width, given.memory_gb)
            shown = "  ".join(f"{name} {value:9.2f}" for name, value in row.items())
            print(f"{what:<11}{size:>7}  {shown}", flush=True)
            save(given.json, figures)
    if given.plot:
        draw(figures, given.plot)


if __name__ == "__main__":
    main()
