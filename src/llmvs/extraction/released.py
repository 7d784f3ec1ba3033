"""Import of the embeddings that the paper's authors released: two h5 files, one array per video in
each.

`user_prompt_pool.h5` holds the query embeddings, `gen_pool.h5` the answers'. An array is [T, D]
(pooled already) or [T, L, D] (one row per token, pooled here by their maximum). Videos go by key
(`video_1`, as for TVSum) or by file name with spaces turned into `_` (as for SumMe).
"""

import hashlib
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.cache.fingerprint import Identity
from llmvs.console import tracked
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.datasets.h5 import open_h5, value_of
from llmvs.errors import UserError
from llmvs.files import regular


def import_released(query: Path, answer: Path, dataset: Dataset, folder: Path) -> EmbeddingCache:
    """Write the embeddings of every video of `dataset` into the cache `folder`; videos already
    there are kept.

    Args:
        query: h5 file of the query embeddings.
        answer: h5 file of the answer embeddings.
        dataset: whose picks the T rows of every array are.
        folder: of the cache.

    Raises:
        UserError: unreadable file, a video that is missing, arrays of unexpected shape or length,
            NaN.
    """
    identity: Identity = {
        "source": "imported",
        "query_sha256": _digest(query),
        "answer_sha256": _digest(answer),
    }
    cache = EmbeddingCache(folder, identity)
    with open_h5(query) as q_file, open_h5(answer) as a_file:
        for key, video in tracked(dataset.annotations.items(), "import", "video", leave=True):
            if key not in cache:
                q, a = _read(q_file, query, video), _read(a_file, answer, video)
                if q.shape != a.shape:
                    raise UserError(
                        f"{key} ({video.name}): {list(q.shape)} in {query}, {list(a.shape)} in"
                        f" {answer}: are they a pair?"
                    )
                cache.write(
                    key,
                    Embeddings(q, a, torch.from_numpy(video.picks)),
                    provenance={"query": query.name, "answer": answer.name},
                )
    return cache


def _read(file: h5py.File, path: Path, video: Annotations) -> Tensor:
    """The pooled embeddings [T, D] of one video, in the file's own number format."""
    stored = next(
        (name for name in (video.key, video.name.replace(" ", "_"), video.name) if name in file),
        None,
    )
    if stored is None:
        raise UserError(
            f"{path}: has neither {video.key} nor {video.name.replace(' ', '_')} (it has"
            f" {', '.join(list(file)[:3])}, ...)"
        )
    item = value_of(file, stored, str(path))
    if not isinstance(item, np.ndarray) or item.ndim not in (2, 3) or item.dtype.kind != "f":
        raise UserError(f"{path}: {stored}: expected an array of numbers [T, D] or [T, tokens, D]")
    if len(item) != video.n_steps:
        raise UserError(
            f"{path}: {stored}: {len(item)} steps, but {video.key} ({video.name}) has"
            f" {video.n_steps} picks"
        )
    values = torch.from_numpy(item)
    return values.amax(dim=1) if values.ndim == 3 else values


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with regular(path).open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror} (expected an h5 file of embeddings)") from error
    return digest.hexdigest()
