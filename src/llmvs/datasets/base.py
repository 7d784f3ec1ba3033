"""What a dataset is: videos, what people said of them, and folds. Everything else in the project
reads only this.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
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

    source: str = ""
    """The file of its annotations, for messages."""
    features: Path | None = None
    """The h5 file that may hold `features` of its steps (`llmvs.datasets.features`); None: there is
    none.
    """
    absent: Mapping[str, str] = field(default_factory=dict)
    """Key -> why a video of its folds is left out of them (`data.absent=skip`)."""

    def __post_init__(self) -> None:
        cure = "its folder in the cache would go by it: call it otherwise"
        check_name(self.name, "dataset", cure)

    @property
    def lacking(self) -> list[str]:
        """Keys that its folds name, but that nothing is known of."""
        named = [
            key for kind in self.splits.values() for fold in kind for part in fold for key in part
        ]
        return [
            key for key in dict.fromkeys([*named, *self.validation]) if key not in self.annotations
        ]

    def without(self, absent: Mapping[str, str]) -> "Dataset":
        """Leave videos out of the folds, and remember them.

        Args:
            absent: key -> why.
        """

        def left(keys: Iterable[str]) -> list[str]:
            return [key for key in keys if key not in absent]

        return replace(
            self,
            annotations={key: self.annotations[key] for key in left(self.annotations)},
            splits={
                kind: [(left(train), left(test)) for train, test in folds]
                for kind, folds in self.splits.items()
            },
            validation=tuple(left(self.validation)),
            absent={**self.absent, **absent},
        )

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
