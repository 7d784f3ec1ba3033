"""Sharing out videos: everything once, balanced, and alike for every rank."""

from pathlib import Path

import numpy as np
import pytest

from llmvs.datasets.video import Video
from llmvs.extraction.ranks import ALONE, Ranks


def shares(sources: list[Video], n: int, done: set[str] = frozenset()) -> list[list[str]]:
    return [[source.key for source in Ranks(rank, n).share(sources, done)] for rank in range(n)]


def of_steps(*lengths: int) -> list[Video]:
    return [Video(f"v{i}", f"v{i}", None, np.arange(length)) for i, length in enumerate(lengths)]


def test_one_rank_does_everything_in_the_order_of_the_list() -> None:
    sources = of_steps(3, 9, 1)
    assert ALONE.share(sources, set()) == sources


@pytest.mark.parametrize("n", [2, 3, 7, 20])
def test_every_video_has_one_owner_and_no_rank_much_more_than_another(n: int) -> None:
    lengths = np.random.default_rng(0).integers(1, 1000, 100)
    parts = shares(of_steps(*lengths), n)
    assert sorted(key for part in parts for key in part) == sorted(f"v{i}" for i in range(100))
    loads = [sum(lengths[int(key[1:])] for key in part) for part in parts]
    assert (
        max(loads) <= lengths.sum() / n + lengths.max()
    )  # what giving out the longest first guarantees
    assert max(loads) < 1.2 * lengths.sum() / n
    assert all(part == sorted(part, key=lambda key: int(key[1:])) for part in parts)


def test_the_longest_go_to_the_rank_with_the_least_to_do() -> None:
    assert shares(of_steps(5, 1, 4, 3, 3), 2) == [["v0", "v4"], ["v1", "v2", "v3"]]


def test_what_is_done_is_only_looked_at_by_everybody_alike() -> None:
    assert shares(of_steps(5, 100, 4, 90), 2, {"v1", "v3"}) == [["v0", "v3"], ["v1", "v2"]]


def test_videos_of_unknown_length_go_by_the_size_of_their_files(tmp_path: Path) -> None:
    sources = []
    for name, size in (("a", 10), ("b", 1000), ("c", 400), ("d", 500)):
        (tmp_path / f"{name}.mp4").write_bytes(b"x" * size)
        sources.append(Video.file(tmp_path / f"{name}.mp4"))
    assert shares([*sources, Video.file(tmp_path / "gone.mp4")], 2) == [
        ["b"],
        ["a", "c", "d", "gone"],
    ]
