"""One progress bar over all videos of a stage."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol, TypeVar

from llmvs.console import ProgressBar, is_first_process, tracked

T = TypeVar("T")


class Progress:
    """A bar in steps with ETA. Videos of unknown length count as the mean of those seen, so nothing
    is opened beforehand.

    Only the first process shows one: of its own share, which takes as long as anybody's, and beside
    it what all have done.
    """

    def __init__(
        self, what: str, lengths: Sequence[int | None], overall: Callable[[], str] | None = None
    ) -> None:
        """Open the bar; without videos it waits for the first that turns up.

        Args:
            what: is being made.
            lengths: number of steps of every video; None where unknown.
            overall: says how far all ranks are.
        """
        self.what, self.overall, self.n_videos = what, overall, len(lengths)
        self.known = None if None in lengths else sum(length or 0 for length in lengths)
        self.finished = self.n_steps = 0
        self.bar: ProgressBar | None = self._open() if lengths else None

    def steps(self, count: int) -> None:
        """So many steps more are done."""
        if self.bar is None:
            self.bar = self._open()
        self.n_steps += count
        self.bar.update(count)

    def video(self) -> None:
        """A video is done, or has failed."""
        self.finished += 1
        self.n_videos = max(self.n_videos, self.finished)
        if self.bar is not None:
            self.bar.total = self._total()
            self.bar.note(self._which())

    def _open(self) -> ProgressBar:
        bar = ProgressBar(self.what, self._total(), "step")
        bar.note(self._which())
        return bar

    def _which(self) -> str:
        video = f"video {min(self.finished + 1, self.n_videos)} of {self.n_videos}"
        return (
            f"{video}, {self.overall()}"
            if self.overall is not None and is_first_process()
            else video
        )

    def _total(self) -> int | None:
        if self.known is not None and self.n_steps <= self.known:
            return self.known
        return (
            max(self.n_steps, round(self.n_steps / self.finished * self.n_videos))
            if self.finished
            else None
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()


class Listed(Protocol):
    """A folder of finished videos."""

    def keys(self) -> Collection[str]:
        """The videos that are there."""


def all_ranks(folder: Listed, n_videos: int | None) -> Callable[[], str] | None:
    """Says how many of `n_videos` are there, whichever rank made them; None for a single rank."""
    return None if n_videos is None else lambda: f"{len(folder.keys())} of {n_videos} by all ranks"


def checked(items: Sequence[T]) -> Iterable[T]:
    """The items, with a bar where looking at them takes long."""
    return tracked(items, "check", "video") if items else items
