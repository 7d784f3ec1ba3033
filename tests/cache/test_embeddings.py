"""The cache: what is written comes back, and what was made otherwise, half or damaged is refused."""

import re

import pytest
import torch

from llmvs.cache.embeddings import EmbeddingCache, Embeddings, differences
from llmvs.errors import UserError

IDENTITY = {"scorer": "some/model", "prompt.window": 7, "captions.seed": None}


def make(steps=4, dim=6, dtype=torch.float32):
    generator = torch.Generator().manual_seed(steps)
    q, a = torch.randn(2, steps, dim, generator=generator).to(dtype)
    return Embeddings(
        q,
        a,
        torch.arange(steps) * 15,
        [[1, 2], [], [3], [4, 5, 6]][:steps],
        ["12", "", "3", "ten"][:steps],
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_round_trip(tmp_path, dtype):
    cache = EmbeddingCache(tmp_path / "c", IDENTITY)
    assert "video_1" not in cache
    written = make(dtype=dtype)
    cache.write("video_1", written, captions_hash="abc", provenance={"torch": "2"})
    read = EmbeddingCache(tmp_path / "c").read("video_1")
    assert read.q.dtype == dtype
    assert torch.equal(read.q, written.q)
    assert torch.equal(read.a, written.a)
    assert torch.equal(read.steps, written.steps)
    assert (read.answer_ids, read.answers) == (written.answer_ids, written.answers)
    assert cache.captions_hash("video_1") == "abc"
    assert cache.keys() == ["video_1"]


@pytest.mark.parametrize("key", ["../x", "/tmp/x", "a/b", "a\0b", "", ".x"])
def test_nothing_is_written_or_read_outside_the_folder(tmp_path, key):
    cache = EmbeddingCache(tmp_path / "c", IDENTITY)
    for act in (lambda: cache.write(key, make()), lambda: cache.read(key), lambda: key in cache):
        with pytest.raises(UserError, match=r"c: the name '.*: rename"):
            act()
    assert not list(tmp_path.rglob("*.safetensors"))


def test_another_fingerprint_is_refused_with_what_differs(tmp_path):
    EmbeddingCache(tmp_path, IDENTITY).write("video_1", make())
    with pytest.raises(UserError, match=re.escape("prompt.window=7 (expected 5)")):
        EmbeddingCache(tmp_path, {**IDENTITY, "prompt.window": 5})
    other = EmbeddingCache(tmp_path / "other", {**IDENTITY, "dtype": "float16"})
    other.write("video_2", make())
    other.path("video_2").rename(tmp_path / "video_2.safetensors")
    with pytest.raises(
        UserError, match=r"video_2\.safetensors: made with dtype=float16 \(expected nothing\)"
    ):
        EmbeddingCache(tmp_path, IDENTITY).read("video_2")


def test_library_versions_are_recorded_but_do_not_matter(tmp_path):
    EmbeddingCache(tmp_path, IDENTITY).write("video_1", make(), provenance={"torch": "2.1"})
    EmbeddingCache(tmp_path, IDENTITY).write("video_2", make(), provenance={"torch": "2.2"})
    assert EmbeddingCache(tmp_path).keys() == ["video_1", "video_2"]


def test_damaged_missing_and_foreign_files(tmp_path):
    cache = EmbeddingCache(tmp_path, IDENTITY)
    cache.write("video_1", make())
    path = cache.path("video_1")
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"nonsense" * 20):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"video_1\.safetensors: damaged"):
            cache.read("video_1")
    with pytest.raises(UserError, match="no embeddings of video_2 here"):
        cache.read("video_2")
    with pytest.raises(UserError, match=r"fingerprint\.json: no such file"):
        EmbeddingCache(tmp_path / "nowhere")
    (tmp_path / "fingerprint.json").write_text('{"format": "other"}')
    with pytest.raises(UserError, match="not the fingerprint of an embedding cache"):
        EmbeddingCache(tmp_path)


def test_a_half_written_file_is_not_seen(tmp_path):
    cache = EmbeddingCache(tmp_path, IDENTITY)
    cache.write("video_1", make())
    (tmp_path / ".video_2-abc.safetensors").write_bytes(b"half")
    assert cache.keys() == ["video_1"]
    assert "video_2" not in cache


def test_nan_and_shapes():
    good = make()
    bad = good.q.clone()
    bad[2, 1] = float("nan")
    with pytest.raises(
        UserError, match="embeddings q hold NaN or infinite values, first at step 2 of 4"
    ):
        Embeddings(bad, good.a, good.steps)
    with pytest.raises(UserError, match=r"expected \[T, D\], \[T, D\], \[T\]"):
        Embeddings(good.q, good.a[:3], good.steps)


def test_differences():
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": None}) == [
        "b=2 (expected 3)",
        "c=nothing (expected None)",
    ]
