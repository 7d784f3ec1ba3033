"""The loop that both stages of extraction are: what is made, in which order, and what a failure
stops.
"""

from pathlib import Path

import pytest
import torch

from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.datasets.video import Video
from llmvs.errors import UserError, VideoError
from llmvs.extraction.stage import Count, Stage


class Toy(Stage[str, object]):
    """Makes a record of one step; what it is made from is the video's name."""

    def __init__(self, folder: Path, again: bool = False) -> None:
        super().__init__("toys", EmbeddingCache(folder, {"toy": 1}), again)
        self.loaded: list[object] = []
        self.tried: list[str] = []
        self.problem: Exception | None = None

    def load(self) -> object:
        self.loaded.append(object())
        return self.loaded[-1]

    def prepare(self, video: Video) -> str:
        if video.name == "unreadable":
            raise VideoError(f"{video.key}: unreadable")
        return video.name

    def stale(self, video: Video, given: str) -> bool:
        return self.cache.captions_hash(video.key) != given

    def make(self, video: Video, given: str, count: Count) -> None:
        assert self.model is self.loaded[0]
        self.tried.append(video.key)
        if given == "broken":
            raise VideoError(f"{video.key}: broken")
        if self.problem is not None:
            raise self.problem
        count(1)
        value = Embeddings(torch.ones(1, 2), torch.ones(1, 2), torch.tensor([0]))
        self.cache.write(video.key, value, given)


def videos(**names: str) -> list[Video]:
    return [Video(key, name) for key, name in names.items()]


def test_what_is_missing_comes_first_then_what_is_stale(tmp_path: Path) -> None:
    Toy(tmp_path).run(videos(a="1", b="1"))
    stage = Toy(tmp_path)
    assert stage.run(videos(a="2", b="1", c="1", d="1")) == {}
    assert stage.tried == stage.made == ["c", "d", "a"]
    assert stage.reused == ["b"]
    assert len(stage.loaded) == 1
    again = Toy(tmp_path)
    assert again.run(videos(a="2", b="1", c="1", d="1")) == {}
    assert (again.made, again.reused, again.loaded) == ([], ["a", "b", "c", "d"], [])


def test_one_video_that_fails_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Toy(tmp_path)
    failed = stage.run(videos(a="broken", b="unreadable", c="1"))
    assert failed == {"a": "a: broken", "b": "b: unreadable"}
    assert stage.made == ["c"]
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line in failed.values()] == list(failed.values())


def test_what_concerns_all_videos_ends_it_and_what_is_done_stays(tmp_path: Path) -> None:
    Toy(tmp_path).run(videos(a="1"))
    stage = Toy(tmp_path)
    stage.problem = UserError("the disk is full")
    with pytest.raises(UserError, match="the disk is full"):
        stage.run(videos(a="1", b="1", c="1"))
    assert stage.tried == ["b"]
    assert stage.cache.keys() == ["a"]


def test_all_over_again(tmp_path: Path) -> None:
    Toy(tmp_path).run(videos(a="1"))
    stage = Toy(tmp_path, again=True)
    assert stage.there() == frozenset()
    stage.run(videos(a="1"))
    assert stage.made == ["a"]


def test_the_memory_of_the_model_is_handed_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed: list[bool] = []
    monkeypatch.setattr("llmvs.extraction.models.free_memory", lambda: freed.append(True))
    stage = Toy(tmp_path)
    stage.run(videos(a="1"))
    assert (stage._model, freed) == (None, [True])
    stage.run(videos(a="1"))  # no model was loaded
    assert freed == [True]


def test_missing_records_are_refused_by_name(tmp_path: Path) -> None:
    stage = Toy(tmp_path)
    stage.run(videos(a="1"))
    stage.refuse_missing(videos(a="1"), "no {video}")
    with pytest.raises(UserError, match=r"^no b$"):
        stage.refuse_missing(videos(a="1", b="1"), "no {video}")
    with pytest.raises(UserError, match=r"^no b \(and 1 more videos\)$"):
        stage.refuse_missing(videos(b="1", a="1", c="1"), "no {video}")
