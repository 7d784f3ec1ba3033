"""The store under both caches: what lies on disk stays as it was, and what is not ours is refused."""

import hashlib
from pathlib import Path

import pytest
import torch

from llmvs.cache.captions import CaptionCache, Captions
from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.cache.fingerprint import short_hash, why_new
from llmvs.errors import UserError

MADE_OF_CAPTIONS = {"captioner": "é", "fps": 2.0}
MADE_OF_EMBEDDINGS = {"scorer": "é", "window": 7, "seed": None}
CAPTIONS = Captions([0, 15], ["a dog", "ein Hund läuft"])
WRITTEN = {
    "captions/fingerprint.json": "58955e72aeeb8816",
    "captions/v 1.jsonl": "333686f63b276b8e",
    "captions/v 1.safetensors": "5253c597cc1ba8e7",
    "embeddings/fingerprint.json": "f0e265a7bf4bc473",
    "embeddings/v 1.safetensors": "b918ed6326d83a29",
}
"""Beginning of the sha256 of every file, as version 0.1 wrote them."""
HASHES = ("1e496c55", "07261859")


def test_the_files_are_byte_by_byte_those_of_version_0_1(tmp_path: Path) -> None:
    captions = CaptionCache(tmp_path / "captions", MADE_OF_CAPTIONS)
    v = torch.arange(6.0).reshape(2, 3)
    captions.write("v 1", CAPTIONS, v, "source", {"torch": "2", "device": "cpu"})
    t = torch.arange(8.0).reshape(2, 4)
    value = Embeddings(
        t, -t, torch.tensor([0, 15]), [[1], [2, 3]], ["5", "sieben ü"], [(t, t[:1]), (t[:1], t)]
    )
    embeddings = EmbeddingCache(tmp_path / "embeddings", MADE_OF_EMBEDDINGS)
    embeddings.write("v 1", value, CAPTIONS.sha256(), {"torch": "2"})
    found = {
        str(path.relative_to(tmp_path)): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in tmp_path.glob("*/*")
    }
    assert found == WRITTEN
    assert (short_hash(MADE_OF_CAPTIONS), short_hash(MADE_OF_EMBEDDINGS)) == HASHES


@pytest.mark.parametrize("kind", [CaptionCache, EmbeddingCache])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "not the fingerprint of"),
        ('{"format": "llmvs-captions-0", "identity": {}}', "not the fingerprint of"),
        ('{"format": "llmvs-embeddings-0", "identity": {}}', "not the fingerprint of"),
        ('{"format": "llmvs-captions-1"}', "not the fingerprint of"),
        ("{", "not readable as the fingerprint of"),
    ],
)
def test_a_folder_of_another_kind_is_refused_in_one_line(
    tmp_path: Path, kind: type, content: str, message: str
) -> None:
    (tmp_path / "fingerprint.json").write_text(content)
    for identity in (None, {"a": 1}):
        with pytest.raises(UserError, match=rf"fingerprint\.json: {message}") as caught:
            kind(tmp_path, identity)
        assert "\n" not in str(caught.value)


def test_one_kind_is_not_read_as_the_other(tmp_path: Path) -> None:
    CaptionCache(tmp_path, {}).write("v", CAPTIONS, torch.ones(2, 3), "")
    with pytest.raises(UserError, match="not the fingerprint of an embedding cache"):
        EmbeddingCache(tmp_path)


def test_a_record_is_there_when_all_its_files_are(tmp_path: Path) -> None:
    cache = CaptionCache(tmp_path, {})
    assert cache.keys() == []
    for key in ("b.1", "a", "c"):
        cache.write(key, CAPTIONS, torch.ones(2, 3), "of the video")
    (tmp_path / "c.safetensors").unlink()
    (tmp_path / ".d.jsonl").touch()
    (tmp_path / ".d.safetensors").touch()
    assert cache.keys() == ["a", "b.1"]
    assert ["a" in cache, "c" in cache] == [True, False]
    (tmp_path / "c.safetensors").write_bytes(b"damaged")
    assert [cache.source(key) for key in ("a", "c", "e")] == ["of the video", "", ""]


def test_a_new_folder_says_what_differs_from_its_nearest_neighbour(tmp_path: Path) -> None:
    for name, identity in (("1", {"window": 5, "fps": 2}), ("2", {"window": 7, "fps": 3})):
        CaptionCache(tmp_path / f"captions-{name}", identity).write(
            "v", CAPTIONS, torch.ones(2, 3), ""
        )
    (tmp_path / "captions-3").mkdir()
    (tmp_path / "captions-3" / "fingerprint.json").write_text("{")
    line = why_new(tmp_path / "captions-4", {"window": 9, "fps": 3})
    assert line is not None
    assert line.endswith("because captions-2 was made with window=7 (now 9)")
    assert why_new(tmp_path / "captions-2", {}) is None
    assert why_new(tmp_path / "embeddings-2", {}) is None
