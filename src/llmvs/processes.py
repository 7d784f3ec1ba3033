"""Processes that this one starts: how, how many the machine has room for, and what becomes of them
when it is killed.
"""

import multiprocessing
import os
import threading
from multiprocessing.connection import wait

START = "spawn"
"""How processes are started: forked ones could not use a GPU that this process has used, and may
hang where it has threads.
"""


def cores() -> int:
    """How many cores this process may use: fewer than there are under `taskset`, SLURM or in a
    container with a CPU set.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent() -> None:
    """End this process when the one that started it is killed: nobody would wait for it then."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
