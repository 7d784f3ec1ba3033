"""Draw clips into video files, on all cores.

The workers are programs of their own (`python -m llmvs.demo.world.render`, jobs on standard input)
and not children of `multiprocessing`: those would run the caller's script again, or inherit its
threads.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from llmvs.console import ProgressBar
from llmvs.demo.world.draw import Painter
from llmvs.demo.world.pen import Picture
from llmvs.demo.world.script import FPS, Script
from llmvs.demo.world.sound import RATE, soundtrack
from llmvs.errors import UserError
from llmvs.processes import cores
from llmvs.video.writer import write

_X264 = {
    "preset": "ultrafast",
    "crf": "24",
    "x264-params": "cabac=1:bframes=3:b-adapt=0:weightb=0",
}  # superfast's size in 2/3 of its time


@dataclass(frozen=True)
class Job:
    """One file to write."""

    clip: Script
    path: Path
    tag: str
    """Its comment, by which it is known again."""


def render(jobs: Sequence[Job]) -> None:
    """Write every file, each whole or not at all, with a progress bar on stderr.

    Raises:
        UserError: a file cannot be written; those that are done stay.
    """
    if not jobs:
        return
    n_frames = sum(job.clip.n_frames for job in jobs)
    with ProgressBar("rendering the synthetic demo", n_frames, "frame") as bar:
        workers = min(cores(), len(jobs))
        if workers < 2:
            for job in jobs:
                _write(job, bar.update)
        else:
            longest_first = sorted(jobs, key=lambda job: -job.clip.n_frames)
            _share_out([longest_first[i::workers] for i in range(workers)], bar)


def _write(job: Job, drawn: Callable[[int], Any]) -> None:
    write(
        job.path,
        _frames(job.clip, drawn),
        FPS,
        soundtrack(job.clip),
        RATE,
        {"comment": job.tag},
        _X264,
    )


def _frames(clip: Script, drawn: Callable[[int], Any]) -> Iterator[Picture]:
    for scene in clip.scenes:
        painter = Painter(scene)
        for number in range(scene.n_frames):
            yield painter.frame(number)
        drawn(scene.n_frames)


def _share_out(shares: Sequence[Sequence[Job]], bar: ProgressBar) -> None:
    command = [sys.executable, "-m", "llmvs.demo.world.render"]
    workers = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in shares
    ]
    said = [""] * len(workers)

    def follow(number: int) -> None:
        worker = workers[number]
        assert worker.stdout
        assert worker.stderr
        for line in worker.stdout:
            bar.update(int(line))
        said[number] = worker.stderr.read().strip()

    listeners = [
        Thread(target=follow, args=(number,), daemon=True) for number in range(len(workers))
    ]
    try:
        for worker, share in zip(workers, shares, strict=True):
            assert worker.stdin
            with worker.stdin:
                json.dump(
                    [
                        {"clip": job.clip.to_json(), "path": str(job.path), "tag": job.tag}
                        for job in share
                    ],
                    worker.stdin,
                )
        for listener in listeners:
            listener.start()
        for worker, listener in zip(workers, listeners, strict=True):
            listener.join()
            worker.wait()
    finally:
        for worker in workers:
            worker.terminate()
    for worker, words in zip(workers, said, strict=True):
        if worker.returncode:
            raise UserError(
                words.splitlines()[-1]
                if words
                else f"rendering the demo: status {worker.returncode} of a worker: run again"
            )


def main() -> int:
    """A worker: jobs as JSON on standard input; on standard output the number of frames of every
    scene that is done.
    """
    for job in json.load(sys.stdin):
        try:
            _write(
                Job(Script.from_json(job["clip"]), Path(job["path"]), job["tag"]),
                lambda count: print(count, flush=True),
            )
        except UserError as error:
            print(error, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
