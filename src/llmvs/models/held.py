"""The embeddings of a part's videos: in memory up to a budget, the others read whenever they are
asked for, one batch ahead.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, overload

import torch
from torch import Tensor

Read = Callable[[], Tensor]


@dataclass(frozen=True)
class OnDisk:
    """A video's embeddings that are read when they are asked for."""

    read: Read
    """Gives them: [T, D]."""
    width: int
    """D."""


class Held(Sequence[Tensor]):
    """One [T, D] per video, in the dtype that it is stored in."""

    def __init__(self, videos: Iterable[Tensor | OnDisk]) -> None:
        """Take them, in the order of the part's videos."""
        self._videos = list(videos)
        self._coming: dict[int, Future[Tensor]] = {}
        self._reader: ThreadPoolExecutor | None = None

    def __len__(self) -> int:
        return len(self._videos)

    @overload
    def __getitem__(self, which: int) -> Tensor: ...
    @overload
    def __getitem__(self, which: slice) -> Sequence[Tensor]: ...
    def __getitem__(self, which: int | slice) -> Tensor | Sequence[Tensor]:
        if isinstance(which, slice):
            return [self[i] for i in range(*which.indices(len(self)))]
        video = self._videos[which]
        if isinstance(video, Tensor):
            return video
        coming = self._coming.pop(which, None)
        return video.read() if coming is None else coming.result()

    @property
    def width(self) -> int:
        """D."""
        first = self._videos[0]
        return first.shape[1] if isinstance(first, Tensor) else first.width

    @property
    def whole(self) -> bool:
        """Whether all are in memory."""
        return all(isinstance(video, Tensor) for video in self._videos)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(video.nbytes for video in self._videos if isinstance(video, Tensor))

    def to(self, device: torch.device) -> "Held":
        """The same on a device; what is read later stays where it is read to."""
        return Held(v.to(device) if isinstance(v, Tensor) else v for v in self._videos)

    def expect(self, which: Iterable[int]) -> None:
        """Begin to read what will be asked for next, beside whatever is done meanwhile."""
        for i in which:
            video = self._videos[i]
            if isinstance(video, OnDisk) and i not in self._coming:
                self._reader = self._reader or ThreadPoolExecutor(1, "embeddings")
                self._coming[i] = self._reader.submit(video.read)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_coming": {}, "_reader": None}
