"""A small dataset with embeddings that know something of the importance, for everything that
trains.
"""

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor

from llmvs.cache.captions import CaptionCache, Captions
from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.config.schema import Config, DataConfig, HeadConfig, LogConfig, OptimConfig
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset, Fold
from llmvs.datasets.video import Video

FOLD = Fold(
    0,
    ("video_0", "video_1", "video_2", "video_3", "video_4"),
    ("video_5", "video_6"),
    ("video_7", "video_8", "video_9"),
)
WIDTH = 12


def make_dataset(n_videos: int = 10, shortest: int = 6) -> Dataset:
    """Rated videos of different lengths, a step every 15 frames."""
    rng = np.random.default_rng(3)
    videos = {}
    for i in range(n_videos):
        steps = shortest + int(rng.integers(0, shortest))
        importance = np.repeat(rng.random(-(-steps // 3)), 3)[:steps]
        ratings = np.clip(
            np.rint(1 + 4 * importance + rng.normal(0, 0.7, (5, steps))), 1, 5
        ).astype(np.int64)
        frames = np.repeat(ratings, 15, axis=1)
        gtscore = ((ratings.mean(axis=0) - 1) / 4).astype(np.float32)
        videos[f"video_{i}"] = Annotations(
            Video(f"video_{i}", f"clip {i}", picks=np.arange(steps) * 15),
            15 * steps,
            gtscore,
            user_scores=frames,
        )
    return Dataset("toy", "ratings", videos, {}, synthetic=True)


def embed(video: Annotations, width: int = WIDTH, steps: int | None = None) -> Embeddings:
    """Noise around a few directions that follow the importance; `steps` cuts the end off."""
    generator = torch.Generator().manual_seed(int(video.key.split("_")[1]))
    q, a = torch.randn(2, video.n_steps, width, generator=generator)
    for part in (q, a):
        part[:, :3] += 8 * torch.from_numpy(video.gtscore)[:, None]
    return Embeddings(q[:steps].half(), a[:steps].half(), torch.from_numpy(video.picks)[:steps])


def make_cache(folder: Path, dataset: Dataset, width: int = WIDTH) -> EmbeddingCache:
    """A cache with the embeddings of all videos."""
    cache = EmbeddingCache(folder, {"scorer": "toy"})
    for video in dataset.annotations.values():
        cache.write(video.key, embed(video, width))
    return cache


def make_visual_cache(folder: Path, dataset: Dataset, width: int = 5) -> EmbeddingCache:
    """A cache of embeddings with the captions and visual features beside it, of which they were
    made.
    """
    captions = CaptionCache(folder / "captions-toy", {"captioner": "toy"})
    cache = EmbeddingCache(folder / "embeddings-toy", {"scorer": "toy", "captions": "toy"})
    for video in dataset.annotations.values():
        said = Captions(video.picks.tolist(), ["a dog"] * video.n_steps)
        captions.write(video.key, said, visual(video, width), source="")
        cache.write(video.key, embed(video), said.sha256())
    return cache


def visual(video: Annotations, width: int = 5) -> torch.Tensor:
    """float16 [T, width]: the visual features of a toy video."""
    return torch.randn(
        video.n_steps, width, generator=torch.Generator().manual_seed(video.n_frames)
    ).half()


def make_config(**changes: object) -> Config:
    """Settings of a training that takes a second."""
    settings: dict[str, object] = {
        "experiment": "toy",
        "accelerator": "cpu",
        "selection_by": ["paper"],
        "data": DataConfig(dataset="demo"),
        "log": LogConfig(wandb="disabled", checkpoint_seconds=0),
        "head": HeadConfig(dim=64, feedforward=32, layers=1),
        "optim": OptimConfig(lr=3e-3, epochs=4, batch_videos=3, clip=1.0),
        **changes,
    }
    return Config(**settings)  # type: ignore[arg-type]


def quiet_trainer(place: Path, **settings: Any) -> L.Trainer:
    """A trainer as anybody would make it, but for what keeps a test quiet."""
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "max_epochs": 2,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": place,
    }
    return L.Trainer(**{**quiet, **settings})


def assert_same_weights(found: dict[str, Tensor], want: dict[str, Tensor]) -> None:
    """Two trainings came to the same, but for rounding."""
    assert found.keys() == want.keys()
    for name, value in want.items():
        if not name.endswith("in_proj_bias"):  # keys' biases have no gradient but rounding
            torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)
