"""The cached embeddings of one fold as padded and masked batches of videos, held in memory.

A *global batch* is what one optimizer step sees. It is a pure function of (seed, epoch); the ranks
share it out among themselves, so the number of devices changes who computes what, never what is
computed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset
from tqdm import tqdm

from llmvs.cache.captions import visual_features
from llmvs.cache.embeddings import EmbeddingCache, Embeddings, differences
from llmvs.config.schema import Inputs
from llmvs.console import say
from llmvs.datasets.base import Dataset, Fold, Video
from llmvs.errors import UserError
from llmvs.models.head import step_embeddings

PARTS = ("train", "val", "test")
Extra = tuple[Dataset, EmbeddingCache]
"""Another dataset, all of whose videos train too, and their embeddings."""
START_OVER = "start over with resume=false, or use another experiment name"


class Batch(NamedTuple):
    """A rank's share of some videos, padded at the end to the longest of them."""

    embeddings: Tensor
    """float32 [B, T, D]."""
    mask: Tensor
    """bool [B, T]: True where a step is real."""
    gtscore: Tensor
    """float32 [B, T], 0 in the padding."""
    video: Tensor
    """int64 [B]: position of the video in its part."""
    weight: Tensor
    """float32 [B]: the videos' weights in the loss; averaged over ranks they give the mean over the
    global batch.
    """
    videos: int
    """Videos of the global batch, over all ranks."""


class Share(NamedTuple):
    """Which videos of a part make a batch, and their weights."""

    which: list[int]
    weight: list[float]
    videos: int


class GlobalBatches(Sampler[Share]):
    """This rank's share of every global batch of an epoch, shuffled by (seed, epoch) alone."""

    def __init__(
        self, n_videos: int, batch_videos: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self.n_videos, self.batch_videos, self.seed = n_videos, batch_videos, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; Lightning calls this before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.n_videos // self.batch_videos)  # noqa: PLE0303 - it is not negative

    def __iter__(self) -> Iterator[Share]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.n_videos).tolist()
        for start in range(0, self.n_videos, self.batch_videos):
            batch = order[start : start + self.batch_videos]
            mine = batch[self.rank :: self.world_size]
            # A rank without a video still has to take part in the gradient's averaging.
            yield Share(
                mine or batch[:1], [self.world_size / len(batch)] * len(mine) or [0.0], len(batch)
            )


