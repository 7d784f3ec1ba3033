"""Which of several processes extracts which video."""

import heapq
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from llmvs.datasets.video import Video


@dataclass(frozen=True)
class Ranks:
    """This process among those that share the videos of one list. They meet only at barriers."""

    rank: int = 0
    world_size: int = 1
    barrier: Callable[[], None] = lambda: None
    """Returns when every rank has come here."""

    def share(self, sources: Sequence[Video], done: Container[str]) -> list[Video]:
        """This rank's videos, in the order of the list: the longest are given out first, each to
        the rank with the least to do.

        Every rank that sees the same files shares them out alike. A video is as long as its steps
        where all are known, else as its file is big; one that is `done` is only looked at.
        """
        if self.world_size == 1:
            return list(sources)
        known = all(source.n_steps is not None for source in sources)
        lengths = [(source.n_steps if known else source.n_bytes) or 0 for source in sources]
        look = 1 + max(lengths, default=0) // 1000
        lengths = [
            look if source.key in done else length
            for source, length in zip(sources, lengths, strict=True)
        ]
        loads = [
            (0, 0, rank) for rank in range(self.world_size)
        ]  # time, videos, rank: already a heap
        mine = []
        for index in sorted(range(len(sources)), key=lambda i: -lengths[i]):
            time, videos, rank = loads[0]
            heapq.heapreplace(loads, (time + lengths[index], videos + 1, rank))
            if rank == self.rank:
                mine.append(index)
        return [sources[index] for index in sorted(mine)]


ALONE = Ranks()
