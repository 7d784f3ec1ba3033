"""Step scores gathered over batches and ranks, one row per video, evaluated under every protocol of
the dataset.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Array
from llmvs.evaluation.correlation import Correlation
from llmvs.evaluation.protocols import Prepared, Protocol, mean

ABSENT = float("-inf")
"""Fills what no rank has seen; below every score and every correlation, so that a maximum over
ranks drops it.
"""


@dataclass(frozen=True)
class ScoredPart:
    """What a metric has seen of one part of a fold."""

    rows: dict[str, dict[str, Correlation]]
    """Protocol -> video -> tau and rho; NaN where undefined (constant scores)."""
    scores: dict[str, Array]
    """Video -> float32 [T] step scores."""
    loss: float
    """Mean over videos of the mean squared error to `gtscore`."""

    @property
    def means(self) -> dict[str, Correlation]:
        """Protocol -> mean over videos; NaN as soon as one video is undefined."""
        return {name: mean(rows.values()) for name, rows in self.rows.items()}

    @property
    def undefined(self) -> dict[str, list[str]]:
        """Protocol -> the videos whose scores have no ranking; protocols without such videos are
        left out.
        """
        bad = {
            name: [key for key, row in rows.items() if row.tau != row.tau]
            for name, rows in self.rows.items()
        }
        return {name: keys for name, keys in bad.items() if keys}


class VideoScores(Metric):
    """Keeps one row per video, however often and on whichever ranks it is seen, so it is exact for
    any number of ranks.
    """

    full_state_update = False
    scores: Tensor
    rows: Tensor

    def __init__(self, videos: Sequence[Annotations], protocols: Mapping[str, Protocol]) -> None:
        """Protocols are prepared when their video is first seen: a rank pays only for the videos it
        scores.

        Args:
            videos: the part's videos; `update` refers to them by position.
            protocols: by name, as `evaluation.protocols` gives them.
        """
        super().__init__()
        self.videos = list(videos)
        self.protocols = dict(protocols)
        self._prepared: dict[int, list[Prepared]] = {}
        longest = max((video.n_steps for video in self.videos), default=0)
        self.add_state(
            "scores", torch.full((len(self.videos), longest), ABSENT), dist_reduce_fx="max"
        )
        self.add_state(
            "rows",
            torch.full((len(self.videos), len(self.protocols), 2), ABSENT, dtype=torch.float64),
            dist_reduce_fx="max",
        )

    def update(self, index: Tensor, scores: Tensor) -> None:
        """Evaluate a batch.

        Args:
            index: int [B], positions in `videos`.
            scores: float [B, T], T at least the longest video of the batch; ranked as float32.
        """
        for i, row in zip(index.tolist(), scores.detach().float(), strict=True):
            steps = self.videos[i].n_steps
            self.scores[i, :steps] = row[:steps]
            found = self._evaluate(i, row[:steps].cpu().numpy())
            self.rows[i] = torch.tensor(found, dtype=torch.float64, device=self.rows.device)

    def _evaluate(self, index: int, scores: Array) -> list[Correlation]:
        """One correlation per protocol; two names of the same protocol are computed once."""
        distinct = _distinct(self.protocols.values())
        if index not in self._prepared:
            self._prepared[index] = [protocol.prepare(self.videos[index]) for protocol in distinct]
        found = {
            id(protocol): prepared(scores)
            for protocol, prepared in zip(distinct, self._prepared[index], strict=True)
        }
        return [found[id(protocol)] for protocol in self.protocols.values()]

    def compute(self) -> tuple[Tensor, Tensor]:
        """Gather from all ranks: scores [V, longest T] and rows [V, protocols, (tau, rho)]; -inf
        where nothing was seen.
        """
        return self.scores, self.rows

    def gathered(self) -> ScoredPart:
        """The gathered scores and rows by name; videos that no rank has seen are left out."""
        scores, rows = (value.cpu().numpy() for value in self.compute())
        seen = [i for i in range(len(self.videos)) if not (rows[i] == ABSENT).any()]
        keys = {i: self.videos[i].key for i in seen}
        by_video = {keys[i]: scores[i, : self.videos[i].n_steps].copy() for i in seen}
        errors = [
            float(np.mean((by_video[keys[i]].astype(np.float64) - self.videos[i].gtscore) ** 2))
            for i in seen
        ]
        table = {
            name: {keys[i]: Correlation(*rows[i, p].tolist()) for i in seen}
            for p, name in enumerate(self.protocols)
        }
        return ScoredPart(table, by_video, float(np.mean(errors)) if errors else float("nan"))


def _distinct(protocols: Iterable[Protocol]) -> list[Protocol]:
    return list({id(protocol): protocol for protocol in protocols}.values())
