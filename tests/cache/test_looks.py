"""Scores by what is seen and heard, as a kind of record like captions and embeddings."""

from pathlib import Path

import numpy as np
import pytest

from llmvs.cache import fingerprint
from llmvs.cache.listing import folders, made_from
from llmvs.cache.looks import LookCache
from llmvs.cache.prune import prune
from llmvs.cache.verify import verify
from llmvs.errors import UserError

MADE_WITH = {"recipe": fingerprint.RECIPE, "look": 1, "score": "all of it"}


@pytest.fixture
def looks(tmp_path: Path) -> LookCache:
    """Two videos' scores in a cache."""
    cache = LookCache(tmp_path / "cache" / "mine" / "looks-0123abcd", MADE_WITH)
    for key in ("v1", "v2"):
        cache.write(key, np.array([0.25, 0.5, 1 / 3]), np.array([0, 15, 30]), f"file of {key}")
    return cache


def test_what_is_written_is_read_to_the_bit(looks: LookCache) -> None:
    scores, steps = LookCache(looks.folder, MADE_WITH).read("v1")
    assert scores.tolist() == [0.25, 0.5, 1 / 3]
    assert steps.tolist() == [0, 15, 30]
    assert looks.source("v2") == "file of v2"
    with pytest.raises(UserError, match=r"made with look=1 \(expected 2\)"):
        LookCache(looks.folder, {**MADE_WITH, "look": 2})


def test_the_cache_knows_them(looks: LookCache) -> None:
    cache = looks.folder.parents[1]
    (found,) = folders(cache)
    assert (found.kind, found.videos, found.problem, found.spared) == ("looks", 2, None, None)
    assert made_from(found) == "what is seen and heard; all of it"
    assert verify(cache) == ([], "2 videos in 1 folders checked, 0 damaged")
    looks.write("v1", np.array([0.5, np.nan]), np.array([0, 15]), "")
    record = looks.path("v2")
    record.write_bytes(record.read_bytes()[:-5])
    lines, summary = verify(cache, delete=True)
    assert [line.split(": ")[0] for line in lines] == [str(looks.path(k)) for k in ("v1", "v2")]
    assert "2 damaged; damaged files removed" in summary
    assert looks.keys() == []
    assert "would remove mine/looks-0123abcd" in prune(cache, older_than=-1)


def test_those_of_an_older_recipe_go(tmp_path: Path) -> None:
    old = LookCache(tmp_path / "mine" / "looks-0123abcd", {**MADE_WITH, "recipe": -1})
    old.write("v1", np.array([0.5]), np.array([0]), "")
    assert "made by another version's recipe" in prune(tmp_path)
