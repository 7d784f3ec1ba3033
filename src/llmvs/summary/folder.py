"""A new folder that is whole or not there at all, and what it may replace."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmvs.errors import UserError
from llmvs.files import is_temporary, printable, temporary_prefix, unwritable

MARK = "summary.json"
"""The file by which an earlier summary is known."""


def check_new(folder: Path, force: bool) -> None:
    """Refuse a folder that exists, before anything is computed; with `force` only one that holds no
    earlier summary.

    Raises:
        UserError: the folder stays as it is.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    name = printable(folder)
    if not folder.is_dir() or folder.is_symlink():
        raise UserError(f"{name}: exists and is not a folder: name another one with -o")
    if not (folder / MARK).is_file() and any(folder.iterdir()):
        raise UserError(
            f"{name}: exists and holds no earlier summary, so it is not replaced: name another"
            " folder with -o"
        )
    if not force:
        raise UserError(f"{name}: exists: name another folder with -o, or replace it with --force")


@contextmanager
def whole_folder(folder: Path, force: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside `folder`; when the block ends well it takes its place, else it
    is removed.

    Raises:
        UserError: `folder` exists (see `check_new`), or cannot be written.
    """
    check_new(folder, force)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        prefix = temporary_prefix(folder.name)
        new = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield new
        new.chmod(0o777 & ~_mask(folder.parent))
        _replace(folder, new, force)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        if is_temporary(new.name):
            shutil.rmtree(new, ignore_errors=True)


def _mask(beside: Path) -> int:
    """The rights that a new folder does not get here."""
    with tempfile.TemporaryDirectory(dir=beside) as probe:
        inner = Path(probe) / "a"
        inner.mkdir()
        return 0o777 & ~inner.stat().st_mode


def _replace(folder: Path, new: Path, force: bool) -> None:
    """Put a finished folder in its place; an earlier one goes only when the new one stands."""
    check_new(folder, force)
    if not folder.exists():
        new.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=temporary_prefix(folder.name), dir=folder.parent))
    folder.rename(old)  # over the empty one
    try:
        new.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
