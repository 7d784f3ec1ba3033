"""`llmvs cache list` and `prune`: what lies below the cache folder, how big it is, what made it,
and what may go.

Nothing here opens an array, so that it answers at once for any size; `integrity` does that.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from llmvs.errors import UserError, nearest
from llmvs.files import read_json

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

    @property
    def dataset(self) -> str:
        """The dataset whose videos are in it; empty for a backbone."""
        return "" if self.kind == "backbone" else self.name.split("/")[0]

    def document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **asdict(self),
            "dataset": self.dataset,
            "used": _moment(self.used),
            "made_from": made_from(self),
        }


def folders(cache: Path) -> list[CacheFolder]:
    """Every folder of captions, embeddings and built models below `cache`, by name."""
    return [_look(path, kind) for path in sorted(cache.glob("*/[!.]*/")) if (kind := _kind(path))]


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
    """(path, bytes, reason) of all that may go; the content of a removed folder is not named."""
    known = {one.name: one for one in folders(cache)}
    asked = [name.rstrip("/").removeprefix(f"{cache}/") for name in named]
    for name in asked:
        if name not in known:
            raise UserError(f"{name}: no such folder in the cache {cache}{nearest(name, known)}")
    gone = set()
    for one in known.values():
        idle = (time.time() - one.used) / DAY
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
    for path in sorted([*cache.glob("*/.*"), *cache.glob("*/*/.*")]):
        if path.parent not in gone and time.time() - path.lstat().st_mtime > ABANDONED:
            yield path, _measure(path)[0], "left by a killed run"


def _kind(path: Path) -> str | None:
    """What a folder holds; None where it is not the cache's."""
    if path.parent.name == BACKBONES:
        return "backbone"
    kind = path.name.rsplit("-", 1)[0]
    return (
        kind if kind in SUFFIXES else "imported" if (path / "fingerprint.json").exists() else None
    )


def _look(path: Path, kind: str) -> CacheFolder:
    amount, used = _measure(path)
    name = f"{path.parent.name}/{path.name}"
    if kind == "backbone":
        return CacheFolder(name, path, kind, 0, amount, used)
    videos = sum(
        entry.name.endswith(SUFFIXES[kind]) and not entry.name.startswith(".")
        for entry in os.scandir(path)
    )
    try:
        manifest = read_json(path / "fingerprint.json", "a fingerprint")
        return CacheFolder(
            name, path, kind, videos, amount, used, manifest["identity"], _outdated(kind, manifest)
        )
    except (UserError, KeyError, TypeError):
        return CacheFolder(
            name,
            path,
            kind,
            videos,
            amount,
            used,
            problem="its fingerprint.json is missing or unreadable",
        )


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
        read = (
            status.st_mtime
            if entry.name == "fingerprint.json"
            else max(status.st_mtime, status.st_atime)
        )
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
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows with columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
