"""Where a run's figures go: a CSV file always, Weights & Biases where it is installed, others where
they are asked for; and what is kept from the screen.
"""

import csv
import importlib.util
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from lightning.pytorch.loggers import (
    CSVLogger,
    Logger,
    MLFlowLogger,
    TensorBoardLogger,
    WandbLogger,
)
from lightning.pytorch.utilities import rank_zero_only

from llmvs.config.schema import Config
from llmvs.console import is_first_process
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Array
from llmvs.errors import UserError
from llmvs.files import atomic

logger = logging.getLogger(__name__)

MODES = ("online", "offline", "disabled")
PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "mlflow": ("mlflow",)}
"""Logger -> the packages of which it needs one; its extra has its own name."""
MOST_PLOTS = 20
"""Videos whose scores are drawn: a dataset of thousands would fill the page and the disk."""


class RunLoggers:
    """What a run writes beside its result. W&B is started when it is first needed, and none of its
    troubles stops a run.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        """Nothing is opened yet.

        Args:
            config: of the run; its experiment is the group in W&B.
            folder: of the run; logs/metrics.csv and the other loggers' files go there.

        Raises:
            UserError: a logger's package is not installed.
        """
        check_loggers(config.log.loggers)
        self.config, self.folder = config, folder
        self.title = f"{config.experiment} fold {config.fold} seed {config.seed}"
        self._run: Any = None
        self._started = False

    def __enter__(self) -> "RunLoggers":
        """Itself; leaving the block ends the W&B run."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the W&B run, as failed after an error."""
        if self._run is not None:
            _finish(self._run, exit_code=0 if kind is None else 1)
        self._run = None

    @property
    def run(self) -> Any:
        """The W&B run, or None."""
        if not self._started and is_first_process() and "wandb" in self.config.log.loggers:
            self._run = _start_wandb(self.config, self.folder, self.title)
        self._started = True
        return self._run

    def loggers(self) -> list[Logger]:
        """Lightning loggers for the curves, the CSV file first."""
        found: list[Logger] = [EpochRows(self.folder, name="", version="logs")]
        if self.run is not None:
            found.append(Curves(experiment=self.run))
        if "tensorboard" in self.config.log.loggers:
            found.append(TensorBoardLogger(self.folder, name="", version="tensorboard"))
        if "mlflow" in self.config.log.loggers:
            found.append(self._mlflow())
        return found

    def _mlflow(self) -> Logger:
        """MLflow's client, writing a database in the run's folder where no server is named."""
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.folder.resolve()
        server = os.environ.get("MLFLOW_TRACKING_URI")
        return MLFlowLogger(
            experiment_name=self.config.log.project,
            run_name=self.title,
            tracking_uri=server or f"sqlite:///{place}/mlflow.db",
            artifact_location=None if server else (place / "mlflow").as_uri(),
        )

    def conclude(
        self,
        document: Mapping[str, Any],
        videos: Sequence[Annotations],
        scores: Mapping[str, Array],
    ) -> None:
        """Write the result to W&B: the selected epoch's figures, the final table, and the scores of
        test videos.

        Args:
            document: the content of result.json.
            videos: the test videos.
            scores: video -> float [T] step scores of the selected epoch.
        """
        if self.run is None:
            return
        try:
            import wandb

            table = wandb.Table(
                columns=["protocol", "row", "measure", "value"],
                data=_rows(document),
            )
            self.run.log(
                {**selected(document), "result": table, **_plots(videos[:MOST_PLOTS], scores)}
            )
            if len(videos) > MOST_PLOTS:
                logger.info(
                    "Weights & Biases: scores of %s of %s test videos are drawn",
                    MOST_PLOTS,
                    len(videos),
                )
        except Exception as error:  # noqa: BLE001 - the result is on disk already
            logger.warning("Weights & Biases did not take the result (%s)", _line(error))


def check_loggers(names: Sequence[str]) -> None:
    """Find out whether what the loggers need is installed.

    Raises:
        UserError: names the extra.
    """
    for name in names:
        packages = PACKAGES.get(name, ())
        if packages and not any(importlib.util.find_spec(package) for package in packages):
            raise UserError(
                f"log.loggers={name}: {packages[0]} is not installed: pip install 'llmvs[{name}]'"
            )


