"""A protocol of one measure, as somebody might add it."""

import numpy as np

from llmvs.evaluation import protocols as registry
from llmvs.evaluation.protocol import Protocol


class Best(Protocol):
    """What people think of the step that has the highest score."""

    names = ("best",)
    title = "gtscore of the step of highest score"
    kinds = ("votes", "ratings")
    measures = ("importance",)
    headers = ("importance %",)
    percent = True

    def compare_with(self, annotations):
        """Nothing depends on the annotations alone."""
        return lambda scores: {"importance": float(annotations.gtscore[np.argmax(scores)])}


class BestByRank(Best):
    """The same, computed after every epoch."""

    names = ("best_by_rank",)
    rank_correlation = True


def register(monkeypatch, *more):
    """Put protocols behind those of the registry."""
    monkeypatch.setattr(registry, "PROTOCOLS", (*registry.PROTOCOLS, *more))
