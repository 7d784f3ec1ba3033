"""Files that are either whole or absent: written beside their place, forced to disk, then renamed
over it.
"""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from llmvs.errors import UserError

DISK_ERRORS = (OSError, SafetensorError)
"""What a full or read-only disk raises; safetensors wraps the operating system's errors in its own.
"""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path in `path`'s folder; when the block ends well it takes `path`'s place,
    else it is removed.

    A reader sees the old file or the new one, never a part. The temporary name starts with a dot
    and ends in `path`'s own suffix, because encoders choose their format by it.

    Raises:
        UserError: the folder cannot be written (read-only, full, not a folder).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
    except OSError as error:
        raise unwritable(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except DISK_ERRORS as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def unwritable(path: Path, error: Exception) -> UserError:
    """What a user is told when `error`, one of `DISK_ERRORS`, keeps `path` from being written."""
    reason = getattr(error, "strerror", None) or error
    return UserError(
        f"{path}: cannot be written ({reason}): choose another folder or free some space"
    )


@contextmanager
def locked(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock file `path` while the block runs. The system lets go of it when the process
    dies, however it dies.

    Raises:
        UserError: another process holds it (`refusal` says so), or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _lock(path)
    except OSError as error:
        raise unwritable(path, error) from error
    if handle is None:
        raise UserError(refusal)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _lock(path: Path) -> int | None:
    """An open, locked file; None where another process has it. Where the file system knows no
    locks, it is open only.
    """
    import fcntl

    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                os.close(handle)
                return None
        if (
            os.fstat(handle).st_nlink
        ):  # else its last holder has removed it since it was opened: a lock that nobody sees
            return handle
        os.close(handle)


def _umask() -> int:
    """The process's umask (there is no way to read it but to set it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, indented. NaN becomes null: JSON has no NaN."""
    write_text(path, dumps(value) + "\n")


def dumps(value: Any) -> str:
    """Indented, strictly valid JSON text: numpy numbers become plain, NaN and infinities null."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file; `what` says in an error what the file should be.

    Raises:
        UserError: missing, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file (expected {what})") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not readable as {what}: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy and torch numbers and arrays
        return _plain(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, Path):
        return str(value)
    return value
