"""A new folder that is whole or not there at all, and what it may replace."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmvs.errors import UserError
from llmvs.files import printable, temporary_prefix, unwritable

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
        beside = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        new = beside / "new"
        new.mkdir()  # with the rights that folders get here; the temporary one is ours alone
        yield new
        check_new(folder, force)
        _replace(folder, new, beside / "old")
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _replace(folder: Path, new: Path, old: Path) -> None:
    """Put a finished folder in its place; an earlier one comes back where that fails."""
    earlier = folder.exists()
    if earlier:
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if earlier:
            old.rename(folder)
        raise
