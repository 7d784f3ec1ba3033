"""Files that are either whole or absent: written beside their place, forced to disk, then renamed
over it.
"""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from llmvs.errors import UserError

DISK_ERRORS = (OSError, SafetensorError)
"""What a full or read-only disk raises; safetensors wraps the operating system's errors in its own.
"""
MARK = "-llmvs-"
"""Stands in every temporary name of this package, so that no other file is taken for one."""
TEMPORARY = re.compile(re.escape(MARK).join((r"\..+", r"[a-z0-9_]{8}(\.[^.]+)?")), re.DOTALL)


MOST_BYTES = 255
"""Of a file's name, as file systems allow them."""
RANDOM = 8
"""Letters of chance in the name of a temporary file."""


def temporary_prefix(name: str, suffix: str = "") -> str:
    """How the temporary file or folder of `name` begins, to be given to `tempfile`; of a long name
    its beginning alone stands in it.

    >>> temporary_prefix("video_1"), len(temporary_prefix("v" * 250, ".mp4"))
    ('.video_1-llmvs-', 243)
    """
    room = MOST_BYTES - RANDOM - len(os.fsencode(f".{MARK}{suffix}"))
    while len(os.fsencode(name)) > room and len(name) > 1:
        name = name[:-1]
    return f".{name}{MARK}"


def is_temporary(name: str) -> bool:
    """Whether a file or folder is called as this package calls what it has not finished.

    >>> is_temporary(".video_1-llmvs-x7_q2abc.safetensors"), is_temporary(".ssh")
    (True, False)
    """
    return TEMPORARY.fullmatch(name) is not None


UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's control characters, halves of characters (bytes that are no UTF-8), breaks of lines."""
LONGEST_NAME = 200
"""Bytes that a name may have: file systems allow 255, which suffixes and temporary names share."""


def check_name(name: str, place: str, cure: str, error: type[UserError] = UserError) -> None:
    """Refuse a name that cannot safely be a file's: it may stand in a file that was downloaded.

    Spaces, `=`, `:` and letters of any script are fine.

    Args:
        name: of a video or a data set, to which only a suffix is put.
        place: where it stands, to begin the line with.
        cure: what to do about it, to end the line with.
        error: the kind of error.

    Raises:
        UserError: empty, beginning with a dot, too long, or with slashes or control characters.
    """
    if problem := _problem(name):
        raise error(f"{place}: the name {shown(name)} {problem}: {cure}")


def is_name(name: str) -> bool:
    """Whether `check_name` lets a name pass.

    >>> is_name("A day: one=1"), is_name("../x"), is_name(".x"), is_name("a/b")
    (True, False, False, False)
    """
    return _problem(name) is None


def shown(text: str, most: int = 60) -> str:
    """A text as it can stand in a line: quoted, escaped and shortened.

    >>> shown("a" * 10, most=4)
    "'aaaa'..."
    """
    return repr(text) if len(text) <= most else f"{text[:most]!r}..."


def printable(path: Path) -> str:
    """A path as it can stand in a line: itself, or quoted and escaped where it would break it."""
    return str(path) if str(path).isprintable() else repr(str(path))


def shown_name(path: Path | str) -> str:
    r"""A file's name, or a path, as it can stand in a text or a file: bytes that are no UTF-8,
    which Python keeps as halves of characters, become the sign for what cannot be read.

    >>> shown_name("caf\udce9.mp4")
    'caf\ufffd.mp4'
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", str(path))


def is_there(argument: str) -> bool:
    """Whether an argument is the name of a file or folder; a text too long for one is not."""
    try:
        return Path(argument).exists()
    except (OSError, ValueError):
        return False


def composed(name: str) -> str:
    r"""A name by which it can be compared: macOS writes an accent behind its letter, others as one
    character with it.

    >>> composed("di\u0301a") == "d\xeda"
    True
    """
    return unicodedata.normalize("NFC", name)


def _problem(name: str) -> str | None:
    """Why a name cannot be a file's; None where it can."""
    if not name:
        return "is empty"
    if name.startswith("."):
        return "begins with a dot"
    if "/" in name or "\\" in name:
        return "holds a slash"
    if any(unicodedata.category(letter) in UNPRINTABLE for letter in name):
        return "holds characters that cannot be printed"
    if len(name.encode()) > LONGEST_NAME:
        return f"has {len(name.encode())} bytes, more than {LONGEST_NAME}"
    return None


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path in `path`'s folder; when the block ends well it takes `path`'s place,
    else it is removed.

    A reader sees the old file or the new one, never a part. The temporary name starts with a dot
    and ends in `path`'s own suffix, because encoders choose their format by it.

    Raises:
        UserError: the folder cannot be written (read-only, full, not a folder).
    """
    name = f"{temporary_prefix(path.stem, path.suffix)}{secrets.token_hex(RANDOM // 2)}"
    temporary = path.parent / f"{name}{path.suffix}"
    try:  # from before it is there: a signal may come at any moment
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except DISK_ERRORS as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):  # where its folder is none, there was nothing to remove
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


@contextmanager
def removed_if_refused(folder: Path, top: Path) -> Iterator[None]:
    """Leave nothing behind where the block is refused before it has computed anything.

    Args:
        folder: where the block writes, and which no other process writes to (see `locked`). After a
            `UserError` it is removed, where the block began it and left no weights or checkpoint.
        top: a folder above it; those up to this one are removed too where nothing is in them.
    """
    fresh = folder.is_dir() and {path.name for path in folder.iterdir()} <= {".lock"}
    try:
        yield
    except UserError:
        computed = [*folder.rglob("*.ckpt"), *folder.rglob("*.safetensors")]
        if fresh and not computed:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # not empty: other runs are in it
                for above in folder.parents:
                    above.rmdir()
                    if above == top:
                        break
        raise


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
    """Indented, strictly valid JSON text: numpy numbers become plain, NaN and infinities null, and
    halves of characters, such as in paths that are not UTF-8, escapes.
    """
    text = json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode()


def regular(path: Path) -> Path:
    """Give back the path of a file that can be read from its beginning to its end: opening a pipe
    would wait for somebody who writes into it.

    Raises:
        OSError: a pipe or a device; or missing.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a folder is refused by whoever opens it
        raise OSError(errno.ESPIPE, "a pipe or a device, not a file", str(path))
    return path


def sha256(path: Path) -> str:
    """The checksum of a whole file, of any size."""
    digest = hashlib.sha256()
    with regular(path).open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        what: what the file should be, for an error.

    Raises:
        UserError: missing, unreadable, not JSON, or a key that stands twice.
    """
    try:
        content = regular(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file (expected {what})") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not readable as {what}: {error}") from error
    return parse_json(content, str(path), what)


def parse_json(content: bytes | str, place: str, what: str) -> Any:
    """Read JSON text; whole numbers that no 64 bits hold become floating-point ones (or infinite).

    Args:
        content: the text.
        place: where it stands, for an error.
        what: what it should be, for an error.

    Raises:
        UserError: not UTF-8, not JSON, nested too deeply, or a key that stands twice.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_without_twins, parse_int=_whole)
    except RecursionError:
        raise UserError(f"{place}: not readable as {what}: nested too deeply") from None
    except ValueError as error:
        raise UserError(f"{place}: not readable as {what}: {error}") from error


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys differ: of twins the last would win, and nobody would know."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twin = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twin[:80]!r} stands twice")
    return found


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < 20 else float(digits)


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
