"""`llmvs cache prune`: what may go from the cache, and its removal.

Any folder can be named as the cache, a home folder too: nothing is removed but what this package
surely wrote, and nothing behind a symbolic link.
"""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from llmvs.cache.listing import (
    BACKBONES,
    BUILT,
    SUFFIXES,
    TEXTS,
    UNREADABLE,
    CacheFolder,
    aligned,
    folders,
    is_linked,
    measure,
    size,
)
from llmvs.errors import UserError, nearest
from llmvs.files import is_temporary, temporary_prefix

ABANDONED = 3600.0
"""Seconds after which a temporary file belongs to no living writer: one is written in seconds."""
DAY = 86400.0


def prune(
    cache: Path, named: Sequence[str] = (), older_than: float | None = None, sure: bool = False
) -> str:
    """Remove what killed runs left behind, folders that cannot be used any more, and what is asked
    for.

    Only what this package wrote goes: folders of videos that hold nothing else, built models, and
    temporary names of ours in them. Nothing behind a symbolic link is touched.

    Args:
        cache: the cache folder.
        named: folders to remove, as `listing` names them.
        older_than: remove folders of captions, embeddings and looks that were not used for so many
            days.
        sure: False: only say what would be removed.

    Returns:
        One line per removal with its size and reason, and the sum.

    Raises:
        UserError: a folder that is not there, or cannot be removed.
    """
    doomed = list(_doomed(cache, named, older_than))
    if sure:
        for path, _, _ in doomed:
            _remove(path)
    verb, total = (
        ("removed" if sure else "would remove"),
        size(sum(amount for _, amount, _ in doomed)),
    )
    rows = [
        (f"{verb} {path.relative_to(cache)}", size(amount), reason)
        for path, amount, reason in doomed
    ]
    end = (
        "freed"
        if sure
        else (
            "would be freed; repeat with --yes to remove them"
            if doomed
            else "would be freed: nothing to remove"
        )
    )
    return "\n".join([*aligned(rows), f"{total} {end}"])


def _doomed(  # noqa: C901
    cache: Path, named: Sequence[str], older_than: float | None
) -> Iterator[tuple[Path, int, str]]:
    """(path, bytes, reason) of all that may go; what lies in such a folder is not named again."""
    known = {one.name: one for one in folders(cache)}
    asked = [name.rstrip("/").removeprefix(f"{cache}/") for name in named]
    for name in asked:
        if name not in known:
            raise UserError(f"{name}: no such folder in the cache {cache}{nearest(name, known)}")
        if reason := known[name].spared:
            raise UserError(
                f"{known[name].path}: {reason}: not removed: if you can spare it, remove it by hand"
            )
    gone = set()
    for one in known.values():
        idle = (time.time() - one.used) / DAY
        if one.spared:
            continue
        if one.name in asked:
            reason = "asked for"
        elif one.problem:
            reason = one.problem
        elif (
            older_than is not None
            and idle > older_than
            and one.kind in (*TEXTS, "embeddings", "looks")
        ):
            reason = f"not used for {idle:.0f} days"
        else:
            continue
        gone.add(one.path)
        yield one.path, one.bytes, reason
    for path in _unfinished(cache, [one for one in known.values() if one.path not in gone]):
        if time.time() - path.lstat().st_mtime > ABANDONED:
            yield path, measure(path)[0], "left by a killed run"


def _unfinished(cache: Path, known: Sequence[CacheFolder]) -> Iterator[Path]:
    """Temporary files in folders that are surely ours, and folders of models being built."""
    for one in known:
        if one.kind in SUFFIXES and one.problem != UNREADABLE and not is_linked(one.path):
            for entry in sorted(os.scandir(one.path), key=lambda entry: entry.name):
                if is_temporary(entry.name) and entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)
    models = cache / BACKBONES
    prefixes = tuple(map(temporary_prefix, BUILT))
    if models.is_dir() and not models.is_symlink():
        for entry in sorted(os.scandir(models), key=lambda entry: entry.name):
            ours = is_temporary(entry.name) and entry.name.startswith(prefixes)
            if ours and entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be removed ({error.strerror}): check who owns it"
        ) from error
