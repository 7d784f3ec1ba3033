"""Small videos of random pictures, and settings that extract them in a second."""

from pathlib import Path

import numpy as np

from llmvs.config.schema import (
    BackboneConfig,
    CaptionConfig,
    Config,
    DataConfig,
    LogConfig,
    PromptConfig,
)
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.datasets.video import Video
from llmvs.extraction.models import build
from llmvs.video.writer import write

TINY = BackboneConfig(captioner="builtin:tiny-llava", scorer="builtin:tiny-llama")


def film(path: Path, seconds: float, seed: int = 0) -> Path:
    """10 frames per second; another picture every half second, so that every step differs."""
    rng = np.random.default_rng(seed)
    pictures = [
        np.kron(rng.integers(0, 255, (4, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        for _ in range(round(2 * seconds))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, (picture for picture in pictures for _ in range(5)), 10)
    return path


def own_folder(folder: Path, names: str, seconds: int, people: str = "ab") -> Path:
    """A folder of one's own videos, called by the letters of `names`, with people's scores."""
    rows = [f"video,second,{','.join(people)}"]
    for name in names:
        film(folder / "videos" / f"{name}.mp4", seconds, seed=ord(name))
        for t in range(seconds):
            rows.append(",".join([name, str(t), *(str((t + i) % 3) for i in range(len(people)))]))
    (folder / "scores.csv").write_text("\n".join(rows))
    return folder


def films(folder: Path, lengths: dict[str, float]) -> Dataset:
    """A dataset of videos by their names and lengths in seconds."""
    videos = {}
    for seed, (key, seconds) in enumerate(lengths.items()):
        steps = round(2 * seconds)
        gtscore = np.random.default_rng(seed).random(steps, dtype=np.float32)
        scores = np.repeat(np.rint(1 + 4 * gtscore)[None], 5, axis=1).astype(np.int64)
        path = film(folder / f"{key}.mp4", seconds, seed)
        videos[key] = Annotations(
            Video(key, key, path, 5 * np.arange(steps)), 5 * steps, gtscore, user_scores=scores
        )
    return Dataset("films", "ratings", videos, {}, synthetic=True)


def tiny_config(cache: Path, models: Path, **changes: object) -> Config:
    """Settings of the small pair, which is built in `models` once."""
    build(TINY, models)
    cache.mkdir(exist_ok=True)
    (cache / "backbones").symlink_to(models / "backbones")
    settings: dict[str, object] = {
        "experiment": "films",
        "data": DataConfig(dataset="films"),
        "cache": str(cache),
        "accelerator": "cpu",
        "backbone": TINY,
        "caption": CaptionConfig(max_tokens=4, batch=4),
        "prompt": PromptConfig(window=3, max_tokens=2),
        "log": LogConfig(wandb="disabled"),
        **changes,
    }
    return Config(**settings)  # type: ignore[arg-type]


def content(cache: Path) -> dict[str, bytes]:
    """Every file that extraction has written, by its place."""
    found = {
        str(path.relative_to(cache)): path.read_bytes()
        for path in (cache / "films").rglob("*")
        if path.is_file()
    }
    assert found
    return found
