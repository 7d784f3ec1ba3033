"""What the app does with an uploaded video, without any browser: check it, summarize it into a
folder of its own, pack that, and remove it when it is old.
"""

import logging
import os
import re
import shutil
import tempfile
import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from llmvs.errors import UserError
from llmvs.memory import exhausted
from llmvs.summary.choice import Wishes
from llmvs.summary.method import Name, language_for, models_at_hand
from llmvs.summary.outputs import PAGE, VIDEO
from llmvs.summary.result import Summary
from llmvs.summary.summarize import asked, summarize_as
from llmvs.summary.times import clock
from llmvs.video.clock import seconds_of
from llmvs.video.container import NO_ROOM, SUFFIXES
from llmvs.video.transcript import beside

logger = logging.getLogger(__name__)

KEPT = 3600.0
"""Seconds after which an upload or a result is removed."""
MEGABYTE = 1 << 20
"""Bytes; as browsers and Gradio count."""
LONGEST_NAME = 60
LONGEST_ABOUT = 300
"""Characters."""
ELSEWHERE = "`llmvs summarize` on your own machine has no limit"
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
    """Leads to the uploaded video, which is kept as long."""
    archive: Path
    """The whole folder as a zip file."""


class Jobs:
    """The app's own folder, and the work in it, one video at a time."""

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
        self.root, self.limits = root.resolve(), limits
        self.uploads, self.results = self.root / "uploads", self.root / "results"
        self.model, self.settings = model, tuple(settings)
        self._working: set[Path] = set()
        for folder in (self.uploads, self.results):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def working(self) -> bool:
        """Whether a video is being summarized."""
        return bool(self._working)

    @property
    def language(self) -> bool:
        """Whether there are language models to ask."""
        return bool(self.model or self.settings) or models_at_hand()

    def run(self, upload: str | Path | None, wish: Wish, progress: Progress) -> Made:
        """Summarize an uploaded file.

        Raises:
            UserError: whatever goes wrong, in one line that names no folder of ours: no file, or
                not one that is allowed; a wish that makes no sense; as `summarize`; what nobody
                foresaw, which the log tells. Nothing of it stays in the folder.
        """
        name = safe_name(Path(upload).name) if upload else "no video"
        try:
            self.tidy()
            path, wishes = self._checked(upload), self._wishes(wish)
            with self._folder() as folder:
                made = self._made(path, folder / name, wish, wishes, progress)
        except Exception as error:
            line = self._one_line(error, name)
            logger.info("%s", line)
            raise UserError(line) from error
        logger.info("%s: %s", name, made.line)
        progress(1.0, "done")
        return made

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Make a folder for a result, and remove it where there is none."""
        folder = Path(tempfile.mkdtemp(prefix="job-", dir=self.results))
        self._working.add(folder)
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            self._working.discard(folder)

    def tidy(self, older: float = KEPT) -> None:
        """Remove uploads and results that are `older` seconds old."""
        before = time.time() - older
        for path in [*self.results.iterdir(), *sorted(self.uploads.rglob("*"), reverse=True)]:
            with suppress(OSError):  # a folder that is not empty, or a neighbour removed it
                status = path.lstat()  # ctime too: a copy keeps the mtime of what it is of
                if path in self._working or max(status.st_mtime, status.st_ctime) > before:
                    continue
                if path.parent == self.results:
                    shutil.rmtree(path, ignore_errors=True)
                elif path.is_dir():
                    path.rmdir()
                else:
                    path.unlink()

    def _made(
        self, path: Path, video: Path, wish: Wish, wishes: Wishes, progress: Progress
    ) -> Made:
        try:
            os.link(path, video)  # no second copy; it stays when the upload goes
        except OSError:
            shutil.copyfile(path, video)
        total = self._duration(video)
        progress(0.0, "reading")
        spoken = beside(video) is not None
        if wish.method != "visual" and self.language:
            # What is made of an upload is kept with it: no other of its name meets it, and it goes.
            settings = [*self.settings, f"cache={video.parent / 'cache'}"]
            about = wish.about.strip() or None
            language = language_for(wish.method, self.model, about, None, settings, spoken)
            progress(0.0, "captioning; this takes longer than the video")
        else:
            language = None

        def seen(seconds: float) -> None:
            self._refuse_longer(video, seconds)  # a header need not say how long it is
            progress(0.8 * min(1.0, seconds / total) if total else 0.4, "looking")

        summary = summarize_as(video, wishes, progress=seen, language=language)
        progress(0.8, "cutting")
        out = summary.save(video.parent / "summary")
        progress(0.95, "packing")
        archive = _packed(out, video.parent / f"{video.stem}-summary.zip")
        return Made(_line(summary), out / VIDEO, out / PAGE, archive)

    def _checked(self, upload: str | Path | None) -> Path:
        """Refuse what is not allowed, before anything is done with it."""
        if not upload:
            raise UserError("no video: choose a file first")
        path = Path(upload)
        name = safe_name(path.name)
        if path.suffix.lower() not in SUFFIXES:
            raise UserError(
                f"{name}: not a video by its name: expected one of {', '.join(SUFFIXES)}"
            )
        if not path.is_file() or path.is_symlink():
            raise UserError(f"{name}: is not here, or no longer: upload it again")
        size = path.stat().st_size / MEGABYTE
        if size > self.limits.megabytes:
            raise UserError(
                f"{name}: {size:.0f} MB, at most {self.limits.megabytes:g} are taken: {ELSEWHERE}"
            )
        return path

    def _wishes(self, wish: Wish) -> Wishes:
        """Refuse what cannot be asked for here, before the video is looked at."""
        about = wish.about.strip()
        if len(about) > LONGEST_ABOUT:
            raise UserError(f"what it shall show: {len(about)} characters, at most {LONGEST_ABOUT}")
        if about and wish.method == "visual":
            raise UserError(
                "what it shall show is asked of language models: choose auto or language, or leave"
                " it empty"
            )
        if (about or wish.method == "language") and not self.language:
            raise UserError(
                "language: no language model is at hand here: choose auto or visual, or start"
                " `llmvs app small`, which downloads a pair of models once"
            )
        return asked(wish.length.strip() or "15%")

    def _duration(self, video: Path) -> float | None:
        seconds = seconds_of(video)
        if seconds:
            self._refuse_longer(video, seconds)
        return seconds

    def _refuse_longer(self, video: Path, seconds: float) -> None:
        if seconds > 60 * self.limits.minutes:
            raise UserError(
                f"{video.name}: longer than the {self.limits.minutes:g} minutes that are taken:"
                f" {ELSEWHERE}"
            )

    def _one_line(self, error: Exception, name: str) -> str:
        """Say what went wrong; who uploads knows nothing of our folders."""
        if isinstance(error, UserError):
            ours = rf"{re.escape(str(self.root))}/(results/job-[^/]+/)?"
            return " ".join(re.sub(ours, "", str(error)).split())
        if exhausted(error):
            return f"{name}: not enough memory here: try a smaller video"
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return f"{name}: no room left here for its summary: try again later"
        logger.error("%s", name, exc_info=error)
        return f"{name}: failed here, for a reason that the server's log tells"


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
