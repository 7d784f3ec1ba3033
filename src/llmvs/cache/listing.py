"""`llmvs cache list`: what lies below the cache folder, how big it is, and what made it.

Nothing here opens an array, so that it answers at once for any size; `verify` does that. Any folder
can be named as the cache, a home folder too: what is not surely ours is not listed, or is `spared`.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from llmvs.cache import fingerprint
from llmvs.cache.fingerprint import FORMAT_PREFIX, LINES, MANIFEST, TENSORS
from llmvs.errors import UserError
from llmvs.files import is_temporary, read_json

BACKBONES = "backbones"
"""The folder of the models that this package builds by itself."""
BUILT = ("tiny-llama", "tiny-llava")
"""The models in it."""
SUFFIXES = {
    "captions": LINES,
    "answers": LINES,
    "embeddings": TENSORS,
    "imported": TENSORS,
    "looks": TENSORS,
}
"""Kind of a folder of videos -> the file that every finished video has in it."""
TEXTS = ("captions", "answers")
"""The kinds that the captioner wrote."""
FORMATS = {**dict.fromkeys(TEXTS, fingerprint.CAPTIONS_FORMAT), "looks": fingerprint.LOOKS_FORMAT}
"""Kind -> the format that this version writes; of the others that of embeddings."""
NAMED = re.compile(r"(captions|answers|embeddings|looks)-[0-9a-f]{8}")
"""Our own names of folders of videos; imported embeddings may lie in a folder of any name."""
BUILT_FOLDER = re.compile(rf"({'|'.join(BUILT)})-\d+")
UNREADABLE = f"its {MANIFEST} is missing or unreadable"


@dataclass(frozen=True)
class CacheFolder:
    """One folder below the cache."""

    name: str
    """`DATASET/KIND-HASH`, or `backbones/NAME`."""
    path: Path
    kind: str
    """`captions`, `answers` (about frames), `embeddings`, `imported`, `looks` or `backbone`."""
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
    """Every folder of captions, embeddings, looks and built models below `cache`, by name."""
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
    return [one.document() for one in found], "\n".join([*(aligned(rows) if found else []), total])


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
    if one.kind == "looks":
        return f"what is seen and heard; {made.get('score')}"
    if "scorer" not in made:
        return ", ".join(f"{key} {str(value)[:12]}" for key, value in made.items())
    fold = f" of fold {made['fold']}" if "fold" in made else ""
    prompt = f"window {made.get('prompt.window')}, {made.get('prompt.style')}"
    examples = f"{made.get('examples.count')} {made.get('examples.source')} examples{fold}"
    return f"{_model(made, 'scorer')}; {prompt}, {examples}; captions {made.get('captions')}"


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


def _look(path: Path) -> CacheFolder | None:
    """What a folder holds; None where it is not the cache's."""
    name = f"{path.parent.name}/{path.name}"
    if path.parent.name == BACKBONES:
        if not BUILT_FOLDER.fullmatch(path.name):
            return None
        return CacheFolder(name, path, "backbone", 0, *measure(path), spared=_link(path))
    try:
        manifest = read_json(path / MANIFEST, "a fingerprint")
    except UserError:
        manifest = None
    manifest = manifest if isinstance(manifest, dict) else {}
    named, made_in = NAMED.fullmatch(path.name), manifest.get("format")
    ours = isinstance(made_in, str) and made_in.startswith(FORMAT_PREFIX)
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
    counted = _count(path, kind), *measure(path)
    return CacheFolder(name, path, kind, *counted, identity, problem, spared)


def _count(path: Path, kind: str) -> int:
    """Finished videos in a folder."""
    names = os.listdir(path)  # noqa: PTH208
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
    expected = FORMATS.get(kind, fingerprint.EMBEDDINGS_FORMAT)
    if manifest.get("format") != expected:
        return f"made in the format {manifest.get('format')}, which this version does not read"
    if kind != "imported" and manifest["identity"].get("recipe") != fingerprint.RECIPE:
        return "made by another version's recipe"
    return None


def measure(path: Path) -> tuple[int, float]:
    """Bytes, and the time of the last use, of a file or a folder with all that is in it."""
    amount, used = 0, path.lstat().st_mtime
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size, used
    for entry in os.scandir(path):
        found = measure(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else None
        status = entry.stat(follow_symlinks=False)
        # The fingerprint is read by every listing, so its time of reading says nothing.
        read = status.st_mtime if entry.name == MANIFEST else max(status.st_mtime, status.st_atime)
        amount, used = (
            amount + (found[0] if found else status.st_size),
            max(used, found[1] if found else read),
        )
    return amount, used


def _model(made: Mapping[str, Any], role: str) -> str:
    revision = str(made.get(role, "")).split(" ")[-1][:8]
    return f"{made.get(f'backbone.{role}')} ({revision}, {made.get('backbone.dtype')})"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows with columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
