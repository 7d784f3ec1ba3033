"""The published training and validation procedure, plainly written by ourselves: a yardstick for
`protocol.py`, not a part of the product.

* full precision, one video after the other, the gradients of ten accumulated for an optimizer step;
* twice an epoch all test videos are scored one by one, and for every one of them the table of
  ratings is read again and compared with scipy, annotator by annotator;
* every validation writes two whole checkpoints (best tau, best rho) with the optimizer's state.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kendalltau, spearmanr
from torch import Tensor, nn

ACCUMULATE = 10
"""Videos per optimizer step."""
PICK_EVERY = 15
"""Frames between two steps."""


@dataclass(frozen=True)
class Item:
    """One video with its embeddings."""

    name: str
    """As the table of ratings calls it."""
    q: Tensor
    """float32 [T, D]."""
    a: Tensor
    """float32 [T, D]."""
    gtscore: Tensor
    """float32 [T]."""


class Network(nn.Module):
    """The released head, for one video at a time, by PyTorch's own transformer."""

    def __init__(self, input_dim: int, dim: int, layers: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(input_dim, dim), nn.LayerNorm(dim))
        layer = nn.TransformerEncoderLayer(dim, heads, feedforward, 0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        half, quarter, eighth, last = (dim // 2**i for i in range(1, 5))
        self.score = nn.Sequential(
            nn.Linear(dim, half),
            nn.LayerNorm(half),
            nn.ReLU(),
            nn.Linear(half, quarter),
            nn.ReLU(),
            nn.Linear(quarter, eighth),
            nn.LayerNorm(eighth),
            nn.ReLU(),
            nn.Linear(eighth, last),
            nn.ReLU(),
            nn.Linear(last, 1),
            nn.Sigmoid(),
        )

    def forward(self, steps: Tensor) -> Tensor:
        """[T, D] -> [T]."""
        hidden: Tensor = self.encoder(self.project(steps)[None])[0]
        scores: Tensor = self.score(hidden)
        return scores.squeeze(-1)


def read_ratings(table: Path) -> dict[str, list[np.ndarray]]:
    """All ratings of the authors' table, by video: what is done again for every video."""
    csv.field_size_limit(10**8)
    ratings: dict[str, list[np.ndarray]] = {}
    with table.open(encoding="utf-8") as file:
        for name, _, row in csv.reader(file, delimiter="\t"):
            ratings.setdefault(name, []).append(np.array(row.split(","), dtype=np.float32))
    return ratings


def validate(network: Network, items: Sequence[Item], table: Path) -> tuple[float, float]:
    """Mean tau and rho over the videos."""
    network.eval()
    taus, rhos = [], []
    for item in items:
        with torch.no_grad():
            scores = network(torch.maximum(item.q, item.a)).numpy()
        people = [row[::PICK_EVERY] for row in read_ratings(table)[item.name]]
        taus.append(np.mean([kendalltau(scores, row)[0] for row in people]))
        rhos.append(np.mean([spearmanr(scores, row)[0] for row in people]))
    network.train()
    return float(np.mean(taus)), float(np.mean(rhos))


def epoch(
    network: Network,
    optimizer: torch.optim.Optimizer,
    train: Sequence[Item],
    test: Sequence[Item],
    table: Path,
    folder: Path,
) -> None:
    """One pass over the training videos, with a validation in the middle and one at the end."""
    network.train()
    order = torch.randperm(len(train)).tolist()
    halves = {len(order) // 2, len(order)}
    for done, which in enumerate(order, start=1):
        item = train[which]
        loss = nn.functional.mse_loss(network(torch.maximum(item.q, item.a)), item.gtscore)
        (loss / ACCUMULATE).backward()
        if done % ACCUMULATE == 0 or done == len(order):
            nn.utils.clip_grad_norm_(network.parameters(), 0.01)
            optimizer.step()
            optimizer.zero_grad()
        if done in halves:
            validate(network, test, table)
            for name in ("best_tau.ckpt", "best_rho.ckpt"):
                state = {"weights": network.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save(state, folder / name)
