"""How far the runs of one command are, and which of them an error came from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from llmvs.config.load import run_folder
from llmvs.config.schema import Config
from llmvs.console import ProgressBar
from llmvs.errors import UserError

Numbered = tuple[int, Config]
"""A run and its place in the list of all."""


LAYOUT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
"""Of the bar: shares of runs are no figures for people."""


class RunProgress:
    """One line on standard error: how many runs are done, and the time left for all, from the share
    of epochs that is done.
    """

    def __init__(self, n_runs: int) -> None:
        self.shares = [0.0] * n_runs
        self.n_done = 0
        self.bar = ProgressBar("", n_runs, "run", layout=LAYOUT, counted=False)
        self._describe("")

    def callback(self, index: int, run: Config) -> Callable[[float], None]:
        """Show that run `index` begins; what it tells the share of it that is done."""
        self._describe(f", now {run.experiment} fold {run.fold} seed {run.seed}")
        return lambda share: self.reach(index, share)

    def reach(self, index: int, share: float) -> None:
        """Show that run `index` has come so far, from 0 to 1."""
        self.shares[index] = share
        self.bar.update(min(sum(self.shares), len(self.shares)) - self.bar.done)

    def done(self, index: int) -> None:
        """Show that run `index` is finished."""
        self.reach(index, 1.0)
        self.n_done += 1
        self._describe("")

    def _describe(self, more: str) -> None:
        self.bar.describe(f"{self.n_done} of {len(self.shares)} runs{more}")

    def __enter__(self) -> "RunProgress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.close()


@contextmanager
def named(run: Config) -> Iterator[None]:
    """Begin the line of a user's mistake with the folder of the run that it came from."""
    try:
        yield
    except UserError as error:
        folder = str(run_folder(run))
        raise error if folder in str(error) else UserError(f"{folder}: {error}") from error
