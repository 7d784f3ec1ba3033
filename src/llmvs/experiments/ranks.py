"""Extraction on many devices: whose process does what, and what they did together.

Lightning Fabric reads where a process stands (started from here, by torchrun or by SLURM), sets its device and lets the
ranks meet. On one machine the ranks are started here and not by Lightning, which ends all of them when one dies: here
the others finish, and the same command makes up for the dead one. Each rank leaves a record; no result travels.
Lightning is imported where it is needed: a single process is not kept waiting for it.
"""

import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmvs.config import Config, HardwareConfig
from llmvs.console import say
from llmvs.datasets.base import Video
from llmvs.errors import UserError
from llmvs.extraction.pipeline import Extraction, extract, merged
from llmvs.extraction.ranks import Ranks, meeting_place
from llmvs.extraction.source import Source
from llmvs.files import read_json, write_json

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Job = tuple[Config, str, Sequence[Source], Sequence[Video]]
"""The arguments of `extract`."""


def extract_shared(config: Config, dataset: str, sources: Sequence[Source], train: Sequence[Video] = ()) -> Extraction:
    """`llmvs.extraction.pipeline.extract` on `devices` x `num_nodes` processes that share the videos.

    Every rank that torchrun or SLURM has started calls this and gets the whole result; otherwise the ranks are started here.

    Raises:
        UserError: as `extract`; or a rank died (what it had finished stays, and the others have finished theirs).
    """
    job = config, dataset, sources, train
    if config.devices * config.num_nodes == 1:
        return extract(*job)
    if launched():
        return _take_part(job)
    if config.num_nodes > 1:
        raise UserError(f"num_nodes={config.num_nodes}: start the ranks with torchrun or srun on every node")
    return _start(job)


def launched() -> bool:
    """Whether torchrun, SLURM or the user started this process as one rank of several."""
    from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

    return TorchElasticEnvironment.detect() or SLURMEnvironment.detect() or "LOCAL_RANK" in os.environ


def _take_part(job: Job) -> Extraction:
    """Be one of the ranks that somebody else has started."""
    fabric = _fabric(job[0], None)
    barrier = meeting_place()
    folder = Path(fabric.broadcast(_records(job) if fabric.global_rank == 0 else ""))
    _work(job, Ranks(fabric.global_rank, fabric.world_size, barrier), folder)
    say("waiting for the other ranks")
    barrier()
    result = _gather(folder, range(fabric.world_size), {})
    barrier()
    if fabric.global_rank == 0:
        shutil.rmtree(folder, ignore_errors=True)
        say(result.summary())
    return result


def _start(job: Job) -> Extraction:
    """Start a process per device and wait for all of them, also when one dies."""
    from lightning.fabric.plugins.environments.lightning import find_free_network_port

    config, folder = job[0], Path(_records(job))
    port, context = find_free_network_port(), multiprocessing.get_context("spawn")
    processes = [context.Process(target=_rank, args=(job, rank, port, folder), name=f"rank {rank}") for rank in range(config.devices)]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        result = _gather(folder, range(config.devices), {rank: process.exitcode for rank, process in enumerate(processes)})
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
                process.join()
        shutil.rmtree(folder, ignore_errors=True)
    say(result.summary())
    return result


def _rank(job: Job, rank: int, port: int, folder: Path) -> None:
    """One started process."""
    _end_with_parent()
    os.environ.update(LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    try:
        fabric = _fabric(job[0], "gloo")
        _work(job, Ranks(fabric.global_rank, fabric.world_size, meeting_place()), folder)
    except KeyboardInterrupt:  # Ctrl-C goes to all processes, and the first one says so
        sys.exit(130)


def _work(job: Job, ranks: Ranks, folder: Path) -> None:
    """Do this rank's share and leave a record of it."""
    try:
        record = extract(*job, ranks).record()
    except UserError as error:
        record = {"error": str(error)}
    write_json(folder / f"{ranks.rank}.json", record)


def _gather(folder: Path, ranks: Sequence[int], exits: Mapping[int, int | None]) -> Extraction:
    """The result of all ranks."""
    paths = {rank: folder / f"{rank}.json" for rank in ranks}
    records: dict[int, dict[str, Any]] = {rank: read_json(path, "a rank's record") for rank, path in paths.items() if path.exists()}
    errors = [record["error"] for record in records.values() if "error" in record]
    dead = [rank for rank in ranks if rank not in records]
    if dead:
        named = ", ".join(f"{rank} (exit status {exits.get(rank, 'unknown')})" for rank in dead)
        done = sum(len(record.get("scored", ())) for record in records.values())
        raise UserError(f"rank {named} died; the others have made {done} embeddings: run the same command again, it makes what is missing")
    if errors:
        raise UserError(errors[0])
    return merged([records[rank] for rank in ranks])


def _records(job: Job) -> str:
    """A new folder in the cache for the ranks' records."""
    place = Path(job[0].cache) / job[1]
    try:
        place.mkdir(parents=True, exist_ok=True)
        return tempfile.mkdtemp(prefix=".ranks-", dir=place)
    except OSError as error:
        raise UserError(f"{place}: cannot be written ({error.strerror}): choose another `cache` folder") from error


def _fabric(config: HardwareConfig, backend: str | None) -> "Fabric":
    """This process's place among the ranks, its device set and the ranks connected."""
    from lightning.fabric import Fabric
    from lightning.fabric.strategies import DDPStrategy

    from llmvs.experiments.logs import silence

    silence()
    try:
        fabric = Fabric(accelerator=config.accelerator, devices=config.devices, num_nodes=config.num_nodes,
                        strategy=DDPStrategy(process_group_backend=backend))
        fabric.launch()
    except (RuntimeError, ValueError, ImportError) as error:
        raise UserError(f"accelerator={config.accelerator} devices={config.devices} num_nodes={config.num_nodes}: "
                        f"{' '.join(str(error).split())}") from error
    return fabric


def _end_with_parent() -> None:
    """End this process when the one that started it is killed: nobody would wait for it any more."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
