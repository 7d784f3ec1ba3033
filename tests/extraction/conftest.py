"""Small models, settings and videos that the tests of this folder share."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from llmvs.config.schema import BackboneConfig, CaptionConfig, Config, DataConfig, PromptConfig

TINY = BackboneConfig(captioner="builtin:tiny-llava", scorer="builtin:tiny-llama")


@pytest.fixture(autouse=True)
def _few_threads() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that holds the built-in models."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def captioner(built: Path):
    from llmvs.extraction.captioner import Captioner
    from llmvs.extraction.models import load_captioner

    return Captioner(*load_captioner(TINY, built, torch.device("cpu")), ["What is this?"], 6)


@pytest.fixture(scope="session")
def scorer_pair(built: Path):
    from llmvs.extraction.models import load_scorer

    return load_scorer(TINY, built, torch.device("cpu"))


@pytest.fixture
def settings(built: Path, tmp_path: Path) -> Config:
    """Settings of the small pair; the cache is the test's own, the models are shared."""
    cache = tmp_path / "cache"
    cache.mkdir()
    (built / "backbones").mkdir(exist_ok=True)
    (cache / "backbones").symlink_to(built / "backbones")
    return Config(
        experiment="test",
        data=DataConfig(dataset="mine"),
        backbone=TINY,
        caption=CaptionConfig(max_tokens=6, batch=4),
        prompt=PromptConfig(window=3, max_tokens=2),
        cache=str(cache),
        accelerator="cpu",
    )


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """Writes a video of random pictures that change every half second."""

    def write(name: str, seconds: float = 3, seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        path = tmp_path / "videos" / name
        path.parent.mkdir(exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            for i in range(round(10 * seconds)):
                if i % 5 == 0:
                    picture = np.kron(rng.integers(0, 255, (4, 6, 3)), np.ones((16, 16, 1))).astype(
                        np.uint8
                    )
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        return path

    return write
