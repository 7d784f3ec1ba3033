"""The mean of a network's weights over the last epochs of its training."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class MeanWeights:
    """A running mean, every epoch's weights counting alike; one copy of them in memory.

    >>> mean = MeanWeights()
    >>> for value in (1.0, 2.0, 6.0):
    ...     mean.add({"w": torch.tensor([value])})
    >>> mean.weights["w"].item()
    3.0
    """

    def __init__(self) -> None:
        """Nothing is added yet."""
        self.count = 0
        self.weights: dict[str, Tensor] = {}

    def add(self, weights: Mapping[str, Tensor]) -> None:
        """Take an epoch's weights in; what is the same in all of them stays it to the bit."""
        self.count += 1
        for name, value in weights.items():
            if self.count == 1:
                self.weights[name] = value.detach().clone()
            else:
                self.weights[name] += (value.detach() - self.weights[name]) / self.count

    def state(self) -> dict[str, Any]:
        """As it stands in a checkpoint."""
        return {"count": self.count, "weights": self.weights}

    def restore(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on where a checkpoint stands."""
        self.count = state["count"]
        self.weights = {name: value.clone().to(device) for name, value in state["weights"].items()}
