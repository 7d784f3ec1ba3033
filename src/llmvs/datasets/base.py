"""What a dataset is: videos, what people said of them, and folds. Everything else in the project
reads only this.
"""

from dataclasses import dataclass
from typing import Literal

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Video
from llmvs.errors import UserError, nearest
from llmvs.files import check_name


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video are its steps: exactly one of the two is given."""

    fps: float | None = None
    """Steps per second of video."""
    every_nth_frame: int | None = None
    """A step every so many frames."""

    def __str__(self) -> str:
        return (
            f"extract.fps={self.fps:g}"
            if self.fps
            else f"extract.every_nth_frame={self.every_nth_frame}"
        )


@dataclass(frozen=True)
class Fold:
    """One train/test split; `train` and `val` are disjoint parts of the published training set."""

    index: int
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """Annotated videos by key, and the (train keys, test keys) of every fold."""

    name: str
    annotation: Literal["votes", "ratings", "replays"]
    """`votes`: every annotator picked a summary (SumMe); `ratings`: every annotator rated all
    frames (TVSum); `replays`: how often
    a crowd played every second again, without any single annotator (Mr. HiSum)."""
    annotations: dict[str, Annotations]
    """Key -> what people said of the video, which it names."""
    splits: dict[str, list[tuple[list[str], list[str]]]]
    """`paper` and `disjoint`, each a list of (train keys, test keys)."""
    synthetic: bool = False
    """True when no human made the annotations; said wherever figures are shown."""
    sampling: Sampling | None = None
    """The steps that the annotations are of; None where they are of whatever steps the settings ask
    for.
    """
    validation: tuple[str, ...] = ()
    """Keys that the dataset's authors hold out for validation; empty where a part of the training
    videos serves.
    """

    def __post_init__(self) -> None:
        cure = "its folder in the cache would go by it: call it otherwise"
        check_name(self.name, "dataset", cure)

    @property
    def videos(self) -> dict[str, Video]:
        """Key -> video."""
        return {key: annotations.video for key, annotations in self.annotations.items()}

    def video(self, key: str) -> Video:
        """Give the video called `key`.

        Raises:
            UserError: there is none; suggests the nearest key.
        """
        return self.annotations_of(key).video

    def annotations_of(self, key: str) -> Annotations:
        """Give what people said of the video called `key`.

        Raises:
            UserError: there is none; suggests the nearest key.
        """
        if key not in self.annotations:
            raise UserError(f"{self.name} has no video {key!r}{nearest(key, self.annotations)}")
        return self.annotations[key]
