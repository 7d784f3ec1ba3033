"""What a dataset is: videos, what people said of them, and folds. Everything else in the project
reads only this.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from llmvs.errors import UserError, nearest

Array = npt.NDArray


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
class Video:
    """One annotated video. Frames are counted at the original frame rate; *steps* t = 0..T-1 are
    the sampled frames.
    """

    key: str
    """Name within the dataset, such as `video_1`; also the name of its files in the cache."""
    name: str
    """Human-readable name, usually the stem of the video file."""
    n_frames: int
    picks: Array
    """int64 [T]: frame index of every step, increasing from 0."""
    gtscore: Array
    """float32 [T]: mean human importance of every step, in [0, 1]."""
    user_scores: Array | None = None
    """float or int [U, n_frames]: each annotator's rating of every frame (TVSum, demo); None where
    people voted.
    """
    user_summary: Array | None = None
    """uint8 [U, n_frames]: 1 where the annotator's summary shows the frame (SumMe); None where
    people rated.
    """
    user_labels: Array | None = None
    """int [U, n_frames]: SumMe's raw labels (index of the chosen segment, 0 where not chosen),
    where the file has them.
    """
    shots: Array | None = None
    """int64 [S, 2]: first and last frame of every shot, both inclusive, covering the video; None
    when unknown.
    """
    fps: float | None = None
    """Frames per second of the original video; None when unknown."""
    path: Path | None = None
    """The video file; None when only annotations are at hand."""
    counts_steps: bool = False
    """True where the annotations do not know the file's frames: one "frame" is one step, and the
    picks are 0..T-1 (Mr. HiSum).
    """

    @property
    def n_steps(self) -> int:
        """T, the number of steps."""
        return len(self.picks)

    def __post_init__(self) -> None:
        def check(ok: bool, problem: str) -> None:
            if not ok:
                raise UserError(f"{self.key} ({self.name}): {problem}")

        check(
            self.n_steps > 0 and len(self.gtscore) == self.n_steps,
            f"{len(self.gtscore)} gtscores for {self.n_steps} picks",
        )
        check(bool(np.isfinite(self.gtscore).all()), "gtscore holds NaN or infinite values")
        check(
            self.picks[0] >= 0 and bool((np.diff(self.picks) > 0).all()),
            "picks are not increasing frame indices",
        )
        check(
            self.picks[-1] < self.n_frames,
            f"the last pick is frame {self.picks[-1]}, but the video has {self.n_frames} frames",
        )
        for kind in ("user_scores", "user_summary", "user_labels"):
            people = getattr(self, kind)
            if people is not None:
                check(
                    people.ndim == 2 and people.shape[1] == self.n_frames,
                    f"{kind} has shape {people.shape}: expected [annotators, {self.n_frames}"
                    " frames]",
                )
                check(bool(np.isfinite(people).all()), f"{kind} holds NaN or infinite values")
        if self.shots is not None:
            check(
                self.shots.ndim == 2
                and self.shots.shape[1] == 2
                and bool((self.shots[:, 0] <= self.shots[:, 1]).all()),
                f"shots of shape {self.shots.shape} are not [first frame, last frame] rows",
            )
            check(
                self.shots[0, 0] == 0
                and self.shots[-1, 1] == self.n_frames - 1
                and bool((self.shots[1:, 0] == self.shots[:-1, 1] + 1).all()),
                f"the shots do not cover frames 0 to {self.n_frames - 1} without gaps",
            )

    def trim(self, n_steps: int) -> "Video":
        """The video as if it ended where step `n_steps` begins: for embeddings that cover only its
        first steps.
        """
        if not 0 < n_steps <= self.n_steps:
            raise ValueError(f"{self.key} has {self.n_steps} steps, cannot be trimmed to {n_steps}")
        if n_steps == self.n_steps:
            return self
        end = int(self.picks[n_steps])

        def cut(people: Array | None) -> Array | None:
            return None if people is None else people[:, :end]

        shots = self.shots
        if shots is not None:
            shots = np.minimum(shots[shots[:, 0] < end], end - 1)
        return replace(
            self,
            n_frames=end,
            picks=self.picks[:n_steps],
            gtscore=self.gtscore[:n_steps],
            shots=shots,
            user_scores=cut(self.user_scores),
            user_summary=cut(self.user_summary),
            user_labels=cut(self.user_labels),
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
    """Videos by key, and the (train keys, test keys) of every fold."""

    name: str
    annotation: Literal["votes", "ratings", "replays"]
    """`votes`: every annotator picked a summary (SumMe); `ratings`: every annotator rated all
    frames (TVSum); `replays`: how often
    a crowd played every second again, without any single annotator (Mr. HiSum)."""
    videos: dict[str, Video]
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

    def video(self, key: str) -> Video:
        """The video called `key`, or a UserError that suggests the nearest key."""
        if key not in self.videos:
            raise UserError(f"{self.name} has no video {key!r}{nearest(key, self.videos)}")
        return self.videos[key]
