"""Memory that does not suffice, however a library says so: one line with what to make smaller."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmvs.errors import UserError

SAID = re.compile(
    r"can't allocate memory|cannot allocate memory|not enough memory|out of memory|bad_alloc"
    r"|insufficient memory|ALLOC_FAILED|OutOfMemoryError|\bMemoryError",
    re.IGNORECASE,
)
"""How torch (on a CPU and on GPUs), OpenCV and the C++ library name it."""


def exhausted(error: BaseException) -> bool:
    """Tell whether an error is want of memory; torch has no class for it on a CPU."""
    if isinstance(error, UserError):
        return False
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, MemoryError) or (
        isinstance(error, Exception) and SAID.search(str(error)) is not None
    )


@contextmanager
def enough_memory(what: str, cure: str) -> Iterator[None]:
    """Turn want of memory in the block into one line.

    Args:
        what: is being done, to begin the line with.
        cure: the settings to make smaller.

    Raises:
        UserError: the memory does not suffice.
    """
    try:
        yield
    except Exception as error:
        if not exhausted(error):
            raise
        raise UserError(f"{what}: out of memory: {cure}") from error


def available() -> int | None:
    """Bytes that can be taken now without swapping, as this process's control group allows; None
    where the system does not say.
    """
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    free = int(found[1]) * 1024 if found else None
    try:
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        rest = limit - int((group / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no control group, or "max"
        return free
    return rest if free is None else min(rest, free)
