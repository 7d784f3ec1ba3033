"""A new folder that is whole or not there at all, and what it may replace.

While a run writes the folder `out`, a hidden one beside it holds `new`, and for the moment in which
both are renamed `old`, the earlier summary. A run that is killed leaves the hidden folder; the next
one beside it tidies up. A lock, which the system lets go of at death, tells which runs live.
"""

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from llmvs.errors import UserError
from llmvs.files import MARK as TEMPORARY
from llmvs.files import (
    MOST_BYTES,
    is_temporary,
    locked,
    printable,
    shown,
    temporary_prefix,
    unwritable,
)

logger = logging.getLogger(__name__)

NEW, OLD, LOCK = "new", "old", ".lock"
"""What a hidden folder holds: the summary that is being written, the earlier one, and whose it is:
locked while that run lives, and with the folder's name, as the hidden one's may be shorter.
"""
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What file managers leave in a folder that somebody looked at."""


@dataclass(frozen=True)
class Kind:
    """What a folder holds that this package writes: one that holds anything else is not replaced,
    because it goes as a whole.
    """

    what: str
    """As an error names it: `summary`."""
    mark: str
    """The file that each of them has."""
    is_ours: Callable[[Path], bool]
    """Whether a file of that name is of this package."""
    files: frozenset[str]
    """All other files that it may hold."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """Folder inside -> a regular expression of the names of its files."""

    def is_in(self, folder: Path) -> bool:
        """Whether a folder is known as one of this kind, whatever else it holds."""
        mark = folder / self.mark
        return mark.is_file() and self.is_ours(mark)

    def foreign(self, folder: Path) -> Path | None:
        """Something in a folder that this package did not write; None: there is nothing."""
        for path in sorted(folder.iterdir()):
            if path.name in self.folders and _is_real_folder(path):
                names = re.compile(self.folders[path.name])
                for inner in sorted(path.iterdir()):
                    known = inner.name in LITTER or names.fullmatch(inner.name)
                    if not known or _is_real_folder(inner):
                        return inner
            elif path.name not in self.files | LITTER | {self.mark} or _is_real_folder(path):
                return path
        return None


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def check_new(folder: Path, kind: Kind, force: bool = False, inputs: Iterable[Path] = ()) -> None:
    """Refuse a folder that exists, before anything is computed; with `force` only one that holds
    anything but an earlier one of its kind. Refuse one that cannot be made.

    Args:
        folder: that is to be written.
        kind: what it shall hold.
        force: replace an earlier one.
        inputs: files that are read for it, which nobody wants to be replaced.

    Raises:
        UserError: the folder stays as it is.
    """
    try:
        _check_place(folder)
        if not folder.exists() and not folder.is_symlink():
            tidy(folder.parent)  # an earlier summary may come back
        if folder.exists() or folder.is_symlink():
            _check_replaceable(folder, kind, inputs)
        else:
            return
    except OSError as error:
        raise unwritable(folder, error) from error
    if not force:
        raise UserError(
            f"{printable(folder)}: exists: name another folder with -o, or replace it with --force"
        )


def _check_place(folder: Path) -> None:
    """Refuse a folder that cannot be made where it is to be."""
    for name in folder.parts:
        if (size := len(os.fsencode(name))) > MOST_BYTES:
            raise UserError(
                f"{shown(name)}: has {size} bytes, and a folder's name at most {MOST_BYTES}: name"
                " another folder with -o"
            )
    above = next(one for one in folder.absolute().parents if one.exists())
    if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
        what = "cannot be written" if above.is_dir() else "is not a folder"
        raise UserError(
            f"{printable(folder)}: {printable(above)} {what}: name another folder with -o"
        )


def _check_replaceable(folder: Path, kind: Kind, inputs: Iterable[Path]) -> None:
    """Refuse a folder that is there and not an earlier one of its kind, and nothing else."""
    name, cure = printable(folder), "name another folder with -o"
    if not folder.is_dir() or folder.is_symlink():
        raise UserError(f"{name}: exists and is not a folder: name another one with -o")
    real = folder.resolve()
    if real in (here := Path.cwd(), *here.parents):
        raise UserError(f"{name}: is, or holds, the folder that you are in: {cure}")
    for path in inputs:
        # What a link leads to stays, but the link would go.
        if real in path.resolve().parents or real in (path.parent.resolve() / path.name).parents:
            raise UserError(
                f"{name}: holds {printable(path)}, which is read, so it is not replaced: {cure}"
            )
    if not any(folder.iterdir()):
        return
    if not kind.is_in(folder):
        raise UserError(
            f"{name}: exists and holds no earlier {kind.what}, so it is not replaced: {cure}"
        )
    if foreign := kind.foreign(folder):
        raise UserError(
            f"{name}: holds {printable(foreign.relative_to(folder))} beside an earlier"
            f" {kind.what}, so it is not replaced: move that away, or {cure}"
        )


@contextmanager
def whole_folder(
    folder: Path, kind: Kind, force: bool = False, inputs: Iterable[Path] = ()
) -> Iterator[Path]:
    """Give a temporary folder beside `folder`; when the block ends well it takes its place, else it
    is removed.

    Args:
        folder: is made; folders above it too.
        kind: what it shall hold.
        force: replace an earlier one.
        inputs: files that are read for it.

    Raises:
        UserError: `folder` exists (see `check_new`), or cannot be written.
    """
    inputs = tuple(inputs)
    tidy(folder.parent)
    check_new(folder, kind, force, inputs)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        prefix = temporary_prefix(folder.name)
        beside = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    except OSError as error:
        raise unwritable(folder, error) from error
    new = beside / NEW
    try:
        with locked(beside / LOCK, f"{printable(beside)}: in use"):
            try:
                (beside / LOCK).write_bytes(os.fsencode(folder.name))
                new.mkdir()  # with the rights that folders get here; the hidden one is ours alone
                yield new
                check_new(folder, kind, force, inputs)
                _replace(folder, new, beside / OLD)
            finally:
                _remove(beside)
    except OSError as error:
        raise unwritable(folder, error) from error
    except UserError as error:  # people know the folder by the name that they gave it
        raise type(error)(str(error).replace(str(new), str(folder))) from error
    finally:
        with suppress(OSError):
            beside.rmdir()


def tidy(parent: Path) -> None:
    """Remove what killed runs left unfinished in a folder, and put back an earlier summary that one
    of them had taken away and not yet replaced. What a living run holds is left alone, and so is
    everything where the file system knows no locks.
    """
    try:
        with os.scandir(parent) as entries:
            hidden = [Path(entry) for entry in entries if is_temporary(entry.name)]
        left = [path for path in hidden if path.is_dir() and not path.is_symlink()]
    except OSError:
        return
    for beside in left:
        with suppress(OSError), _of_a_dead_run(beside) as dead:
            if dead:
                _put_back(beside, parent / _name_of(beside))
                _remove(beside)
                (beside / LOCK).unlink()
                beside.rmdir()


@contextmanager
def _of_a_dead_run(beside: Path) -> Iterator[bool]:
    """Whether a hidden folder was made by `whole_folder`, in a run that has died."""
    import fcntl

    if not {path.name for path in beside.iterdir()} <= {NEW, OLD, LOCK}:
        yield False
        return
    handle = os.open(beside / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    finally:
        os.close(handle)


def _name_of(beside: Path) -> str:
    """The name of the folder for which a hidden one was made."""
    whole = os.fsdecode((beside / LOCK).read_bytes())
    if whole and "/" not in whole and beside.name.startswith(temporary_prefix(whole)):
        return whole
    return beside.name[1:].rpartition(TEMPORARY)[0]


def _put_back(beside: Path, folder: Path) -> None:
    """Where a run died between its two renames: the earlier summary is away, the new one not there
    yet.
    """
    old, new = beside / OLD, beside / NEW
    if old.is_dir() and new.is_dir() and not folder.exists() and not folder.is_symlink():
        old.rename(folder)
        logger.warning(
            "note: %s: a run that was to replace it was killed: the earlier summary is back",
            printable(folder),
        )


def _remove(beside: Path) -> None:
    """Remove what a hidden folder holds; its lock last, while the lock says whose it is."""
    for part in (NEW, OLD):
        shutil.rmtree(beside / part, ignore_errors=True)


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
