"""What the captioner answers about every frame, kept like captions and apart from them."""

import pytest

from llmvs.cache.listing import folders
from llmvs.cache.verify import verify
from llmvs.config.schema import ExtractConfig
from llmvs.errors import UserError
from llmvs.extraction.captioner import Captioner
from llmvs.extraction.captioning import Captioning, ask_frames
from llmvs.extraction.prompts import FRAME_QUESTION
from tests.films import films, tiny_config


def sources(dataset):
    return list(dataset.videos.values())


def test_every_frame_is_asked_the_question_once(tmp_path, built, monkeypatch):
    dataset, config = films(tmp_path, {"one": 3, "two": 2}), tiny_config(tmp_path / "cache", built)
    asked, answer = [], Captioner.__call__

    def listened(self, prepared):
        asked.append((self.questions, self.max_tokens))
        return answer(self, prepared)

    monkeypatch.setattr(Captioner, "__call__", listened)
    cache = ask_frames(config, "films", sources(dataset))
    assert all(one == ([FRAME_QUESTION], config.prompt.max_tokens) for one in asked)
    assert len(asked) == 3
    assert {key: len(cache.read(key).texts) for key in ("one", "two")} == {"one": 6, "two": 4}
    assert cache.folder.name.startswith("answers-")
    asked.clear()
    again = ask_frames(config, "films", sources(dataset))
    assert asked == []
    assert again.read("one") == cache.read("one")
    cache.path("one").unlink()
    ask_frames(config, "films", sources(dataset))
    assert len(asked) == 2  # the six frames of the video that was missing, four at once


def test_answers_are_no_captions(tmp_path, built):
    dataset, config = films(tmp_path, {"one": 1}), tiny_config(tmp_path / "cache", built)
    answers = ask_frames(config, "films", sources(dataset))
    captions = Captioning(config, "films").cache
    assert captions.folder != answers.folder
    assert answers.identity["role"] == "answers"
    assert answers.identity["caption.prompt"] == FRAME_QUESTION
    (found,) = [one for one in folders(tmp_path / "cache") if one.kind != "backbone"]
    assert (found.kind, found.videos, found.problem) == ("answers", 1, None)
    assert verify(tmp_path / "cache")[0] == []
    answers.path("one").write_text("{}")
    assert len(verify(tmp_path / "cache")[0]) == 1


def test_mistakes(tmp_path, built):
    dataset = films(tmp_path, {"one": 1})
    config = tiny_config(tmp_path / "cache", built, extract=ExtractConfig(refresh="never"))
    with pytest.raises(
        UserError, match=r"extract.refresh=never: .*answers-\w+ has no answers about one"
    ):
        ask_frames(config, "films", sources(dataset))
    dataset.videos["one"].path.unlink()
    with pytest.raises(UserError, match=r"one\.mp4: no such video file"):
        ask_frames(tiny_config(tmp_path / "other", built), "films", sources(dataset))
