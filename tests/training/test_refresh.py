"""Extraction inside a fit: the ranks share the videos, forget the models, and train on what they
made.
"""

import gc
from dataclasses import replace
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch

from llmvs.config.schema import Config, ExtractConfig, HeadConfig, OptimConfig
from llmvs.datasets.base import Dataset, Fold
from llmvs.errors import UserError
from llmvs.extraction.pipeline import extract
from llmvs.models.datamodule import EmbeddingDataModule
from llmvs.models.module import LLMVSModule
from llmvs.training import trainer as making
from llmvs.training.fit import fit
from llmvs.training.refresh import RefreshEmbeddings
from tests.films import content, films, tiny_config
from tests.toys import quiet_trainer

FOLD = Fold(0, ("a", "b", "c"), (), ("d",))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return films(tmp_path_factory.mktemp("films"), {"a": 3, "b": 2, "c": 2.5, "d": 3})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def config(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tiny_config(tmp_path / "cache", models)


def n_models() -> int:
    """How many of transformers' models this process holds."""
    from transformers import PreTrainedModel

    return sum(issubclass(type(thing), PreTrainedModel) for thing in gc.get_objects())


class Witness(L.Callback):
    """Notes what has come to be when training starts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.before = folder, n_models()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        models = n_models() - self.before
        videos = sum(map(len, trainer.datamodule.videos.values()))
        (
            self.folder
            / f"rank {trainer.global_rank} of {trainer.world_size}: {models} models, {videos} videos"
        ).touch()


def train(config: Config, dataset: Dataset, folder: Path, devices: int = 1) -> L.Trainer:
    trainer = quiet_trainer(
        folder,
        devices=devices,
        strategy="ddp_fork" if devices > 1 else "auto",
        max_epochs=1,
        callbacks=[RefreshEmbeddings(config, dataset, FOLD), Witness(folder)],
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
    )
    module = LLMVSModule(64, HeadConfig(dim=32, feedforward=32, layers=1), OptimConfig(epochs=1), 0)
    trainer.fit(module, datamodule=EmbeddingDataModule(dataset, FOLD, None))
    return trainer


@pytest.mark.filterwarnings("ignore")
def test_two_ranks_extract_then_train_without_the_models(
    config: Config, dataset: Dataset, models: Path, tmp_path: Path
) -> None:
    train(config, dataset, tmp_path, devices=2)
    assert sorted(path.name for path in tmp_path.glob("rank*")) == [
        f"rank {rank} of 2: 0 models, 4 videos" for rank in (0, 1)
    ]
    alone = tiny_config(tmp_path / "alone", models)
    extract(alone, "films", list(dataset.videos.values()))
    assert content(Path(config.cache)) == content(Path(alone.cache))


@pytest.mark.filterwarnings("ignore")
def test_what_is_there_is_reused_made_again_or_required(
    config: Config, dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    never = replace(config, extract=ExtractConfig(refresh="never"))
    with pytest.raises(
        UserError,
        match=(
            r"^extract.refresh=never: .* has no embeddings of a \(and 3 more videos\): run `llmvs"
            r" extract`"
        ),
    ):
        train(never, dataset, tmp_path)
    train(config, dataset, tmp_path)
    assert [path.name for path in tmp_path.glob("rank*")] == ["rank 0 of 1: 0 models, 4 videos"]
    before = content(Path(config.cache))
    capsys.readouterr()
    always = replace(config, extract=ExtractConfig(refresh="always"))
    for settings, says in (
        (config, "captions: 0 made, 4 reused; embeddings: 0 made, 4 reused"),
        (never, ""),
        (always, "captions: 4 made, 0 reused; embeddings: 4 made, 0 reused"),
    ):
        train(settings, dataset, tmp_path)
        assert says in capsys.readouterr().err
    assert content(Path(config.cache)) == before


@pytest.mark.filterwarnings("ignore")
def test_a_video_that_fails_ends_the_fit(config: Config, dataset: Dataset, tmp_path: Path) -> None:
    gone = replace(dataset.videos["b"], path=tmp_path / "gone.mp4")
    broken = replace(
        dataset,
        annotations={**dataset.annotations, "b": replace(dataset.annotations["b"], video=gone)},
    )
    with pytest.raises(UserError, match=r"gone\.mp4"):
        train(config, broken, tmp_path)
    assert not list(tmp_path.glob("rank*"))


def test_a_datamodule_without_embeddings_says_so(dataset: Dataset) -> None:
    data = EmbeddingDataModule(dataset, FOLD, None)
    data.setup()
    with pytest.raises(UserError, match="add the callback RefreshEmbeddings"):
        data.cache  # noqa: B018


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("devices", [1, 2])
def test_the_trainer_group_has_the_ranks_of_a_run_extract(
    devices: int,
    config: Config,
    dataset: Dataset,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        making,
        "strategy",
        lambda config: making.QuietDDP(start_method="fork") if config.devices > 1 else "auto",
    )
    asked = replace(
        config,
        devices=devices,
        selection="last",
        head=HeadConfig(dim=32, feedforward=32, layers=1, dropout=0.0),
        optim=OptimConfig(epochs=2),
        trainer={"callbacks": ["refresh_embeddings"]},
    )
    found = fit(asked, dataset, FOLD, None, tmp_path / "within")
    assert set(found.selected.scores) == {"d"}
    assert {part: len(videos) for part, videos in found.videos.items()} == {"train": 3, "test": 1}
    first = tiny_config(tmp_path / "first", models)
    cache = extract(first, "films", list(dataset.videos.values())).cache
    plain = replace(asked, devices=1, trainer={})
    want = fit(plain, dataset, FOLD, cache, tmp_path / "before")
    np.testing.assert_allclose(found.selected.scores["d"], want.selected.scores["d"], atol=1e-5)
    again = fit(asked, dataset, FOLD, None, tmp_path / "within")
    assert again.started_at == 2
