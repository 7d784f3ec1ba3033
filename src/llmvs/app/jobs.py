"""What the app does with an uploaded video, without any browser: check it, summarize it into a
folder of its own, pack that, and remove it when it is old.
"""

import logging
import re
import shutil
import tempfile
import time
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmvs.errors import UserError
from llmvs.summary.method import Name, language_for
from llmvs.summary.outputs import PAGE, PREVIEW, STORYBOARD, VIDEO
from llmvs.summary.result import Summary
from llmvs.summary.summarize import asked, summarize_as
from llmvs.summary.times import clock
from llmvs.video.container import SUFFIXES, probe
from llmvs.video.transcript import beside

logger = logging.getLogger(__name__)

KEPT = 3600.0
"""Seconds after which a result is removed."""
LONGEST_NAME = 60
Progress = Callable[[float, str], None]
"""Told the share that is done, and what is being done."""


@dataclass(frozen=True)
class Limits:
    """What may be uploaded."""

    megabytes: float = 500.0
    """Largest file."""
    minutes: float = 120.0
    """Longest video."""


@dataclass(frozen=True)
class Wish:
    """What is asked of a video."""

    length: str = "15%"
    method: Name = "auto"
    about: str = ""
    """What the summary shall show; empty: nothing in particular."""


@dataclass(frozen=True)
class Made:
    """Where the parts of a result are."""

    line: str
    """What was chosen."""
    video: Path
    page: Path
    storyboard: Path
    preview: Path
    archive: Path
    """The whole folder as a zip file."""


class Jobs:
    """The app's own folder, and the work in it."""

    def __init__(
        self,
        root: Path,
        limits: Limits = Limits(),
        model: str | None = None,
        settings: Sequence[str] = (),
    ) -> None:
        """Take a folder that is the app's alone.

        Args:
            root: made where it is absent.
            limits: of uploads.
            model: a trained head for the method `language`, as `summarize` takes it.
            settings: of the language models, as on the command line.
        """
        self.root, self.limits = root, limits
        self.model, self.settings = model, tuple(settings)
        root.mkdir(parents=True, exist_ok=True)

    def run(self, upload: str | Path | None, wish: Wish, progress: Progress) -> Made:
        """Summarize an uploaded file.

        Raises:
            UserError: no file, or not one that is allowed; a wish that makes no sense; as
                `summarize`. Nothing of it stays in the folder.
        """
        self.tidy()
        path = self._checked(upload)
        wishes = asked(wish.length.strip() or "15%")
        folder = Path(tempfile.mkdtemp(prefix="job-", dir=self.root))
        try:
            video = folder / safe_name(path.name)
            shutil.copyfile(path, video)
            total = self._duration(video)
            progress(0.0, "reading")
            language = language_for(
                wish.method,
                self.model if wish.method != "visual" else None,
                wish.about.strip() or None,
                None,
                self.settings if wish.method != "visual" else (),
                beside(video) is not None,
            )

            def seen(seconds: float) -> None:
                progress(0.8 * min(1.0, seconds / total) if total else 0.4, "looking")

            if language is not None:
                progress(0.0, "captioning; this takes longer than the video")
            summary = summarize_as(video, wishes, progress=seen, language=language)
            progress(0.8, "cutting")
            out = summary.save(folder / "summary")
            progress(0.95, "packing")
            archive = _packed(out, folder / f"{video.stem}-summary.zip")
            video.unlink()
        except UserError as error:  # who uploads knows nothing of our folders
            shutil.rmtree(folder, ignore_errors=True)
            raise type(error)(str(error).replace(f"{folder}/", "")) from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        progress(1.0, "done")
        return Made(
            _line(summary),
            out / VIDEO,
            out / PAGE,
            out / STORYBOARD,
            out / PREVIEW,
            archive,
        )

    def tidy(self, older: float = KEPT) -> None:
        """Remove results that are `older` seconds old."""
        for folder in self.root.glob("job-*"):
            if folder.is_dir() and time.time() - folder.stat().st_mtime > older:
                shutil.rmtree(folder, ignore_errors=True)

    def _checked(self, upload: str | Path | None) -> Path:
        """Refuse what is not allowed, before anything is done with it."""
        if not upload:
            raise UserError("no video: choose a file first")
        path = Path(upload)
        if path.suffix.lower() not in SUFFIXES:
            raise UserError(
                f"{safe_name(path.name)}: not a video by its name: expected one of"
                f" {', '.join(SUFFIXES)}"
            )
        if not path.is_file() or path.is_symlink():
            raise UserError(f"{safe_name(path.name)}: did not arrive: upload it again")
        size = path.stat().st_size / 1e6
        if size > self.limits.megabytes:
            raise UserError(
                f"{safe_name(path.name)}: {size:.0f} MB, at most {self.limits.megabytes:g} are"
                " taken: `llmvs summarize` on your own machine has no limit"
            )
        return path

    def _duration(self, video: Path) -> float | None:
        seconds = probe(video).seconds
        if seconds and seconds > 60 * self.limits.minutes:
            raise UserError(
                f"{video.name}: {clock(seconds)} long, at most {self.limits.minutes:g} minutes are"
                " taken: `llmvs summarize` on your own machine has no limit"
            )
        return seconds


def safe_name(name: str) -> str:
    """A file name that means nothing to a shell, a browser or a file system.

    >>> safe_name("../../etc/<b>My día.MP4")
    'b_My_día.mp4'
    """
    plain = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    stem, dot, suffix = plain.rpartition(".")
    stem = re.sub(r"[^\w-]+", "_", stem if dot else suffix).strip("_-")[:LONGEST_NAME] or "video"
    suffix = re.sub(r"[^a-z0-9]", "", suffix.lower())[:8] if dot else ""
    return f"{stem}.{suffix}" if suffix else stem


def _packed(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, Path(archive.stem) / path.relative_to(folder))
    return archive


def _line(summary: Summary) -> str:
    scored = summary.model or "what is seen and heard"
    return (
        f"{clock(summary.seconds)} of {clock(summary.duration)}, {len(summary.chosen)} of"
        f" {len(summary.shots)} shots, scored by {scored}"
    )
