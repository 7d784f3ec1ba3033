"""`llmvs cache list` and `prune`: what lies below the cache folder, how big it is, what made it,
and what may go.

Nothing here opens an array, so that it answers at once for any size; `integrity` does that. Any
folder can be named as the cache, a home folder too: nothing is removed but what this package surely
wrote, and nothing behind a symbolic link.
"""

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from llmvs.demo.models.shipped import BUILT
from llmvs.errors import UserError, nearest
from llmvs.files import is_temporary, read_json, temporary_prefix

BACKBONES = "backbones"
SUFFIXES = {
    "captions": ".jsonl",
    "answers": ".jsonl",
    "embeddings": ".safetensors",
    "imported": ".safetensors",
}
"""Kind of a folder of videos -> the file that every finished video has in it."""
TEXTS = ("captions", "answers")
"""The kinds that the captioner wrote."""
OURS = "llmvs-"
"""How the formats in our fingerprints begin, those of older versions too."""
NAMED = re.compile(r"(captions|answers|embeddings)-[0-9a-f]{8}")
"""Our own names of folders of videos; imported embeddings may lie in a folder of any name."""
BUILT_FOLDER = re.compile(rf"({'|'.join(BUILT)})-\d+")
MANIFEST = "fingerprint.json"
UNREADABLE = f"its {MANIFEST} is missing or unreadable"
ABANDONED = 3600.0
"""Seconds after which a temporary file belongs to no living writer: one is written in seconds."""
DAY = 86400.0


@dataclass(frozen=True)
class CacheFolder:
    """One folder below the cache."""

    name: str
    """`DATASET/KIND-HASH`, or `backbones/NAME`."""
    path: Path
    kind: str
    """`captions`, `answers` (about frames), `embeddings`, `imported` or `backbone`."""
    videos: int
    """Finished videos."""
    bytes: int
    used: float
    """When a file was last written or read, in seconds since 1970. Many file systems note reading
    once a day, some never.
    """
    identity: Mapping[str, Any] = field(default_factory=dict)
    """What its files were made with."""
    problem: str | None = None
    """Why the folder cannot be used any more."""
    spared: str | None = None
    """Why `prune` leaves the folder alone, whatever is asked for."""

    @property
    def dataset(self) -> str:
        """The dataset whose videos are in it; empty for a backbone."""
        return "" if self.kind == "backbone" else self.name.split("/")[0]

    def document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = asdict(self)
        del plain["spared"]
        used, made = _moment(self.used), made_from(self)
        return {**plain, "dataset": self.dataset, "used": used, "made_from": made}


def folders(cache: Path) -> list[CacheFolder]:
    """Every folder of captions, embeddings and built models below `cache`, by name."""
    looked_at = map(_look, sorted(cache.glob("[!.]*/[!.]*/")))
    return [one for one in looked_at if one is not None]


def listing(cache: Path) -> tuple[list[dict[str, Any]], str]:
    """All folders as JSON documents, and as an aligned table."""
    found = folders(cache)
    rows = [("FOLDER", "VIDEOS", "SIZE", "USED", "MADE FROM")]
    for one in found:
        videos = "" if one.kind == "backbone" else str(one.videos)
        rows.append((one.name, videos, size(one.bytes), _moment(one.used), made_from(one)))
    total = f"{len(found)} folders, {size(sum(one.bytes for one in found))} in {cache}"
    return [one.document() for one in found], "\n".join([*(_aligned(rows) if found else []), total])


def made_from(one: CacheFolder) -> str:
    """One phrase: models, prompts, window; or why that is not known."""
    made = one.identity
    if one.problem:
        return f"unusable: {one.problem}"
    if one.kind == "backbone":
        return "built by this package"
    if one.kind in TEXTS:
        sampling = (
            f"{made['extract.fps']} fps"
            if made.get("extract.fps")
            else f"every {made.get('extract.every_nth_frame')} frames"
        )
        return f'{_model(made, "captioner")}; "{made.get("caption.prompt")}"; {sampling}'
    if "scorer" not in made:
        return ", ".join(f"{key} {str(value)[:12]}" for key, value in made.items())
    fold = f" of fold {made['fold']}" if "fold" in made else ""
    prompt = f"window {made.get('prompt.window')}, {made.get('prompt.style')}"
    examples = f"{made.get('examples.count')} {made.get('examples.source')} examples{fold}"
    return f"{_model(made, 'scorer')}; {prompt}, {examples}; captions {made.get('captions')}"


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
        older_than: remove folders of captions and embeddings that were not used for so many days.
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
    return "\n".join([*_aligned(rows), f"{total} {end}"])