class OneByOne(Sampler[Share]):
    """This rank's share of a part for judging, one video at a time: a score then never depends on
    another video's length.

    All ranks get equally many; the surplus repeats videos, which `VideoScores` counts once.
    """

    def __init__(self, n_videos: int, rank: int = 0, world_size: int = 1) -> None:
        self.mine = [
            i % n_videos for i in range(rank, -(-n_videos // world_size) * world_size, world_size)
        ]

    def __len__(self) -> int:
        return len(self.mine)

    def __iter__(self) -> Iterator[Share]:
        return (Share([i], [1.0], 1) for i in self.mine)


class Part(TorchDataset[Batch]):
    """The videos of train, val or test; asked for a share, it gives the batch."""

    def __init__(
        self, videos: Sequence[Video], embeddings: Sequence[Tensor], device: torch.device
    ) -> None:
        self.videos = list(videos)
        self.embeddings = [value.to(device) for value in embeddings]
        self.gtscores = [torch.from_numpy(video.gtscore).float().to(device) for video in videos]

    def __getitem__(self, share: Share) -> Batch:
        embeddings = pad_sequence([self.embeddings[i] for i in share.which], batch_first=True)
        gtscore = pad_sequence([self.gtscores[i] for i in share.which], batch_first=True)
        lengths = torch.tensor([self.videos[i].n_steps for i in share.which], device=gtscore.device)
        mask = torch.arange(gtscore.shape[1], device=gtscore.device) < lengths[:, None]
        return Batch(
            embeddings,
            mask,
            gtscore,
            torch.tensor(share.which),
            torch.tensor(share.weight),
            share.videos,
        )


class EmbeddingDataModule(L.LightningDataModule):
    """Load the embeddings of a fold once and serve them from memory (the GPU's where they fit)."""

    def __init__(
        self,
        dataset: Dataset,
        fold: Fold,
        cache: EmbeddingCache | None,
        *,
        inputs: Inputs = "qa",
        incomplete: Literal["refuse", "trim"] = "refuse",
        batch_videos: int = 10,
        seed: int = 1112,
        extra: Sequence[Extra] = (),
    ) -> None:
        """Nothing is read before `setup`.

        Args:
            dataset: gives the videos of the keys in `fold`.
            fold: which videos train, hold out (may be empty) and test.
            cache: their embeddings; None: `use` names them later, as
                `llmvs.training.refresh.RefreshEmbeddings` does.
            inputs: what a step's embedding is, see `llmvs.models.head.step_embeddings`.
            incomplete: what to do with a test video whose embeddings end early.
            batch_videos: videos per optimizer step, over all ranks.
            seed: decides the order of the training videos, with the epoch.
            extra: other datasets, all of whose videos train too, under the key `DATASET/KEY` and
                with their own scale of gtscore; `fold.train` may be empty then.
        """
        super().__init__()
        self.dataset, self.fold, self._cache = dataset, fold, cache
        self.inputs, self.incomplete = inputs, incomplete
        self.batch_videos, self.seed = batch_videos, seed
        self.extra = tuple(extra)
        self.parts: dict[str, Part] = {}

    @property
    def cache(self) -> EmbeddingCache:
        """Where the embeddings are.

        Raises:
            UserError: no cache was given.
        """
        if self._cache is None:
            raise UserError(
                "no embeddings were given: name a cache, or add the callback RefreshEmbeddings to"
                " the trainer"
            )
        return self._cache

    def use(self, cache: EmbeddingCache) -> None:
        """Serve the embeddings of `cache` from now on; `setup` loads them."""
        self._cache, self.parts = cache, {}

    @property
    def videos(self) -> dict[str, list[Video]]:
        """The videos of every part that has some, trimmed where their embeddings end early."""
        return {name: part.videos for name, part in self.parts.items()}

    @property
    def judged(self) -> list[str]:
        """The parts that are scored after every epoch, in the order of the loaders."""
        return [name for name in ("val", "test") if name in self.parts]

    @property
    def input_dim(self) -> int:
        """D, the width of a step's embedding."""
        return self.parts["train"].embeddings[0].shape[1]

    def setup(self, stage: str | None = None) -> None:
        """Load the fold's embeddings, the first time it is called, if it is known by then where
        they are.

        Raises:
            UserError: embeddings are missing, damaged, of mixed widths or of other steps than the
                annotations.
        """
        if not self.parts and self._cache is not None:
            self.parts = self._load()
        device = (
            self.trainer.strategy.root_device if self.trainer is not None else torch.device("cpu")
        )
        if device.type == "cuda" and self._bytes() < torch.cuda.mem_get_info(device)[0] // 4:
            self.parts = {
                name: Part(part.videos, part.embeddings, device)
                for name, part in self.parts.items()
            }

    def _load(self) -> dict[str, Part]:
        loaded: dict[str, tuple[list[Video], list[Tensor]]] = {}
        widths: dict[Path, int] = {}
        for part, key, video, cache in tqdm(
            list(self._wanted()), desc="embeddings", unit="video", delay=2, leave=False
        ):
            found = cache.read(video.key)
            v = visual_features(cache, video.key) if "v" in self.inputs else None
            videos, embeddings = loaded.setdefault(part, ([], []))
            videos.append(replace(self._match(part, video, found, cache), key=key))
            # Nothing that is trained stands before the maximum, so it is taken once.
            embeddings.append(step_embeddings(found.q, found.a, self.inputs, v))
            widths[cache.path(video.key)] = embeddings[-1].shape[1]
        for part in ("train", "test"):
            if part not in loaded:
                raise UserError(
                    f"fold {self.fold.index} of {self.dataset.name} has no {part} videos: choose"
                    " another fold or data.splits"
                )
        _check_widths(widths)
        return {
            part: Part(videos, embeddings, torch.device("cpu"))
            for part, (videos, embeddings) in loaded.items()
        }

    def _wanted(self) -> Iterator[tuple[str, str, Video, EmbeddingCache]]:
        """(part, the key it goes by here, video, where its embeddings are)."""
        for part in PARTS:
            for key in getattr(self.fold, part):
                yield part, key, self.dataset.video(key), self.cache
        for dataset, cache in self.extra:
            for key, video in dataset.videos.items():
                yield "train", f"{dataset.name}/{key}", video, cache

    def _match(self, part: str, video: Video, found: Embeddings, cache: EmbeddingCache) -> Video:
        """The video as far as its embeddings go, or a UserError where that is not allowed."""
        steps, where = found.steps.numpy(), f"{video.key} ({video.name})"
        common = min(len(steps), video.n_steps)
        if len(steps) > video.n_steps or not np.array_equal(steps, video.picks[:common]):
            parting = [*np.flatnonzero(steps[:common] != video.picks[:common]).tolist(), common][0]
            raise UserError(
                f"{cache.path(video.key)}: holds {len(steps)} steps, not the {video.n_steps}"
                f" annotated ones of {where} (they part at step {parting}): extract again with the"
                " dataset's sampling"
            )
        if len(steps) < video.n_steps:
            if part == "test" and self.incomplete == "refuse":
                raise UserError(
                    f"{where}: embeddings end after {len(steps)} of {video.n_steps} steps: extract"
                    " the rest, or set data.incomplete=trim to judge the video as if it ended"
                    " there"
                )
            say(
                f"{where}: embeddings end after {len(steps)} of {video.n_steps} steps; the {part}"
                " part uses these"
            )
        return video.trim(len(steps))

    def _bytes(self) -> int:
        return sum(value.nbytes for part in self.parts.values() for value in part.embeddings)

    def train_dataloader(self) -> DataLoader:
        """This rank's shares of the epoch's global batches."""
        batches = GlobalBatches(
            len(self.parts["train"].videos), self.batch_videos, self.seed, *self._rank()
        )
        return _loader(self.parts["train"], batches)

    def val_dataloader(self) -> list[DataLoader]:
        """One loader per judged part. Test is judged along with val, so that any rule of selection
        can be reported.
        """
        return [
            _loader(self.parts[name], OneByOne(len(self.parts[name].videos), *self._rank()))
            for name in self.judged
        ]

    def test_dataloader(self) -> DataLoader:
        """The test videos, one by one."""
        return _loader(self.parts["test"], OneByOne(len(self.parts["test"].videos), *self._rank()))

    def _rank(self) -> tuple[int, int]:
        return (
            (self.trainer.global_rank, self.trainer.world_size)
            if self.trainer is not None
            else (0, 1)
        )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must agree with before it may be continued: the videos and what their
        embeddings were made with.
        """
        keys = {name: [video.key for video in videos] for name, videos in self.videos.items()}
        others = {
            f"{dataset.name}: {name}": value
            for dataset, cache in self.extra
            for name, value in cache.identity.items()
        }
        return {"videos": keys, "identity": {**self.cache.identity, **others}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse a checkpoint that was trained on other videos or other embeddings.

        Raises:
            UserError: says what differs.
        """
        mine = self.state_dict()
        changes = differences(state_dict["identity"], mine["identity"])
        changes += [
            f"other {name} videos"
            for name in PARTS
            if state_dict["videos"].get(name) != mine["videos"].get(name)
        ]
        if changes:
            raise UserError(f"the checkpoint was trained with {'; '.join(changes)}: {START_OVER}")


def _check_widths(widths: Mapping[Path, int]) -> None:
    """Widths of the embeddings by their files: all the same."""
    first, expected = next(iter(widths.items()))
    for path, width in widths.items():
        if width != expected:
            raise UserError(
                f"{path}: embeddings of width {width}, but those of {first.stem} have {expected}: "
                "delete the folder and extract again with one backbone"
            )


def _loader(part: Part, shares: Sampler[Share]) -> DataLoader:
    # Its own generator: otherwise every iteration would draw from the global one, and judging
    # would change the training.
    return DataLoader(
        part, sampler=shares, batch_size=None, generator=torch.Generator(), collate_fn=_as_it_is
    )  # type: ignore[arg-type]


def _as_it_is(batch: Batch) -> Batch:
    return batch
