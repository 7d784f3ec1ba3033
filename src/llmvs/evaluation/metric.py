"""Step scores gathered over batches and ranks, one row per video, evaluated under the protocols
that are computed after every epoch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Array
from llmvs.evaluation.evaluate import Evaluation
from llmvs.evaluation.protocol import Comparison, Protocol, Values

ABSENT = float("-inf")
"""Fills what no rank has seen; below every score and every measure's value, so that a maximum over
ranks drops it.
"""


@dataclass(frozen=True)
class ScoredPart:
    """The step scores of one part of a fold, gathered from all ranks, and their evaluations."""

    scores: dict[str, Array]
    """Video -> float32 [T] step scores."""
    loss: float
    """Mean over videos of the mean squared error to `gtscore`."""
    evaluations: dict[str, Evaluation]
    """By protocol."""

    @property
    def means(self) -> dict[str, Values]:
        """Protocol -> mean over videos; NaN as soon as one video is undefined."""
        return {name: found.mean for name, found in self.evaluations.items()}

    @property
    def undefined(self) -> dict[str, list[str]]:
        """Protocol -> the videos whose scores have no ranking; protocols without such videos are
        left out.
        """
        bad = {name: found.undefined for name, found in self.evaluations.items()}
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
            protocols: by name, as `evaluation.protocols.rank_correlations` gives them; what has two
                names is computed once.
        """
        super().__init__()
        self.videos = list(videos)
        self.protocols = dict(protocols)
        self._prepared: dict[int, list[Comparison]] = {}
        longest = max((video.n_steps for video in self.videos), default=0)
        self.add_state(
            "scores", torch.full((len(self.videos), longest), ABSENT), dist_reduce_fx="max"
        )
        width = sum(len(protocol.measures) for protocol in self._distinct)
        self.add_state(
            "rows",
            torch.full((len(self.videos), width), ABSENT, dtype=torch.float64),
            dist_reduce_fx="max",
        )

    @property
    def _distinct(self) -> list[Protocol]:
        return list(dict.fromkeys(self.protocols.values()))

    def update(self, index: Tensor, scores: Tensor) -> None:
        """Evaluate a batch.

        Args:
            index: int [B], positions in `videos`.
            scores: float [B, T], T at least the longest video of the batch; ranked as float32.
        """
        for i, row in zip(index.tolist(), scores.detach().float(), strict=True):
            steps = self.videos[i].n_steps
            self.scores[i, :steps] = row[:steps]
            values = self._evaluate(i, row[:steps].cpu().numpy())
            self.rows[i] = torch.tensor(values, dtype=torch.float64, device=self.rows.device)

    def _evaluate(self, index: int, scores: Array) -> list[float]:
        """The values of every distinct protocol, one behind the other."""
        if index not in self._prepared:
            video = self.videos[index]
            self._prepared[index] = [protocol.prepare(video) for protocol in self._distinct]
        return [value for compare in self._prepared[index] for value in compare(scores).values()]

    def compute(self) -> tuple[Tensor, Tensor]:
        """Gather from all ranks: scores [V, longest T] and rows [V, values of every distinct
        protocol]; -inf where nothing was seen.
        """
        return self.scores, self.rows

    def gathered(self) -> ScoredPart:
        """The gathered scores and evaluations by name; videos that no rank has seen are left
        out.
        """
        scores, rows = (value.cpu().numpy() for value in self.compute())
        seen = {
            video.key: i for i, video in enumerate(self.videos) if not (rows[i] == ABSENT).any()
        }
        by_video = {key: scores[i, : self.videos[i].n_steps].copy() for key, i in seen.items()}
        errors = [
            float(np.mean((by_video[key].astype(np.float64) - self.videos[i].gtscore) ** 2))
            for key, i in seen.items()
        ]
        found, start = dict[Protocol, Evaluation](), 0
        for protocol in self._distinct:
            end = start + len(protocol.measures)
            per_video = {
                key: dict(zip(protocol.measures, rows[i, start:end].tolist(), strict=True))
                for key, i in seen.items()
            }
            found[protocol] = Evaluation.of(protocol, per_video, [list(seen)])
            start = end
        return ScoredPart(
            by_video,
            float(np.mean(errors)) if errors else float("nan"),
            {name: found[protocol] for name, protocol in self.protocols.items()},
        )
