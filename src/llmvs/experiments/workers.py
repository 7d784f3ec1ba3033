"""Processes that take runs from a list, one device each. One that dies or fails ends the others;
their checkpoints stay.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from llmvs.config.load import run_folder
from llmvs.config.schema import Config, HardwareConfig
from llmvs.errors import UserError
from llmvs.experiments.resources import Resources
from llmvs.experiments.run import train
from llmvs.processes import START, cores, end_with_parent

if TYPE_CHECKING:
    from llmvs.experiments.many import Overall

Numbered = tuple[int, Config]


def share_out(
    bench: Resources, runs: Sequence[Numbered], devices: int, overall: "Overall"
) -> Iterator[tuple[Config, dict[str, Any]]]:
    """Every run with its result, as they finish.

    Raises:
        UserError: the first mistake of a run, with its folder; a process died; fewer GPUs than
            devices.
    """
    _check_gpus(runs[0][1], devices)
    context = multiprocessing.get_context(START)
    waiting, busy = list(reversed(runs)), dict[Any, Numbered]()
    ears, processes = [], []
    try:
        for place in range(devices):
            ear, mouth = context.Pipe()
            process = context.Process(target=_work, args=(bench, place, devices, mouth))  # type: ignore[attr-defined]
            process.start()
            mouth.close()  # the process holds the only other one, so that its death is noticed
            ears.append(ear)
            processes.append(process)
        for ear in ears:
            _give(ear, waiting, busy)
        while busy:
            for heard in wait(list(busy)):
                index, run = busy[heard]
                document = _hear(heard, index, run, overall)
                if document is None:
                    continue
                del busy[heard]
                if waiting:
                    _give(heard, waiting, busy)
                yield run, document
        for ear in ears:
            ear.send(None)
    finally:
        for process in processes:
            process.join(timeout=5)  # after Ctrl-C they end by themselves
            process.terminate()
            process.join()


def _give(ear: Any, waiting: list[Numbered], busy: dict[Any, Numbered]) -> None:
    """Send the next run to the process behind `ear`."""
    busy[ear] = waiting.pop()
    ear.send(busy[ear][1])


def _hear(ear: Any, index: int, run: Config, overall: "Overall") -> dict[str, Any] | None:
    """One message of a process: the result of its run; None where it only tells how far it is."""
    try:
        kind, value = ear.recv()
    except EOFError:
        raise UserError(
            f"{run_folder(run)}: the process of this run died (out of memory?): run the same"
            " command again, it goes on from its checkpoint"
        ) from None
    if kind == "error":
        raise UserError(value if str(run_folder(run)) in value else f"{run_folder(run)}: {value}")
    if kind == "share":
        overall.reach(index, value)
        return None
    overall.done(index)
    document: dict[str, Any] = value
    return document


def _work(bench: Resources, place: int, devices: int, mouth: Connection) -> None:
    """One process: do the runs that are sent, until there are no more."""
    end_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    os.environ["CUDA_VISIBLE_DEVICES"] = (
        visible[place] if len(visible) > place and visible[0] else str(place)
    )
    import torch

    torch.set_num_threads(max(1, cores() // devices))
    try:
        while (run := mouth.recv()) is not None:
            mouth.send(("done", train(run, bench, lambda share: mouth.send(("share", share)))[0]))
    except UserError as error:
        mouth.send(("error", str(error)))
    except (KeyboardInterrupt, BrokenPipeError, EOFError):  # whoever started this process says so
        os._exit(130)


def _check_gpus(config: HardwareConfig, devices: int) -> None:
    import torch

    there = torch.cuda.device_count() if config.accelerator != "cpu" else 0
    if 0 < there < devices:
        raise UserError(
            f"devices={devices}: this machine has {there} GPUs: give devices={there}, or"
            " accelerator=cpu"
        )
