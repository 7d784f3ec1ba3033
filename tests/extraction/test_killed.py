"""kill -9 at random moments: what is there is always whole, and the finished cache is the
uninterrupted one, bit for bit.
"""

import multiprocessing
import os
import random
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from llmvs.config.schema import Config

KILLS = 24


def work(settings: Config, paths: list[Path]) -> None:
    """One run in a process of its own."""
    import torch

    from llmvs.extraction.pipeline import Video, extract

    torch.set_num_threads(1)
    with open(os.devnull, "w") as silent:
        os.dup2(silent.fileno(), 2)
    extract(settings, "mine", [Video.file(path) for path in paths]).check()


def contents(cache: Path) -> dict[str, bytes]:
    """The finished files of a cache; what a killed writer left begins with a dot."""
    return {
        str(path.relative_to(cache)): path.read_bytes()
        for path in (cache / "mine").rglob("[!.]*")
        if path.is_file()
    }


@pytest.mark.slow
def test_killed_at_random_moments(settings: Config, film) -> None:
    paths = [film(f"{name}.mp4", seconds=5, seed=i) for i, name in enumerate("abcd")]
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(
        [
            "llmvs.extraction.pipeline",
            "llmvs.extraction.models",
            "llmvs.extraction.scorer",
            "llmvs.extraction.captioner",
            "transformers.models.llava.modeling_llava",
        ]
    )
    cache = Path(settings.cache)
    whole = replace(settings, cache=str(cache / "whole"))
    shutil.copytree(cache / "backbones", cache / "whole" / "backbones", dirs_exist_ok=True)

    def start(config: Config) -> "multiprocessing.process.BaseProcess":
        process = server.Process(target=work, args=(config, paths))
        process.start()
        return process

    for _ in range(2):  # the first run also warms the server and builds the models
        shutil.rmtree(cache / "whole" / "mine", ignore_errors=True)
        began = time.monotonic()
        process = start(whole)
        process.join()
        duration = time.monotonic() - began
        assert process.exitcode == 0
    expected = contents(cache / "whole")
    assert len(expected) == 14  # four videos of three files, two fingerprints
    rng = random.Random(0)
    killed, moments = 0, set()
    while killed < KILLS or (len(moments) <= 3 and killed < 4 * KILLS):
        process = start(settings)
        process.join(rng.uniform(0.2, 1) * duration)
        process.kill()  # nothing, where it has come to its end meanwhile
        process.join()
        if process.exitcode == -signal.SIGKILL:
            killed += 1
        else:
            assert process.exitcode == 0
            assert contents(cache) == expected
            shutil.rmtree(cache / "mine")
        found = contents(cache) if (cache / "mine").exists() else {}
        assert found.items() <= expected.items()
        moments.add(len(found))
    assert len(moments) > 3  # killed early, late and in between
    process = start(settings)
    process.join()
    assert process.exitcode == 0
    assert contents(cache) == expected
