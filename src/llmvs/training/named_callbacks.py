"""The callbacks that the group `trainer` names: which there are, and how they are made."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from llmvs.config.schema import Config
from llmvs.errors import UserError

if TYPE_CHECKING:
    from llmvs.datasets.base import Dataset, Fold

REFRESH = "refresh_embeddings"
CALLBACKS: dict[str, str | type[Callback]] = {
    "device_stats_monitor": "lightning.pytorch.callbacks.DeviceStatsMonitor",
    "early_stopping": "lightning.pytorch.callbacks.EarlyStopping",
    "learning_rate_monitor": "lightning.pytorch.callbacks.LearningRateMonitor",
    "model_checkpoint": "lightning.pytorch.callbacks.ModelCheckpoint",
    REFRESH: "llmvs.training.refresh.RefreshEmbeddings",
    "timer": "lightning.pytorch.callbacks.Timer",
}
"""Name in `trainer.callbacks` -> the class, or where it is."""


def named_callbacks(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name -> arguments of the callbacks in the group `trainer`.

    They are written as `[NAME, ...]`, `{NAME: {ARGUMENT: value}}`, or a list of both.

    >>> named_callbacks({"callbacks": ["timer", {"early_stopping": {"patience": 5}}]})
    {'timer': {}, 'early_stopping': {'patience': 5}}
    """
    written = settings.get("callbacks") or []
    found: dict[str, dict[str, Any]] = {}
    for entry in written if isinstance(written, list | tuple) else [written]:
        if not isinstance(entry, str | Mapping):
            raise UserError(
                f"trainer.callbacks={entry}: expected names, or a name and its arguments, such as"
                " trainer.callbacks=[timer] or trainer.callbacks.early_stopping.monitor=val/loss"
            )
        found |= {entry: {}} if isinstance(entry, str) else {n: a or {} for n, a in entry.items()}
    return found


def refreshes(config: Config) -> bool:
    """Whether the ranks of the training make the embeddings themselves."""
    return REFRESH in named_callbacks(config.trainer)


def made_callbacks(
    config: Config, dataset: "Dataset | None", fold: "Fold | None"
) -> list[Callback]:
    """Make the callbacks that the group `trainer` names.

    Args:
        config: of the run.
        dataset: what `refresh_embeddings` extracts; None: it cannot be asked for.
        fold: the same.

    Raises:
        UserError: arguments that a callback refuses.
    """
    made: list[Callback] = []
    for name, arguments in named_callbacks(config.trainer).items():
        found: Any = CALLBACKS[name]
        if isinstance(found, str):
            module, _, attribute = found.rpartition(".")
            found = getattr(importlib.import_module(module), attribute)
        try:
            made.append(found(config, dataset, fold) if name == REFRESH else found(**arguments))
        except (TypeError, ValueError, MisconfigurationException) as error:
            raise UserError(
                f"trainer.callbacks.{name}={arguments}: {' '.join(str(error).split())}"
            ) from error
    return made
