"""The questions of a fold in batches: chosen steps of the training videos to learn from, whole
videos to score.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from llmvs.cache.fingerprint import Identity, differences
from llmvs.config.schema import LoraConfig
from llmvs.console import tracked
from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError
from llmvs.extraction.numbers import nearest
from llmvs.models.adapters.answering import Asked
from llmvs.models.adapters.questions import Questions
from llmvs.models.batch import PARTS, START_OVER, GlobalBatches, OneByOne, Share, share_loader


class Sample(NamedTuple):
    """A step to learn from."""

    video: Annotations
    step: int
    number: int
    """The right answer: gtscore, mapped to 0..10."""
    asked: Asked


class Steps(NamedTuple):
    """A rank's share of a global batch of steps."""

    samples: list[Sample]
    weight: Tensor
    """float32 [B]; averaged over ranks, the weighted losses give the mean over the global batch."""
    steps: int
    """Steps of the global batch, over all ranks."""


def chosen(video: Annotations, most: int | None) -> list[int]:
    """At most `most` steps of a video, evenly spread, its first and last among them.

    They are the same in every epoch, so that a picture is decoded and prepared once.
    """
    if most is None or video.n_steps <= most:
        return list(range(video.n_steps))
    return sorted({round(t) for t in np.linspace(0, video.n_steps - 1, most)})


class _Samples(TorchDataset[Steps]):
    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = list(samples)

    def __getitem__(self, share: Share) -> Steps:
        return Steps(
            [self.samples[i] for i in share.which], torch.tensor(share.weight), share.n_videos
        )


class _Videos(TorchDataset[int]):
    def __getitem__(self, share: Share) -> int:
        return share.which[0]


class FinetuneData(L.LightningDataModule):
    """Serves the questions of a fold. The module that is trained knows how to ask them, once it has
    loaded its model.
    """

    def __init__(
        self,
        videos: Mapping[str, Sequence[Annotations]],
        config: LoraConfig,
        seed: int,
        identity: Identity,
    ) -> None:
        """Nothing is asked before the loaders are made.

        Args:
            videos: part -> its videos; parts without videos are left out.
            config: which steps, how many at a time.
            seed: decides the order of the steps, with the epoch.
            identity: what decides the questions; a checkpoint of other ones is refused.
        """
        super().__init__()
        self.videos = {part: list(videos[part]) for part in PARTS if videos.get(part)}
        self.config, self.seed, self.identity = config, seed, dict(identity)

    @property
    def evaluated(self) -> list[str]:
        """The parts that are scored, in the order of the loaders."""
        return [part for part in ("val", "test") if part in self.videos]

    def train_dataloader(self) -> DataLoader:
        """This rank's shares of the epoch's global batches of steps."""
        assert self.trainer is not None
        questions: Questions = self.trainer.lightning_module.questions  # type: ignore[assignment]
        samples = []
        for video in tracked(self.videos["train"], "questions", "video"):
            steps = chosen(video, self.config.steps_per_video)
            numbers = nearest(video.gtscore.tolist())
            samples += [
                Sample(video, t, numbers[t], asked)
                for t, asked in zip(steps, questions.about(video, set(steps)), strict=True)
            ]
        return share_loader(
            _Samples(samples),
            GlobalBatches(len(samples), self.config.batch_steps, self.seed, *self._rank()),
        )

    def val_dataloader(self) -> list[DataLoader]:
        """One loader per part in `evaluated`, of positions of its videos."""
        return [
            share_loader(_Videos(), OneByOne(len(self.videos[part]), *self._rank()))
            for part in self.evaluated
        ]

    def _rank(self) -> tuple[int, int]:
        return (
            (self.trainer.global_rank, self.trainer.world_size)
            if self.trainer is not None
            else (0, 1)
        )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must agree with before it may be continued."""
        return {
            "videos": {
                part: [video.key for video in videos] for part, videos in self.videos.items()
            },
            "identity": self.identity,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse a checkpoint that was trained on other videos or other questions.

        Raises:
            UserError: says what differs.
        """
        mine = self.state_dict()
        changes = differences(state_dict["identity"], mine["identity"])
        changes += [
            f"other {part} videos"
            for part in PARTS
            if state_dict["videos"].get(part) != mine["videos"].get(part)
        ]
        if changes:
            raise UserError(f"the checkpoint was trained with {'; '.join(changes)}: {START_OVER}")
