"""What people said of a video: their ratings or votes, their mean as the training target, and its
shots.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from llmvs.datasets.video import Video
from llmvs.errors import UserError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Annotations:
    """Hold what people said of one video. Frames are counted at the original frame rate; *steps*
    t = 0..T-1 are the sampled frames.
    """

    video: Video
    """What they saw; its picks are known."""
    n_frames: int
    gtscore: Array
    """float32 [T]: the training target, in [0, 1]: mean human importance of every step, unless a
    file brings another one.
    """
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
    own_mean: Array | None = None
    """float32 [T]: the annotators' mean at every step, where `gtscore` is another target; None
    where it is that mean.
    """

    @property
    def key(self) -> str:
        """The video's name within the dataset."""
        return self.video.key

    @property
    def name(self) -> str:
        """The video's human-readable name."""
        return self.video.name

    @property
    def fps(self) -> float | None:
        """Frames per second of the original video; None when unknown."""
        return self.video.fps

    @property
    def picks(self) -> Array:
        """int64 [T]: frame index of every step."""
        assert self.video.picks is not None
        return self.video.picks

    @property
    def n_steps(self) -> int:
        """T, the number of steps."""
        return len(self.picks)

    @property
    def people_mean(self) -> Array:
        """The annotators' own mean [T] at every step, in [0, 1]."""
        return self.gtscore if self.own_mean is None else self.own_mean

    def __post_init__(self) -> None:
        if self.video.picks is None:
            raise ValueError(f"{self.key}: annotations of a video whose steps are not known")

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

    def trim(self, n_steps: int) -> "Annotations":
        """Cut the annotations as if the video ended where step `n_steps` begins: for embeddings
        that cover only its
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
            video=replace(self.video, picks=self.picks[:n_steps]),
            gtscore=self.gtscore[:n_steps],
            own_mean=None if self.own_mean is None else self.own_mean[:n_steps],
            shots=shots,
            user_scores=cut(self.user_scores),
            user_summary=cut(self.user_summary),
            user_labels=cut(self.user_labels),
        )
