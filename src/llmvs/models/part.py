"""The videos of one part of a fold, from which batches are made."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from llmvs.datasets.annotations import Annotations
from llmvs.models.batch import Batch, Share
from llmvs.models.held import Held


class Part(TorchDataset[Batch]):
    """The videos of train, val or test; asked for a share, it gives the batch."""

    def __init__(
        self, videos: Sequence[Annotations], embeddings: Held, device: torch.device
    ) -> None:
        self.videos = list(videos)
        self.embeddings = embeddings.to(device)
        self.gtscores = [torch.from_numpy(video.gtscore).float().to(device) for video in videos]

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, share: Share | int) -> Batch:
        """The batch of a share, or of one video by its position."""
        if isinstance(share, int):
            share = Share([share], [1.0], 1)
        videos = [self.videos[i] for i in share.which]
        return Batch(
            _packed([self.embeddings[i] for i in share.which]).float(),
            torch.tensor([video.n_steps for video in videos]),
            _packed([self.gtscores[i] for i in share.which]),
            torch.tensor(share.which),
            torch.tensor(share.weight),
            share.n_videos,
            [video.key for video in videos],
            [video.name for video in videos],
        )

    def expect(self, share: Share) -> None:
        """Begin to read the videos of the share that will be asked for next."""
        self.embeddings.expect(share.which)


def _packed(parts: Sequence[Tensor]) -> Tensor:
    """One behind the other; a single one is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
