"""`python -m llmvs.backbones.recipe FOLDER`: teach both models and write them to FOLDER, each when it is done.

On CPUs the two are taught side by side, one process and half of the cores each. A model that is in FOLDER already is
not taught again.
"""

import argparse
import multiprocessing
import os
import sys
from pathlib import Path

import torch

from llmvs.backbones.recipe.teach import MODELS


def main(arguments: list[str]) -> int:
    """Teach what is missing."""
    parser = argparse.ArgumentParser(prog="python -m llmvs.backbones.recipe", description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="how much of the training to do (tests: far below 1)")
    given = parser.parse_args(arguments)
    missing = [name for name in MODELS if not (given.folder / name).is_dir()]
    if torch.cuda.is_available() or (os.cpu_count() or 1) == 1:
        for name in missing:
            MODELS[name](given.folder / name, given.share, os.cpu_count() or 1)
        return 0
    spawn = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // max(1, len(missing)))
    jobs = [spawn.Process(target=MODELS[name], args=(given.folder / name, given.share, threads)) for name in missing]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    return max([abs(job.exitcode or 0) for job in jobs], default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
