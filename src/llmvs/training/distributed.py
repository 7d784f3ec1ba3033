"""Extraction on many devices: starting the processes that share the videos, or finding a place
among them.

Lightning Fabric knows where a process stands (started from here, by torchrun or by SLURM), chooses
its device and connects the ranks. On one machine the ranks are started here and not by Lightning,
which ends all of them when one dies: here the others finish. Lightning is imported where it is
needed: a single process is not kept waiting for it.
"""

import logging
import os
import sys
from collections.abc import Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from llmvs.config.schema import Config, HardwareConfig
from llmvs.console import is_first_process
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Video
from llmvs.errors import UserError
from llmvs.extraction.distributed import Job, Meeting, RankLost, extract_together, merged, work
from llmvs.extraction.pipeline import Extraction, extract
from llmvs.extraction.ranks import Ranks
from llmvs.processes import WorkerProcess, end
from llmvs.training.launch import check_launch, slurm_tasks

if TYPE_CHECKING:
    from lightning.fabric import Fabric

logger = logging.getLogger(__name__)


def extract_shared(
    config: Config, dataset: str, sources: Sequence[Video], train: Sequence[Annotations] = ()
) -> Extraction:
    """`llmvs.extraction.pipeline.extract` on `devices` x `num_nodes` processes that share the
    videos.

    Every rank that torchrun or SLURM has started calls this and gets the whole result; otherwise
    the ranks are started here.

    Raises:
        UserError: as `extract`; or a rank died (what it had finished stays, and the others have
            finished theirs); torchrun or SLURM has started another number of ranks.
    """
    job, n_ranks = (config, dataset, sources, train), config.devices * config.num_nodes
    if not _started_here(config):
        check_launch(config.devices, config.num_nodes)
    if n_ranks == 1:
        return extract(*job)
    if not _started_here(config) and _launched():
        result = _take_part(job)
    elif config.num_nodes == 1:
        result = _start(job)
    else:
        raise UserError(
            f"num_nodes={config.num_nodes}: start the ranks with torchrun or srun on every node"
        )
    logger.info("%s", result.summary())
    return result


def _started_here(config: HardwareConfig) -> bool:
    """Whether this is a task of SLURM that has several devices for itself."""
    return "TORCHELASTIC_RUN_ID" not in os.environ and slurm_tasks() == 1 == config.num_nodes


def _launched() -> bool:
    """Whether torchrun, SLURM or the user started this process as one rank of several."""
    from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

    return (
        TorchElasticEnvironment.detect() or SLURMEnvironment.detect() or "LOCAL_RANK" in os.environ
    )


def _take_part(job: Job) -> Extraction:
    """Be one of the ranks that somebody else has started."""
    fabric = _fabric(job[0], None)
    try:
        return extract_together(job, fabric.global_rank, fabric.world_size)
    except RankLost:
        if is_first_process():
            raise
        sys.exit(2)  # the first rank says it


def _start(job: Job) -> Extraction:
    """Start a process per device and wait for all of them, also when one dies."""
    from lightning.fabric.plugins.environments.lightning import find_free_network_port

    port = find_free_network_port()
    workers = [WorkerProcess() for _ in range(job[0].devices)]
    dead: dict[int, int | None] = {}
    try:
        ranks = {worker.submit(_rank, job, rank, port): rank for rank, worker in enumerate(workers)}
        for future in as_completed(ranks):
            # A rank's connections close with its process: else the others would wait for one that
            # has failed.
            status = workers[ranks[future]].close()
            if isinstance(future.exception(), BrokenProcessPool):
                dead[ranks[future]] = status
    finally:
        end(workers)
    if dead:
        died = ", ".join(f"rank {rank} died (exit status {dead[rank]})" for rank in sorted(dead))
        raise UserError(f"{died}: run the same command again, it makes what is missing")
    return merged([future.result() for future in ranks])


def _rank(job: Job, rank: int, port: int) -> dict[str, Any]:
    """Be one started rank; what it did, as `merged` takes it."""
    os.environ.pop("SLURM_NTASKS", None)  # SLURM has started one task, and does not know this rank
    os.environ.update(LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    try:
        fabric = _fabric(job[0], "gloo")
        return work(job, Ranks(fabric.global_rank, fabric.world_size, Meeting().barrier))
    except UserError as error:
        return {"lost" if isinstance(error, RankLost) else "error": str(error)}


def _fabric(config: HardwareConfig, backend: str | None) -> "Fabric":
    """This process's place among the ranks, its device chosen and the ranks connected."""
    from lightning.fabric import Fabric
    from lightning.fabric.strategies import DDPStrategy

    from llmvs.training.loggers import silence

    silence()
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy=DDPStrategy(process_group_backend=backend),
        )
        fabric.launch()
    except (RuntimeError, ValueError, ImportError) as error:
        raise UserError(
            f"accelerator={config.accelerator} devices={config.devices}"
            f" num_nodes={config.num_nodes}: {' '.join(str(error).split())}"
        ) from error
    return fabric
