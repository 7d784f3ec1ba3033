"""Which epochs of a training are kept, and which of them is the run's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmvs.config.schema import Config
from llmvs.datasets.base import Dataset
from llmvs.evaluation.criteria import criteria, row_key

PARTS = ("val", "test")
"""The parts that can choose an epoch: videos held out, or (as published) the test videos."""


@dataclass(frozen=True)
class Selection:
    """Which epochs are kept, and which of them is the run's."""

    rule: str
    """`last`, `val`, `test` or `inner`."""
    by: tuple[str, ...]
    """What makes an epoch the best, see `llmvs.evaluation.criteria`; the first decides."""
    looks: int = 1
    """Evaluations per epoch."""
    epochs: Mapping[str, int] = field(default_factory=dict)
    """Row -> an epoch, counted from 0, that was chosen beforehand."""

    @property
    def choices(self) -> dict[str, tuple[str, str]]:
        """Row -> the part that chooses its epoch, and by what."""
        return {
            part if criterion == self.by[0] else row_key(part, criterion): (part, criterion)
            for part in PARTS
            for criterion in self.by
        }

    def look_after(self, step: int, steps: int) -> int:
        """The number, counted from 1, of the look that comes after a step of an epoch's; 0: none.
        The last one comes with the epoch's own evaluation. An epoch of few steps has fewer looks.

        >>> [Selection("test", ("loss",), looks=2).look_after(step, 5) for step in (1, 2, 3, 4, 5)]
        [0, 1, 0, 0, 0]
        """
        looks = {look * steps // self.looks: look for look in range(1, self.looks)}
        return looks.get(step, 0) if step < steps else 0

    def state(self) -> dict[str, Any]:
        """As it stands in a checkpoint."""
        return {
            "selection": self.rule,
            "selection_by": ", ".join(self.by),
            "selection_looks": self.looks,
            **{f"epoch of {row}": epoch for row, epoch in self.epochs.items()},
        }


def selection_of(
    config: Config, dataset: Dataset, epochs: Mapping[str, int] | None = None
) -> Selection:
    """Which epochs a run keeps.

    Args:
        config: the run.
        dataset: its.
        epochs: row -> an epoch that was chosen beforehand.

    Raises:
        UserError: `selection_by` names a protocol that the dataset does not allow.
    """
    by = criteria(config.selection_by, dataset)
    return Selection(config.selection, by, config.selection_looks, dict(epochs or {}))


def of_this_version(state: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint kept, also where an older version wrote it: one that knew one criterion."""
    if not isinstance(state["selection"], str):
        return state
    kept = {
        row: {**record, "figure": next(iter(record["means"][row].values()))[0]}
        if row in PARTS
        else record
        for row, record in state["kept"].items()
    }
    selection = Selection(state["selection"], ("paper/tau",))
    return {**state, "selection": selection.state(), "kept": kept}
