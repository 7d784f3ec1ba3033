"""Where a step's embedding comes from: the cache of what language models made of the video, or the
`features` of the dataset's h5 file.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from llmvs.cache.captions import visual_features
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import Inputs
from llmvs.datasets.features import Features
from llmvs.errors import UserError
from llmvs.models.head import step_embeddings

Source = EmbeddingCache | Features


def check_source(source: Source, inputs: Inputs) -> None:
    """Refuse embeddings where features are asked for, and the other way round.

    Raises:
        UserError: says what was given.
    """
    if isinstance(source, Features) != (inputs == "features"):
        given = "the features of" if isinstance(source, Features) else "the embeddings in"
        raise UserError(f"head.inputs={inputs}: this head cannot read {given} {source.folder}")


def read_steps(source: Source, key: str, inputs: Inputs) -> tuple[npt.NDArray[Any], Tensor]:
    """What the head reads of one video.

    Returns:
        int64 [T] the frames that its steps are, and [T, D] their embeddings as they are stored.

    Raises:
        UserError: there is nothing of this video, it is damaged, or of other steps.
    """
    if isinstance(source, Features):
        return source.dataset.annotations_of(key).picks, torch.from_numpy(source.read(key))
    found = source.read(key)
    v = visual_features(source, key) if "v" in inputs else None
    # Nothing that is trained stands before the maximum, so it is taken once.
    return np.asarray(found.steps), step_embeddings(found.q, found.a, inputs, v)


def look_at(source: Source, key: str, inputs: Inputs) -> tuple[npt.NDArray[Any], int]:
    """What `read_steps` would give of a video, without reading its embeddings.

    Returns:
        int64 [T] the frames that its steps are, and D, the width of their embeddings.

    Raises:
        UserError: there is nothing of this video, or its file is damaged.
    """
    if isinstance(source, Features) or "v" in inputs:
        steps, found = read_steps(source, key, inputs)
        return steps, found.shape[1]
    return source.look(key)
