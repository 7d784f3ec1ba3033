"""How many runs this machine trains side by side (`workers`).

A small head gains nothing from a second thread, so on a CPU its runs go beside each other, one core
each, and a run's result is the same as alone, to the bit. A large head uses all cores by itself.

On a GPU a training mostly waits for the CPU to start the next kernel, so several share one, as far
as its memory bears. By how much that is faster is not measured on a GPU.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmvs import processes
from llmvs.config.schema import AUTO, Config, HardwareConfig
from llmvs.config.settings import reads_features
from llmvs.config.training import SMALL_HEAD
from llmvs.datasets import Dataset
from llmvs.errors import UserError
from llmvs.experiments.opening import fold_of
from llmvs.memory import available
from llmvs.methods import method_of
from llmvs.processes import cores

if TYPE_CHECKING:
    from llmvs.experiments.resources import Resources

WORTH_A_PROCESS = 150_000
"""Steps times epochs of training: some 10 s, in which a process has started and earned it back."""
BASE = 900_000_000
"""Bytes of a process that has imported what a training needs."""
GPU_BASE = 1_500_000_000
"""Bytes of a GPU that a process takes before it computes: CUDA's context, kernels, work space."""
ON_A_GPU = {True: 4, False: 2}
"""Whether a head is small -> most runs that share a GPU."""
LIBRARIES = (
    "llmvs.experiments.workers",
    "llmvs.methods.head",
    "llmvs.methods.beside",
    "llmvs.experiments.result",
    "llmvs.training.loggers",
)
"""What a training imports; some five seconds."""


def begin_imports(runs: Sequence[Config], dataset: Dataset) -> None:
    """Where runs will be trained side by side, let their libraries be imported beside what this
    process does until then.

    Args:
        runs: those that are left to do.
        dataset: of all of them.
    """
    first = runs[0]
    if first.launcher == "local" and (
        min(len(runs), int(first.workers)) > 1
        if first.workers != AUTO
        else all(_is_small_head(run) for run in runs) and _pays_for(runs, dataset) > 1
    ):
        processes.prepare(LIBRARIES)


def n_workers(runs: Sequence[Config], resources: "Resources") -> int:
    """Say how many of some runs to train side by side.

    Args:
        runs: those that are left to do, which read the same embeddings; these are made by now.
        resources: what they share.

    Raises:
        UserError: more are asked for than the memory bears, or than there are GPUs.
    """
    first = runs[0]
    most = _memory_bears(first, resources)
    if first.workers != AUTO:
        asked = int(first.workers)
        if most is not None and asked > max(most, 1):
            raise UserError(
                f"workers={asked}: each needs some {_needs(first, resources) / 1e9:.1f} GB, and"
                f" {(available() or 0) / 1e9:.1f} GB are free: give workers={max(most, 1)}"
            )
        return min(asked, len(runs))
    if first.devices > 1:
        return _one_per_device(first, min(first.devices, len(runs)))
    if not all(method_of(run.method).weights == "head" for run in runs):
        return 1
    if (gpus := gpus_of(first)) > 0:
        shared = gpus * min(_gpu_bears(run, resources) for run in runs)
        beside = min(shared, _pays_for(runs, resources.dataset), shared if most is None else most)
        return min(max(gpus, beside), len(runs))
    if not all(_is_small_head(run) for run in runs):
        return 1
    found = _pays_for(runs, resources.dataset)
    return max(found if most is None else min(found, most), 1)


def _one_per_device(run: Config, wanted: int) -> int:
    there = gpus_of(run)
    if 0 < there < wanted:
        raise UserError(
            f"devices={run.devices}: this machine has {there} GPUs: give devices={there}, workers=N"
            " (which share them), or accelerator=cpu"
        )
    return wanted


def _gpu_bears(run: Config, resources: "Resources") -> int:
    """How many of such runs share a GPU; a run alone may need more than is free."""
    most = ON_A_GPU[run.head.dim <= SMALL_HEAD]
    return max(1, min(most, free_on_gpus() // _needs_of_gpu(run, resources)))


def _needs_of_gpu(run: Config, resources: "Resources") -> int:
    """Bytes of a GPU that a training takes, on the safe side: parameters, gradients and AdamW's two
    moments in fp32, a copy of the best weights, one of the last good ones; the embeddings that are
    held; what a batch of the longest videos keeps for its backward pass.
    """
    head, n_steps = run.head, [resources.dataset.annotations_of(k).n_steps for k in resources.keys]
    held = _held(run, resources)
    # q and a in 16 bit: 4 bytes for every step and dimension.
    width = held // (4 * sum(n_steps)) if held else head.dim
    layer = 4 * head.dim**2 + 2 * head.dim * head.feedforward
    weights = head.dim * width + head.layers * layer + head.dim**2
    kept = 3 * width + head.layers * (16 * head.dim + 3 * head.feedforward)  # numbers a step
    batch = sum(sorted(n_steps)[-run.optim.batch_videos :])
    return GPU_BASE + 4 * 6 * weights + held + 4 * kept * batch


def free_on_gpus() -> int:
    """Bytes that are free on the GPU with the least."""
    import torch

    return min(int(torch.cuda.mem_get_info(place)[0]) for place in range(torch.cuda.device_count()))


def _is_small_head(run: Config) -> bool:
    return method_of(run.method).weights == "head" and run.head.dim <= SMALL_HEAD


def _pays_for(runs: Sequence[Config], dataset: Dataset) -> int:
    """How many processes some trainings earn, of those that have a core each."""
    earned = sum(_work(run, dataset) for run in runs) // WORTH_A_PROCESS
    return min(cores(), len(runs), earned)


def _work(run: Config, dataset: Dataset) -> int:
    """Steps times epochs of a run's training."""
    train = fold_of(run, dataset).train
    return run.optim.epochs * sum(dataset.annotations_of(key).n_steps for key in train)


def _memory_bears(run: Config, resources: "Resources") -> int | None:
    free = available()
    return None if free is None else free // _needs(run, resources)


def _needs(run: Config, resources: "Resources") -> int:
    """Bytes of a process that trains: it holds q and a, and what the head reads of them in fp32."""
    return BASE + 2 * _held(run, resources)


def _held(run: Config, resources: "Resources") -> int:
    """Bytes of the embeddings that a run reads; 0 where it reads none."""
    if not method_of(run.method).reads_embeddings or reads_features(run):
        return 0
    cache = resources.embeddings(run, resources.fold(run))
    return sum(_size(cache.path(key)) for key in resources.keys)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0


def gpus_of(run: HardwareConfig) -> int:
    """How many GPUs a run may be trained on; 0: on the CPU."""
    if run.accelerator == "cpu":
        return 0
    import torch

    return torch.cuda.device_count()
