"""The released pair of h5 files, made here in its layout: pooled or not, by key or by file name."""

import h5py
import numpy as np
import pytest
import torch

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.datasets.video import Video
from llmvs.errors import UserError
from llmvs.extraction.released import import_released

T, L, D = 5, 3, 8
NAMES = {"video_1": "Base jumping", "video_2": "Cooking"}


@pytest.fixture
def dataset():
    picks = np.arange(0, 15 * T, 15)
    videos = {
        key: Annotations(
            Video(key, name, picks=picks), 15 * T, np.linspace(0, 1, T, dtype=np.float32)
        )
        for key, name in NAMES.items()
    }
    return Dataset("summe", "votes", videos, {})


def write(path, style="name", pooled=True, dtype=np.float16, drop=(), **changes):
    rng = np.random.default_rng(len(path.name))
    arrays = {}
    with h5py.File(path, "w") as file:
        for key, name in NAMES.items():
            arrays[key] = rng.standard_normal((T, D) if pooled else (T, L, D)).astype(dtype)
            if key not in drop:
                file[key if style == "key" else name.replace(" ", "_")] = changes.get(
                    key, arrays[key]
                )
    return path, arrays


@pytest.mark.parametrize("style", ["key", "name"])
@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_reads_every_layout(tmp_path, dataset, style, pooled, dtype):
    query, q = write(tmp_path / "user_prompt_pool.h5", style, pooled, dtype)
    answer, a = write(tmp_path / "gen_pool.h5", style, pooled, dtype)
    import_released(query, answer, dataset, tmp_path / "cache")
    cache = EmbeddingCache(tmp_path / "cache")
    assert cache.identity["source"] == "imported"
    for key in NAMES:
        read = cache.read(key)
        for found, given in ((read.q, q[key]), (read.a, a[key])):
            assert torch.equal(found, torch.from_numpy(given if pooled else given.max(axis=1)))
        assert read.steps.tolist() == list(range(0, 15 * T, 15))


def test_importing_twice_reads_and_another_pair_is_refused(tmp_path, dataset):
    query, _ = write(tmp_path / "q.h5")
    answer, _ = write(tmp_path / "an.h5")
    first = import_released(query, answer, dataset, tmp_path / "cache")
    before = first.path("video_1").stat().st_mtime_ns
    import_released(query, answer, dataset, tmp_path / "cache")
    assert first.path("video_1").stat().st_mtime_ns == before
    with pytest.raises(UserError, match=r"query_sha256=.*expected"):
        import_released(answer, query, dataset, tmp_path / "cache")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"drop": ("video_2",)}, "has neither video_2 nor Cooking .it has Base_jumping"),
        (
            {"video_1": np.zeros((T + 1, D), np.float16)},
            r"Base_jumping: 6 steps, but video_1 \(Base jumping\) has 5 picks",
        ),
        (
            {"video_1": np.zeros((T, D + 1), np.float16)},
            r"\[5, 9\] in .*q\.h5, \[5, 8\] in .*: are they a pair",
        ),
        ({"video_1": np.zeros(T, np.float16)}, r"expected an array of numbers \[T, D\] or"),
        (
            {"video_1": np.full((T, D), np.nan, np.float16)},
            "hold NaN or infinite values, first at step 0",
        ),
    ],
)
def test_mistakes_are_one_line(tmp_path, dataset, given, message):
    query, _ = write(tmp_path / "q.h5", **given)
    answer, _ = write(tmp_path / "an.h5")
    with pytest.raises(UserError, match=message):
        import_released(query, answer, dataset, tmp_path / "cache")


def test_missing_and_unreadable_files(tmp_path, dataset):
    answer, _ = write(tmp_path / "an.h5")
    with pytest.raises(UserError, match=r"none\.h5: No such file"):
        import_released(tmp_path / "none.h5", answer, dataset, tmp_path / "cache")
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(UserError, match=r"text\.h5: not readable as an HDF5 file"):
        import_released(tmp_path / "text.h5", answer, dataset, tmp_path / "cache")
