"""Hold several videos behind each other without padding, and decide which videos make a batch.

A *global batch* is what one optimizer step sees. It is a pure function of (seed, epoch); the ranks
share it out among themselves, so the number of devices changes who computes what, never what is
computed.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler
from torch.utils.data import Dataset as TorchDataset

PARTS = ("train", "val", "test")
START_OVER = "start over with resume=false, or use another experiment name"


class Batch(NamedTuple):
    """A rank's share of some videos, their steps packed: one video's behind the other's."""

    steps: Tensor
    """float32 [N, D]: the embeddings of all steps, N = the sum of `lengths`."""
    lengths: Tensor
    """int64 [B]: steps of every video, in order."""
    gtscore: Tensor
    """float32 [N]: what people said of every step."""
    position: Tensor
    """int64 [B]: position of the video in its part."""
    weight: Tensor
    """float32 [B]: the videos' weights in the loss; averaged over ranks they give the mean over the
    global batch.
    """
    n_videos: int
    """Videos of the global batch, over all ranks."""
    keys: list[str]
    """Keys of the videos."""
    names: list[str]
    """Names of the videos, for people."""

    def parts(self, count: int) -> "list[Batch]":
        """Cut it into so many batches of neighbouring videos, or into single ones where there are
        fewer videos.
        """
        n_videos = len(self.keys)
        cuts = [n_videos * i // min(count, n_videos) for i in range(min(count, n_videos) + 1)]
        ends = [0, *self.lengths.cumsum(0).tolist()]
        return [self._part(slice(*pair), ends) for pair in pairwise(cuts)]

    def _part(self, videos: slice, ends: Sequence[int]) -> "Batch":
        steps = slice(ends[videos.start], ends[videos.stop])
        return Batch(
            self.steps[steps],
            self.lengths[videos],
            self.gtscore[steps],
            self.position[videos],
            self.weight[videos],
            self.n_videos,
            self.keys[videos],
            self.names[videos],
        )


class Share(NamedTuple):
    """Which videos of a part make a batch, and their weights."""

    which: list[int]
    weight: list[float]
    n_videos: int


class _Shares(DistributedSampler):
    """Deals out videos to ranks by itself: as a DistributedSampler it is left alone by a trainer
    that would put one of its own in its place.
    """

    def __init__(self, n_videos: int, rank: int, world_size: int) -> None:
        self.n_videos, self.rank, self.world_size = n_videos, rank, world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; Lightning calls this before every epoch."""
        self.epoch = epoch


class GlobalBatches(_Shares):
    """This rank's share of every global batch of an epoch, shuffled by (seed, epoch) alone."""

    def __init__(
        self, n_videos: int, batch_videos: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        super().__init__(n_videos, rank, world_size)
        self.batch_videos, self.seed = batch_videos, seed

    def __len__(self) -> int:
        return -(-self.n_videos // self.batch_videos)  # noqa: PLE0303

    def __iter__(self) -> Iterator[Share]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.n_videos).tolist()
        for start in range(0, self.n_videos, self.batch_videos):
            batch = order[start : start + self.batch_videos]
            mine = batch[self.rank :: self.world_size]
            # A rank without a video still has to take part in the gradient's averaging.
            yield Share(
                mine or batch[:1], [self.world_size / len(batch)] * len(mine) or [0.0], len(batch)
            )


class OneByOne(_Shares):
    """This rank's share of a part for evaluation, one video at a time: a score then never depends
    on the videos beside it.

    All ranks get equally many; the surplus repeats videos, which `VideoScores` counts once.
    """

    def __init__(self, n_videos: int, rank: int = 0, world_size: int = 1) -> None:
        super().__init__(n_videos, rank, world_size)
        self.mine = [
            i % n_videos for i in range(rank, -(-n_videos // world_size) * world_size, world_size)
        ]

    def __len__(self) -> int:
        return len(self.mine)

    def __iter__(self) -> Iterator[Share]:
        return (Share([i], [1.0], 1) for i in self.mine)


class _OneAhead(_Shares):
    """Says of every share what comes after it, before it is asked for."""

    def __init__(self, shares: _Shares, expect: Callable[[Share], None]) -> None:
        super().__init__(shares.n_videos, shares.rank, shares.world_size)
        self.shares, self.expect = shares, expect

    def set_epoch(self, epoch: int) -> None:
        self.shares.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.shares)

    def __iter__(self) -> Iterator[Share]:
        coming = iter(self.shares)
        share = next(coming)
        for following in coming:
            self.expect(following)
            yield share
            share = following
        yield share


def share_loader(
    data: TorchDataset, shares: _Shares, expect: Callable[[Share], None] | None = None
) -> DataLoader:
    """Load the batches that `data` makes of every share; `expect` is told the next one.

    The loader has a generator of its own: otherwise every iteration would draw from the global one,
    and evaluation would change the training.
    """
    return DataLoader(
        data,
        sampler=_OneAhead(shares, expect) if expect else shares,
        batch_size=None,
        generator=torch.Generator(),
        collate_fn=_as_it_is,
    )


def _as_it_is(batch: Any) -> Any:
    return batch