def size(amount: float) -> str:
    """A number of bytes for people.

    >>> size(999), size(1_500_000)
    ('999 B', '1.5 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _doomed(
    cache: Path, named: Sequence[str], older_than: float | None
) -> Iterator[tuple[Path, int, str]]:
    """(path, bytes, reason) of all that may go; what lies in a removed folder is not named again."""
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
        elif older_than is not None and idle > older_than and one.kind in (*TEXTS, "embeddings"):
            reason = f"not used for {idle:.0f} days"
        else:
            continue
        gone.add(one.path)
        yield one.path, one.bytes, reason
    for path in _unfinished(cache, [one for one in known.values() if one.path not in gone]):
        if time.time() - path.lstat().st_mtime > ABANDONED:
            yield path, _measure(path)[0], "left by a killed run"


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


def _look(path: Path) -> CacheFolder | None:
    """What a folder holds; None where it is not the cache's."""
    name = f"{path.parent.name}/{path.name}"
    if path.parent.name == BACKBONES:
        if not BUILT_FOLDER.fullmatch(path.name):
            return None
        return CacheFolder(name, path, "backbone", 0, *_measure(path), spared=_link(path))
    try:
        manifest = read_json(path / MANIFEST, "a fingerprint")
    except UserError:
        manifest = None
    manifest = manifest if isinstance(manifest, dict) else {}
    named, made_in = NAMED.fullmatch(path.name), manifest.get("format")
    ours = isinstance(made_in, str) and made_in.startswith(OURS)
    # Without a fingerprint of ours the name must be one that we give, and none of another program's
    # may lie there.
    if not ours and (isinstance(made_in, str) or not (named or path.name == "imported")):
        return None
    kind = named[1] if named else "imported"
    foreign = _foreign(path)
    spared = _link(path)
    if spared is None and not ours and not named:
        spared = f"{UNREADABLE}, so nothing says that it is the cache's"
    elif spared is None and foreign is not None:
        spared = f"holds {foreign!r}, which llmvs did not write"
    identity = manifest.get("identity")
    problem: str | None = UNREADABLE
    if ours and isinstance(identity, dict):
        problem = _outdated(kind, manifest)
    else:
        identity = {}
    counted = _count(path, kind), *_measure(path)
    return CacheFolder(name, path, kind, *counted, identity, problem, spared)


def _count(path: Path, kind: str) -> int:
    """Finished videos in a folder."""
    names = os.listdir(path)
    return sum(name.endswith(SUFFIXES[kind]) and not name.startswith(".") for name in names)


def is_linked(path: Path) -> bool:
    """Whether a folder of the cache, or the dataset's folder around it, is a symbolic link."""
    return path.is_symlink() or path.parent.is_symlink()


def _link(path: Path) -> str | None:
    return "reached through a symbolic link" if is_linked(path) else None


def _foreign(path: Path) -> str | None:
    """The first entry of a folder of videos that is no file of ours; None where all are."""
    suffixes = tuple(SUFFIXES.values())
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        name = entry.name
        known = name == MANIFEST or is_temporary(name) or name.endswith(suffixes)
        if not known or not entry.is_file(follow_symlinks=False):
            return name
    return None


def _outdated(kind: str, manifest: Mapping[str, Any]) -> str | None:
    """Why no settings of today lead to a folder with this fingerprint."""
    from llmvs.cache import captions, embeddings
    from llmvs.extraction import identity

    expected = captions.FORMAT if kind in TEXTS else embeddings.FORMAT
    if manifest.get("format") != expected:
        return f"made in the format {manifest.get('format')}, which this version does not read"
    if kind != "imported" and manifest["identity"].get("recipe") != identity.RECIPE:
        return "made by another version's recipe"
    return None


def _measure(path: Path) -> tuple[int, float]:
    """Bytes, and the time of the last use, of a file or a folder with all that is in it."""
    amount, used = 0, path.lstat().st_mtime
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size, used
    for entry in os.scandir(path):
        found = _measure(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else None
        status = entry.stat(follow_symlinks=False)
        # The fingerprint is read by every listing, so its time of reading says nothing.
        read = status.st_mtime if entry.name == MANIFEST else max(status.st_mtime, status.st_atime)
        amount, used = (
            amount + (found[0] if found else status.st_size),
            max(used, found[1] if found else read),
        )
    return amount, used


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


def _model(made: Mapping[str, Any], role: str) -> str:
    revision = str(made.get(role, "")).split(" ")[-1][:8]
    return f"{made.get(f'backbone.{role}')} ({revision}, {made.get('backbone.dtype')})"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows with columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
