"""What the program says while it works: on standard error, once, from however many processes."""

import os
import sys


def say(message: str) -> None:
    """Print a message for the user on standard error, above any progress bar; only the first
    process of a run speaks.
    """
    if not is_first_process():
        return
    if "tqdm" in sys.modules:
        from tqdm import tqdm

        tqdm.write(message, file=sys.stderr)
    else:
        print(message, file=sys.stderr, flush=True)


def is_first_process() -> bool:
    """Whether this is the only process of a run, or rank 0 (as launched by Lightning, torchrun or
    SLURM).
    """
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
