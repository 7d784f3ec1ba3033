"""One progress bar over all videos of a stage."""

import sys
from collections.abc import Sequence

from tqdm import tqdm


class Progress:
    """A bar in steps with ETA. Videos of unknown length count as the mean of those seen, so nothing is opened beforehand."""

    def __init__(self, what: str, lengths: Sequence[int | None]) -> None:
        """`lengths`: number of steps of every video; None where unknown."""
        self.known = [length for length in lengths if length is not None]
        self.n_videos, self.finished, self.n_steps = len(lengths), 0, 0
        self.bar = tqdm(total=self._total(), desc=what, unit="step", dynamic_ncols=True, mininterval=0.1 if sys.stderr.isatty() else 10)
        self.bar.set_postfix_str(f"video 1 of {self.n_videos}")

    def steps(self, count: int) -> None:
        """So many steps more are done."""
        self.n_steps += count
        self.bar.update(count)

    def video(self) -> None:
        """A video is done."""
        self.finished += 1
        self.bar.total = self._total()
        self.bar.set_postfix_str(f"video {min(self.finished + 1, self.n_videos)} of {self.n_videos}")

    def say(self, line: str) -> None:
        """Print a line without tearing the bar."""
        self.bar.write(line, file=sys.stderr)

    def _total(self) -> int | None:
        if len(self.known) == self.n_videos:
            return sum(self.known)
        return round(self.n_steps / self.finished * self.n_videos) if self.finished else None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()
