"""A few drawn clips with made-up embeddings, so that the examples run anywhere in seconds."""

import sys
from pathlib import Path

import torch

from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.datasets import Dataset
from llmvs.demo.dataset import load as draw


def made_up(place: Path) -> tuple[Dataset, Path]:
    """Draw a small demo dataset in `place`/data.

    Returns:
        The dataset, and the folder of embeddings of all its videos: noise, and a few directions
        that follow what people said.
    """
    dataset = draw(place / "data", clips=5, seconds=(6, 8))
    cache = EmbeddingCache(place / "embeddings", {"made": "up"})
    for i, (key, video) in enumerate(dataset.annotations.items()):
        generator = torch.Generator().manual_seed(i)
        q, a = torch.randn(2, video.n_steps, 64, generator=generator)
        q[:, :8] += 4 * torch.from_numpy(video.gtscore)[:, None]
        cache.write(key, Embeddings(q, a, torch.from_numpy(video.picks)))
    return dataset, cache.folder


def drawn_clip(place: Path) -> Path:
    """Draw the demo's clips in `place`/clips, and give the file of the first: 16 to 18 seconds,
    with sound.
    """
    path = draw(place / "clips", clips=5, seconds=(16, 18)).video("video_1").path
    assert path is not None
    return path


def place_of(arguments: list[str]) -> Path:
    """The folder named on the command line, or `examples-output`."""
    return Path(arguments[1] if len(arguments) > 1 else "examples-output")


if __name__ == "__main__":
    print(made_up(place_of(sys.argv)))