class EpochRows(CSVLogger):
    """One line per epoch, whose evaluation and training Lightning logs at different moments; and
    one per evaluation in the middle of an epoch, whose number is its `look`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Start an empty table."""
        super().__init__(*arguments, **options)
        self._rows: dict[tuple[float, float], dict[str, Any]] = {}

    @rank_zero_only
    def log_metrics(  # type: ignore[override]
        self, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        """Add figures to the line of their epoch, or of their look at it."""
        epoch, look = metrics.get("epoch", step or 0), metrics.get("look", 0)
        row = self._rows.setdefault((float(epoch), float(look)), {})
        row |= {name: float(value) for name, value in metrics.items()}
        row["step"] = step or 0

    @rank_zero_only
    def save(self) -> None:
        """Write the whole table, which replaces the one before."""
        names = sorted({name for row in self._rows.values() for name in row})
        if names:
            with (
                atomic(Path(self.log_dir) / "metrics.csv") as temporary,
                temporary.open("w", newline="") as file,
            ):
                table = csv.DictWriter(file, fieldnames=names)
                table.writeheader()
                table.writerows(self._rows.values())

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is not written yet."""
        self.save()


class Curves(WandbLogger):
    """Tells W&B, when a metric first appears, to draw it over epochs and which of its values is the
    best.

    The best value on the test videos is not named: choosing by it is what `selection=test` warns
    of.
    """

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """One epoch's figures."""
        if is_first_process():
            known: set[str] = self.__dict__.setdefault("_known", set())
            for name in sorted(metrics.keys() - known - {"epoch"}):
                self.experiment.define_metric(name, step_metric="epoch", summary=_best(name))
            known.update(metrics)
        super().log_metrics(metrics, step)


def _best(name: str) -> str | None:
    """Which value of a curve W&B shows in its summary; of the test videos' curves the last one.

    >>> _best("val/loss"), _best("val/paper/tau"), _best("test/paper/tau"), _best("lr")
    ('min', 'max', None, None)
    """
    if name.startswith("test/"):
        return None
    if name.endswith("/loss"):
        return "min"
    return "max" if name.startswith("val/") else None  # val/PROTOCOL/MEASURE


def selected(document: Mapping[str, Any]) -> dict[str, float]:
    """`selected/PART/PROTOCOL/MEASURE` -> its mean over the part's videos, at the epoch that the
    run's rule chose.

    W&B sweeps compare the last value of a metric; these are logged once, so it is the chosen
    epoch's and not the last one's.

    >>> means = {"val": {"paper": {"tau": 0.2, "rho": 0.3}}}
    >>> selected({"selection": "val", "rules": {"val": {"epoch": 7, "means": means}}})
    {'selected/val/paper/tau': 0.2, 'selected/val/paper/rho': 0.3}
    """
    means = document["rules"][document["selection"]]["means"]
    return {
        f"selected/{part}/{protocol}/{name}": value
        for part, rows in means.items()
        for protocol, pair in rows.items()
        for name, value in pair.items()
    }


def _rows(document: Mapping[str, Any]) -> list[list[Any]]:
    return [
        [protocol, row, measure, value]
        for protocol, block in document["protocols"].items()
        for row, values in block.items()
        for measure, value in values.items()
    ]


def _plots(videos: Sequence[Annotations], scores: Mapping[str, Array]) -> dict[str, Any]:
    """Per test video its scores and the people's over time."""
    import wandb

    return {
        f"scores/{video.key}": wandb.plot.line_series(
            xs=(video.picks / video.fps if video.fps else video.picks).tolist(),
            ys=[scores[video.key].tolist(), video.gtscore.tolist()],
            keys=["scores", "people (gtscore)"],
            title=f"{video.key} ({video.name})",
            xname="seconds" if video.fps else "frame",
        )
        for video in videos
    }


def _start_wandb(config: Config, folder: Path, title: str) -> Any:
    """A W&B run, or None; online falls back to offline, and that to nothing: a training never fails
    for its logs.
    """
    mode = _mode(config)
    if mode == "disabled":
        return None
    if not importlib.util.find_spec("wandb"):
        if mode == "online":
            logger.warning(
                "log.wandb=online: wandb is not installed (pip install 'llmvs[wandb]'): going"
                " on without W&B"
            )
        return None
    if mode == "offline":
        # Its error reports look a server up as it starts, although nothing is to be sent.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    for attempt, next_best in (("online", "offline"), ("offline", "without W&B"))[
        MODES.index(mode) :
    ]:
        try:
            if attempt == "online" and not wandb.login(prompt=False):
                raise RuntimeError("not logged in: `wandb login`, or set WANDB_API_KEY")
            folder.mkdir(parents=True, exist_ok=True)
            return wandb.init(
                project=config.log.project,
                group=config.experiment,
                name=title,
                dir=folder,
                config=asdict(config),
                mode=attempt,  # type: ignore[arg-type]
                settings=wandb.Settings(silent=True, console="off", init_timeout=30),
            )
        except Exception as error:  # noqa: BLE001 - whatever W&B raises, the training matters more
            logger.warning(
                "log.wandb=%s failed (%s): going on %s", attempt, _line(error), next_best
            )
    return None


def _mode(config: Config) -> str:
    """The configured mode; WANDB_MODE in the environment can only make it quieter."""
    asked = os.environ.get("WANDB_MODE", "online")
    return max(config.log.wandb, asked if asked in MODES else "online", key=MODES.index)


def _finish(run: Any, exit_code: int) -> None:
    """End a W&B run. What goes wrong then (a full disk, say) must not hide what went wrong before,
    nor be told in pages.
    """
    tell, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        run.finish(exit_code=exit_code)
    except Exception as error:  # noqa: BLE001 - see above
        logger.warning("Weights & Biases could not finish its files (%s)", _line(error))
    finally:
        logging.raiseExceptions = tell


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def silence() -> None:
    """Leave out what a user cannot act on; errors still pass."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
