"""The epoch chosen in inner folds: what they hold out, which epoch they choose, what is trained."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.datasets.base import Fold
from llmvs.errors import UserError
from llmvs.methods.base import Task
from llmvs.methods.head import TrainedHead
from llmvs.training import inner as under_test
from llmvs.training.fit import fit
from llmvs.training.inner import choose_epochs, inner_folds
from tests.toys import make_cache, make_config, make_dataset
from tests.training.test_fit import assert_same

DATASET = make_dataset()
FOLD = Fold(0, tuple(f"video_{i}" for i in range(7)), (), ("video_7", "video_8", "video_9"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingCache:
    torch.set_num_threads(1)
    return make_cache(tmp_path_factory.mktemp("cache"), DATASET)


def test_inner_folds_test_every_training_video_once_and_no_other() -> None:
    folds = inner_folds(FOLD, 3)
    assert sorted(key for one in folds for key in one.test) == sorted(FOLD.train)
    assert all({*one.train, *one.test} == {*FOLD.train} for one in folds)
    assert sorted(len(one.test) for one in folds) == [2, 2, 3]
    assert inner_folds(FOLD, 3) == folds
    with pytest.raises(UserError, match="selection_folds=8: fold 0 has 7 training videos"):
        inner_folds(FOLD, 8)


def test_the_epoch_is_the_best_mean_over_all_videos_that_were_left_out(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = {2: [0.1, 0.4, 0.3], 3: [0.3, 0.0, 0.2]}  # by the number of videos of the part

    def fitted(config: Any, dataset: Any, fold: Fold, *rest: Any) -> Any:
        assert not fold.val
        assert not set(fold.test) & {"video_7", "video_8", "video_9"}
        tau = curves[len(fold.test)]
        return SimpleNamespace(history=[{"test/paper/tau": t, "test/loss": t} for t in tau])

    monkeypatch.setattr(under_test, "fit", fitted)
    config = make_config(selection="inner", selection_by=["paper", "loss"], selection_folds=3)
    found = choose_epochs(config, DATASET, FOLD, cache, tmp_path)
    mean = [(4 * a + 3 * b) / 7 for a, b in zip(curves[2], curves[3], strict=True)]
    assert found == {"inner": int(np.argmax(mean)), "inner-by-loss": int(np.argmin(mean))}
    written = json.loads((tmp_path / "inner.json").read_text())
    assert written["paper/tau"]["epoch"] == found["inner"] + 1
    assert written["loss"]["mean"] == pytest.approx(mean)


def test_all_training_videos_are_trained_on_and_the_chosen_epoch_is_kept(
    cache: EmbeddingCache, tmp_path: Path
) -> None:
    config = make_config(selection="inner", selection_folds=2)
    shares: list[float] = []
    task = Task(
        config, DATASET, FOLD, tmp_path / "run", lambda _: cache, lambda: (), lambda _: None,
        shares.append, None,  # type: ignore[arg-type]
    )  # fmt: skip
    scores = TrainedHead().score(task)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    epoch = json.loads((tmp_path / "run" / "inner.json").read_text())["paper/tau"]["epoch"]
    assert scores.selected.epoch + 1 == epoch
    assert [video.key for video in scores.videos["train"]] == list(FOLD.train)
    # the same epoch of a training on the same videos, which was told to keep it
    plain = replace(config, selection="inner")
    other = fit(plain, DATASET, FOLD, cache, tmp_path / "b", epochs={"inner": epoch - 1})
    assert_same(tmp_path / "run", tmp_path / "b")
    np.testing.assert_equal(other.selected.scores, scores.selected.scores)
