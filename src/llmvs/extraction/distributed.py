"""Extraction by several connected processes: how they wait for each other, and what they did
together.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import torch

from llmvs.cache.captions import CaptionCache
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import Config
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Video
from llmvs.errors import UserError
from llmvs.extraction.pipeline import Extraction, extract
from llmvs.extraction.ranks import Ranks

LONGEST = timedelta(days=30)
"""How long a rank waits for the others: one of them may be busy with its longest video, or with all
of its own.
"""
LOST = "another rank died: run the same command again, it makes what is missing"
Job = tuple[Config, str, Sequence[Video], Sequence[Annotations]]
"""The arguments of `extract`, but for the ranks."""


class RankLost(UserError):
    """Another rank died, or failed."""


class Meeting:
    """Where the ranks of this process's group (which must be connected) wait for each other,
    however long it takes.
    """

    def __init__(self) -> None:
        """Open a group of its own: the training's has a timeout that suits batches, not videos.

        Raises:
            RankLost: one of the ranks is gone already.
        """
        try:
            self.group = torch.distributed.new_group(backend="gloo", timeout=LONGEST)
        except RuntimeError as error:
            raise RankLost(LOST) from error
        self.barrier()  # a rank that left before all are connected would leave them waiting

    def barrier(self) -> None:
        """Return when all are here.

        Raises:
            RankLost: one of them will not come.
        """
        self.gather({})

    def gather(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The records of all ranks, in their order.

        Raises:
            RankLost: a rank died, or came with the record of an error.
        """
        records: list[Any] = [None] * torch.distributed.get_world_size()
        try:
            torch.distributed.all_gather_object(records, record, group=self.group)
        except RuntimeError as error:
            raise RankLost(LOST) from error
        for other in records:
            if "error" in other:
                raise RankLost(other["error"])
        return records


def work(job: Job, ranks: Ranks) -> dict[str, Any]:
    """Do one rank's share; what it did, or the error that ended it, in plain values."""
    try:
        return record(extract(*job, ranks))
    except RankLost as error:
        return {"lost": str(error)}
    except UserError as error:
        return {"error": str(error)}


def extract_together(job: Job, rank: int, world_size: int) -> Extraction:
    """Extraction on all ranks of this process's group; every one of them calls this and gets the
    whole result.

    Raises:
        UserError: as `extract`, from whichever rank; or a rank died.
    """
    meeting = Meeting()
    done = work(job, Ranks(rank, world_size, meeting.barrier))
    if "lost" in done:
        raise RankLost(done["lost"])
    return merged(meeting.gather(done))


def record(extraction: Extraction) -> dict[str, Any]:
    """An extraction as plain values."""
    plain = {
        name: value for name, value in vars(extraction).items() if name not in ("cache", "captions")
    }
    caches = {"cache": extraction.cache, "captions": extraction.captions}
    return {
        **plain,
        **{name: cache and (cache.folder, dict(cache.identity)) for name, cache in caches.items()},
    }


def merged(records: Sequence[Mapping[str, Any]]) -> Extraction:
    """What all ranks did together.

    Raises:
        UserError: a rank ended with an error.
    """
    for error in ("error", "lost"):  # who is lost only suffers from another's error
        for one in records:
            if error in one:
                raise UserError(one[error])
    captions = records[0]["captions"]
    result = Extraction(EmbeddingCache(*records[0]["cache"]), captions and CaptionCache(*captions))
    for one in records:
        for name in ("captioned", "scored", "reused"):
            getattr(result, name).extend(one[name])
        result.failed |= one["failed"]
        result.n_captions_reused += one["n_captions_reused"]
        result.not_numbers += one["not_numbers"]
    return result
