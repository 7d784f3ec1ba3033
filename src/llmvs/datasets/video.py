"""A video: a file, the frames of it that are its steps, and its name. What people said of it stands
elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from llmvs.errors import UserError, VideoError
from llmvs.files import check_name, printable, shown

Array = npt.NDArray[Any]
RENAME = "its files in the cache would go by it: rename the video"
"""What to do about a key that cannot be a file's name."""


@dataclass(frozen=True)
class Video:
    """Name one video: of a dataset, or a file of the user's own."""

    key: str
    """Name within the dataset, such as `video_1`; also the name of its files in the cache."""
    name: str
    """Human-readable name, usually the stem of the video file."""
    path: Path | None = None
    """The video file; None when only annotations, or captions from elsewhere, are at hand."""
    picks: Array | None = None
    """int64 [T]: frame index of every step, increasing from 0; None: whatever the sampling gives.
    """
    fps: float | None = None
    """Frames per second of the original video; None when unknown."""
    counts_steps: bool = False
    """True where the annotations do not know the file's frames: one "frame" is one step, and the
    picks are 0..T-1 (Mr. HiSum).
    """
    transcript: Path | None = None
    """Its subtitles (.srt, .vtt); None: those beside the file, if there are any."""
    origin: str = ""
    """The dataset's name where videos of several stand together: the key is then `ORIGIN/KEY`."""

    def __post_init__(self) -> None:
        own = self.key.removeprefix(f"{self.origin}/") if self.origin else self.key
        place = f"video {shown(self.name)}" if self.path is None else printable(self.path)
        check_name(own, place, RENAME, VideoError)

    @classmethod
    def file(cls, path: Path) -> "Video":
        """Make a video of a file without annotations.

        Raises:
            VideoError: nothing in the cache can be called as the file is.
        """
        return cls(path.stem, path.name, path)

    @property
    def n_steps(self) -> int | None:
        """T, where it is known without opening the file."""
        return None if self.picks is None else len(self.picks)

    @property
    def n_bytes(self) -> int:
        """Size of the video file; 0 where there is none."""
        try:
            return 0 if self.path is None else self.path.stat().st_size
        except OSError:
            return 0


def check_keys(videos: Sequence[Video]) -> None:
    """Refuse two videos that would share their files in the cache.

    Raises:
        UserError: names both files.
    """
    seen: dict[str, Video] = {}
    for video in videos:
        if video.key in seen:
            raise UserError(
                f"{video.path} and {seen[video.key].path} would both be called {video.key}:"
                " rename one of them"
            )
        seen[video.key] = video
