"""What it costs to start: commands that need no torch, and processes for runs side by side.

    python benchmarks/start.py [--rounds 3]

A command's seconds are those of a fresh process, the least of the rounds. A process for runs is
started as `crossval`, `ablate` and `sweep` start it (on Linux forked from a server that has
imported the libraries) and as a fresh interpreter; its memory is what it has for itself.
"""

import argparse
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from figures import add_json, save

from llmvs.experiments.side_by_side import LIBRARIES
from llmvs.processes import START, prepare

COMMANDS = (["--version"], ["--help"], ["config", "demo"], ["cache", "list"], ["import torch"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    add_json(parser)
    given = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    for command in COMMANDS:
        name = " ".join(command)
        seconds = min(command_seconds(command) for _ in range(given.rounds))
        figures[name] = {"seconds": seconds}
        print(f"{name:34}{seconds:8.2f} s")
    for way in dict.fromkeys((START, "spawn")):
        if way == "forkserver":
            begun = time.perf_counter()
            prepare(LIBRARIES)
            process_cost(way)  # waits for the server's imports
            figures["server"] = {"seconds": time.perf_counter() - begun}
            print(f"{'the server and its first process':34}{figures['server']['seconds']:8.2f} s")
        rows = [process_cost(way) for _ in range(given.rounds)]
        row = {field: min(row[field] for row in rows) for field in rows[0]}
        figures[f"a process by {way}"] = row
        print(
            f"{f'a process by {way}':34}{row['seconds']:8.2f} s, {row['processor']:.2f} s of a"
            f" processor, {row['mb']:.0f} MB of its own"
        )
    save(given.json, figures)


def command_seconds(command: list[str]) -> float:
    """Seconds of a fresh process of `llmvs`, or of a line of Python."""
    module = ["-c", *command] if command[0].startswith("import") else ["-m", "llmvs", *command]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cache").mkdir()  # there is nothing to list in it
        begun = time.perf_counter()
        subprocess.run([sys.executable, *module], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        return time.perf_counter() - begun


def process_cost(way: str) -> dict[str, float]:
    """What a process costs until the libraries of a run are imported in it."""
    context = multiprocessing.get_context(way)
    here, there = context.Pipe()
    begun = time.perf_counter()
    process = context.Process(target=import_and_tell, args=(there,))
    process.start()
    processor, mb = here.recv()
    seconds = time.perf_counter() - begun
    process.join()
    return {"seconds": seconds, "processor": processor, "mb": mb}


def import_and_tell(end: Connection) -> None:
    """In the process: import what a run needs, and say what it cost."""
    for library in LIBRARIES:
        __import__(library)
    used = resource.getrusage(resource.RUSAGE_SELF)
    end.send((used.ru_utime + used.ru_stime, own_memory()))


def own_memory() -> float:
    """MB that this process shares with no other."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("Private_"))


if __name__ == "__main__":
    main()
