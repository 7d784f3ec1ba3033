"""Extraction on many devices: starting the processes that share the videos, or finding a place
among them.

Lightning Fabric knows where a process stands (started from here, by torchrun or by SLURM), chooses
its device and connects the ranks. On one machine the ranks are started here and not by Lightning,
which ends all of them when one dies: here the others finish. Lightning is imported where it is
needed: a single process is not kept waiting for it.
"""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from llmvs.config.schema import Config, HardwareConfig
from llmvs.console import is_first_process, say
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Video
from llmvs.errors import UserError
from llmvs.extraction.distributed import Job, Meeting, RankLost, extract_together, merged, work
from llmvs.extraction.pipeline import Extraction, extract
from llmvs.extraction.ranks import Ranks
from llmvs.processes import START, end_with_parent

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def extract_shared(
    config: Config, dataset: str, sources: Sequence[Video], train: Sequence[Annotations] = ()
) -> Extraction:
    """`llmvs.extraction.pipeline.extract` on `devices` x `num_nodes` processes that share the
    videos.

    Every rank that torchrun or SLURM has started calls this and gets the whole result; otherwise
    the ranks are started here.

    Raises:
        UserError: as `extract`; or a rank died (what it had finished stays, and the others have
            finished theirs).
    """
    job, n_ranks = (config, dataset, sources, train), config.devices * config.num_nodes
    if "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ["WORLD_SIZE"]) != n_ranks:
        raise UserError(
            f"devices={config.devices} num_nodes={config.num_nodes}: torchrun has started"
            f" {os.environ['WORLD_SIZE']} ranks: give as many devices as --nproc-per-node, and as"
            " many num_nodes as --nnodes"
        )
    if n_ranks == 1:
        return extract(*job)
    if _launched():
        result = _take_part(job)
    elif config.num_nodes == 1:
        result = _start(job)
    else:
        raise UserError(
            f"num_nodes={config.num_nodes}: start the ranks with torchrun or srun on every node"
        )
    say(result.summary())
    return result


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

    context, port = multiprocessing.get_context(START), find_free_network_port()
    ears, processes = [], []
    try:
        for rank in range(job[0].devices):
            ear, mouth = context.Pipe(duplex=False)
            process = context.Process(target=_rank, args=(job, rank, port, mouth))  # type: ignore[attr-defined]
            process.start()
            mouth.close()  # the rank holds the only other one, so that its death is noticed
            ears.append(ear)
            processes.append(process)
        records = [_listen(ear) for ear in ears]
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.join(timeout=5)  # after Ctrl-C they end by themselves
            process.terminate()
            process.join()
    dead = [
        f"rank {rank} died (exit status {process.exitcode})"
        for rank, process in enumerate(processes)
        if records[rank] is None
    ]
    if dead:
        raise UserError(f"{', '.join(dead)}: run the same command again, it makes what is missing")
    return merged([record for record in records if record is not None])


def _listen(ear: Connection) -> dict[str, Any] | None:
    """The record that a rank sends at its end; None when it died before."""
    try:
        record: dict[str, Any] = ear.recv()
        return record
    except EOFError:
        return None


def _rank(job: Job, rank: int, port: int, mouth: Connection) -> None:
    """One started process."""
    end_with_parent()
    os.environ.update(LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    try:
        fabric = _fabric(job[0], "gloo")
        mouth.send(work(job, Ranks(fabric.global_rank, fabric.world_size, Meeting().barrier)))
    except UserError as error:
        mouth.send({"lost" if isinstance(error, RankLost) else "error": str(error)})
    except KeyboardInterrupt:  # Ctrl-C reaches all processes, and the one that started them says so
        sys.exit(130)


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
