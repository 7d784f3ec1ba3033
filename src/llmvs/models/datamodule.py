"""The cached embeddings of one fold as packed batches of videos, held in memory."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.cache.fingerprint import differences
from llmvs.config.schema import Inputs
from llmvs.console import tracked
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Fold
from llmvs.datasets.features import Features
from llmvs.datasets.splits import fold as make_fold
from llmvs.errors import UserError
from llmvs.models.batch import (
    PARTS,
    START_OVER,
    Batch,
    GlobalBatches,
    OneByOne,
    share_loader,
)
from llmvs.models.held import Held, OnDisk
from llmvs.models.part import Part
from llmvs.models.sources import Source, check_source, look_at, read_steps

logger = logging.getLogger(__name__)

OtherDataset = tuple[Dataset, Source]
"""Another dataset, all of whose videos train too, and their embeddings."""
STAGES = {
    "fit": PARTS,
    "validate": ("val", "test"),
    "test": ("test",),
    "predict": ("test",),
}
"""Lightning's stage -> the parts that it needs."""
REQUIRED = ("train", "test")


class EmbeddingDataModule(L.LightningDataModule):
    """Load the embeddings of a fold once and serve them from memory (the GPU's where they fit)."""

    def __init__(
        self,
        dataset: Dataset,
        fold: Fold | int,
        cache: Source | str | Path | None,
        *,
        inputs: Inputs = "qa",
        incomplete: Literal["refuse", "trim"] = "refuse",
        batch_videos: int = 10,
        seed: int = 1112,
        memory_gb: float = 8.0,
        other_datasets: Sequence[OtherDataset] = (),
    ) -> None:
        """Nothing is read before `setup`.

        Args:
            dataset: gives the videos of the keys in `fold`.
            fold: which videos train, hold out (may be empty) and test; a number: that one of the
                dataset's `paper` splits, a fifth of its training videos held out.
            cache: their embeddings, or the folder they are in; None: `use` names them later, as
                `llmvs.training.refresh.RefreshEmbeddings` does, or, with `inputs="features"`, those
                of the dataset's h5 file.
            inputs: what a step's embedding is, see `llmvs.models.head.step_embeddings`.
            incomplete: what to do with a test video whose embeddings end early.
            batch_videos: videos per optimizer step, over all ranks.
            seed: decides the order of the training videos, with the epoch.
            memory_gb: 10^9 bytes of embeddings that are held in memory; those beyond are read
                whenever a batch needs them, one batch ahead.
            other_datasets: all of whose videos train too, under the key `DATASET/KEY` and with
                their own scale of gtscore; `fold.train` may be empty then.

        Raises:
            UserError: no such fold, no embeddings in that folder, or a dataset without an h5 file
                of features.
        """
        super().__init__()
        self.dataset = dataset
        self.fold = make_fold(dataset, "paper", fold, 0.2) if isinstance(fold, int) else fold
        if cache is None and inputs == "features":
            cache = Features(dataset)
        self._cache = EmbeddingCache(Path(cache)) if isinstance(cache, str | Path) else cache
        self.inputs, self.incomplete = inputs, incomplete
        self.batch_videos, self.seed = batch_videos, seed
        self.memory_gb = memory_gb
        self.other_datasets = tuple(other_datasets)
        self.parts: dict[str, Part] = {}
        self._widths: dict[Path, int] = {}

    @property
    def cache(self) -> Source:
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
        self._cache, self.parts, self._widths = cache, {}, {}

    @property
    def videos(self) -> dict[str, list[Annotations]]:
        """The videos of every loaded part that has some, trimmed where their embeddings end early."""  # noqa: E501
        return {name: part.videos for name, part in self.parts.items()}

    @property
    def evaluated(self) -> list[str]:
        """The parts that are scored after every epoch, in the order of the loaders."""
        return [name for name in ("val", "test") if name in self.parts]

    @property
    def input_dim(self) -> int:
        """D, the width of a step's embedding; known after `setup`."""
        return next(iter(self.parts.values())).embeddings.width

    def training_steps(self) -> Sequence[Tensor]:
        """The embeddings of every training video, each [T, D], as they are stored."""
        return self.parts["train"].embeddings

    def setup(self, stage: str | None = None) -> None:
        """Load the embeddings of the videos that a stage needs and that are not there yet, if it is
        known by then where they are.

        Args:
            stage: `fit`, `validate`, `test` or `predict`; None: everything.

        Raises:
            UserError: embeddings are missing, damaged, of mixed widths or of other steps than the
                annotations.
        """
        wanted = [part for part in STAGES[stage or "fit"] if part not in self.parts]
        if wanted and self._cache is not None:
            found = {**self.parts, **self._load(wanted)}
            self.parts = {part: found[part] for part in PARTS if part in found}
        device = (
            self.trainer.strategy.root_device if self.trainer is not None else torch.device("cpu")
        )
        whole = all(part.embeddings.whole for part in self.parts.values())
        if (
            device.type == "cuda"
            and whole
            and self._bytes() < torch.cuda.mem_get_info(device)[0] // 4
        ):
            self.parts = {
                name: Part(part.videos, part.embeddings, device)
                for name, part in self.parts.items()
            }

    def _load(self, parts: Sequence[str]) -> dict[str, Part]:
        loaded: dict[str, tuple[list[Annotations], list[Tensor | OnDisk]]] = {}
        widths, room = dict(self._widths), self.memory_gb * 1e9 - self._bytes()
        wanted = tracked(list(self._wanted(parts)), "embeddings", "video")
        for part, origin, video, cache in wanted:
            check_source(cache, self.inputs)
            found: Tensor | OnDisk
            if room > 0:
                steps, found = read_steps(cache, video.key, self.inputs)
                width, room = found.shape[1], room - found.nbytes
            else:
                steps, width = look_at(cache, video.key, self.inputs)
                found = OnDisk(partial(_read, cache, video.key, self.inputs), width)
            videos, embeddings = loaded.setdefault(part, ([], []))
            matched = self._match(part, video, steps, cache.path(video.key))
            key = f"{origin}/{video.key}" if origin else video.key
            named = replace(matched.video, key=key, origin=origin)
            videos.append(replace(matched, video=named))
            embeddings.append(found)
            widths[cache.path(video.key)] = width
        for part in REQUIRED:
            if part in parts and part not in loaded:
                raise UserError(
                    f"fold {self.fold.index} of {self.dataset.name} has no {part} videos: choose"
                    " another fold or data.splits"
                )
        self._check_widths(widths)
        self._widths = widths
        return {
            part: Part(videos, Held(embeddings), torch.device("cpu"))
            for part, (videos, embeddings) in loaded.items()
        }

    def _wanted(self, parts: Sequence[str]) -> Iterator[tuple[str, str, Annotations, Source]]:
        """(part, the other dataset that it is of or nothing, video, where its embeddings are)."""
        for part in parts:
            for key in getattr(self.fold, part):
                yield part, "", self.dataset.annotations_of(key), self.cache
        for dataset, cache in self.other_datasets if "train" in parts else ():
            for video in dataset.annotations.values():
                yield "train", dataset.name, video, cache

    def _match(
        self, part: str, video: Annotations, steps: npt.NDArray[Any], path: Path
    ) -> Annotations:
        """The video as far as its embeddings go, or a UserError where that is not allowed."""
        where = f"{video.key} ({video.name})"
        common = min(len(steps), video.n_steps)
        if len(steps) > video.n_steps or not np.array_equal(steps, video.picks[:common]):
            parting = [*np.flatnonzero(steps[:common] != video.picks[:common]).tolist(), common][0]
            raise UserError(
                f"{path}: holds {len(steps)} steps, not the {video.n_steps}"
                f" annotated ones of {where} (they part at step {parting}): extract again with the"
                " dataset's sampling"
            )
        if len(steps) < video.n_steps:
            if part == "test" and self.incomplete == "refuse":
                raise UserError(
                    f"{where}: embeddings end after {len(steps)} of {video.n_steps} steps: extract"
                    " the rest, or set data.incomplete=trim to score the video as if it ended"
                    " there"
                )
            logger.warning(
                "%s: embeddings end after %s of %s steps; the %s part uses these",
                where,
                len(steps),
                video.n_steps,
                part,
            )
        return video.trim(len(steps))

    def _check_widths(self, widths: Mapping[Path, int]) -> None:
        """Widths of the embeddings by their files: all the same."""
        first, expected = next(iter(widths.items()))
        cure = "delete the folder and extract again with one backbone"
        if self.inputs == "features":
            cure = "take features that were all made alike"
        for path, width in widths.items():
            if width != expected:
                raise UserError(
                    f"{path}: embeddings of width {width}, but those of {first.stem} have"
                    f" {expected}: {cure}"
                )

    def _bytes(self) -> int:
        return sum(part.embeddings.nbytes for part in self.parts.values())

    def train_dataloader(self) -> DataLoader:
        """This rank's shares of the epoch's global batches."""
        part = self.parts["train"]
        shares = GlobalBatches(len(part), self.batch_videos, self.seed, *self._rank())
        return share_loader(part, shares, None if part.embeddings.whole else part.expect)

    def val_dataloader(self) -> list[DataLoader]:
        """One loader per part in `evaluated`. Test is scored along with val, so that any rule of
        selection can be reported.
        """
        return [self._one_by_one(name) for name in self.evaluated]

    def test_dataloader(self) -> DataLoader:
        """The test videos, one by one."""
        return self._one_by_one("test")

    def predict_dataloader(self) -> DataLoader:
        """The test videos, one by one."""
        return self._one_by_one("test")

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Lengths and positions stay on the CPU, where they are read."""
        moved: Batch = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved._replace(lengths=batch.lengths, position=batch.position)

    def _one_by_one(self, name: str) -> DataLoader:
        part = self.parts[name]
        shares = OneByOne(len(part), *self._rank())
        return share_loader(part, shares, None if part.embeddings.whole else part.expect)

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
            for dataset, cache in self.other_datasets
            for name, value in cache.identity.items()
        }
        return {
            "videos": keys,
            "identity": {**self.cache.identity, **others},
            "cache": str(self.cache.folder),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse a checkpoint that was trained on other videos or other embeddings.

        Raises:
            UserError: says what differs.
        """
        mine = self.state_dict()
        changes = differences(state_dict["identity"], mine["identity"])
        changes += [
            f"other {name} videos"
            for name in (PARTS if "train" in self.parts else self.parts)
            if state_dict["videos"].get(name) != mine["videos"].get(name)
        ]
        if changes:
            raise UserError(f"the checkpoint was trained with {'; '.join(changes)}: {START_OVER}")


def _read(source: Source, key: str, inputs: Inputs) -> Tensor:
    return read_steps(source, key, inputs)[1]
