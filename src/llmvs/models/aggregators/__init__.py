"""Let the steps of a video see each other: the head's middle part, by name.

An aggregator is one file here and one line in `AGGREGATORS`; `base` says what it takes and gives.
This module is light, so that a misspelt name is found before anything is computed.
"""

import importlib
from typing import TYPE_CHECKING

from llmvs.errors import UserError, nearest

if TYPE_CHECKING:
    from llmvs.config.schema import HeadConfig
    from llmvs.models.aggregators.base import Aggregator

AGGREGATORS: dict[str, "str | type[Aggregator]"] = {
    "attention": "llmvs.models.aggregators.attention.Attention",
    "csta": "llmvs.models.aggregators.csta.CSTA",
    "feedforward": "llmvs.models.aggregators.feedforward.FeedForward",
    "mlp": "llmvs.models.aggregators.mlp.NoLayers",
    "pglsum": "llmvs.models.aggregators.pglsum.PGLSUM",
    "vasnet": "llmvs.models.aggregators.vasnet.VASNet",
}
"""`head.aggregator` -> the class, or where it is."""


def make_aggregator(config: "HeadConfig") -> "Aggregator":
    """Make the aggregator that the settings name.

    Raises:
        UserError: no such aggregator.
    """
    check_aggregator(config.aggregator)
    found = AGGREGATORS[config.aggregator]
    if isinstance(found, str):
        module, _, name = found.rpartition(".")
        found = getattr(importlib.import_module(module), name)
    made: Aggregator = found(config)
    return made


def check_aggregator(name: str) -> None:
    """Refuse a name that is not in `AGGREGATORS`.

    Raises:
        UserError: names the nearest.
    """
    if name not in AGGREGATORS:
        raise UserError(f"head.aggregator={name}: no such aggregator{nearest(name, AGGREGATORS)}")
