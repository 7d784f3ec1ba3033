"""Runs of a frozen model by itself: the same folder, result and table as any other run, and nothing
is asked twice.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import ExtractConfig, MethodConfig
from llmvs.errors import UserError
from llmvs.experiments.run import train
from llmvs.extraction import caption_stage
from llmvs.extraction.answer_text import parse_number
from tests.toys import embed


def mean_tau(dataset, scores):
    found = []
    for key, values in scores.items():
        video = dataset.annotations_of(key)
        found.append(
            np.mean(
                [kendalltau(values, row).statistic for row in video.user_scores[:, video.picks]]
            )
        )
    return np.mean(found)


def test_the_scorer_alone(world, tmp_path):
    dataset, settings = world
    document, text = train(settings("scorer"))
    test = document["videos"]["test"]
    assert (document["selection"], document["videos"]["train"], set(document["rules"])) == (
        "last",
        [],
        {"last"},
    )
    cache = EmbeddingCache(next((tmp_path / "cache" / "films").glob("embeddings-*")))
    assert set(cache.keys()) == set(test)  # nothing but the test videos is needed
    answers = {key: [parse_number(answer) for answer in cache.read(key).answers] for key in test}
    folder = tmp_path / "runs" / "films" / "fold0" / "seed1112"
    assert json.loads((folder / "scores" / "last.json").read_text()) == {
        key: pytest.approx([number / 10 for number in numbers]) for key, numbers in answers.items()
    }
    assert document["protocols"]["paper"]["This run"]["tau"] == pytest.approx(
        mean_tau(dataset, answers), abs=1e-6
    )
    assert "the scorer alone, zero-shot: nothing is trained" in text
    assert list(document["protocols"]["paper"]) == [
        "This run",
        "This run/untied",
        "position",
        "caption_novelty",  # but not the ridge on words: the training videos have no captions
        "visual_novelty",
        "random",
        "ceiling",
    ]  # no zero-shot row besides
    assert json.loads((folder / "result.json").read_text())["method"] == {
        "model": "scorer",
        "lora": False,
    }
    assert train(settings("scorer"))[1] == text


def test_the_captioner_alone_and_its_words_that_are_no_numbers(world, monkeypatch):
    dataset, settings = world
    document, text = train(settings("captioner"))  # the tiny captioner only ever says words
    steps = sum(dataset.annotations_of(key).n_steps for key in document["videos"]["test"])
    assert np.isnan(document["protocols"]["paper"]["This run"]["tau"])
    assert (
        f"This run: {steps} of {steps} answers are not a number from 0 to 10; undefined, because no"
        " answer about" in text
    )
    monkeypatch.setattr(caption_stage.CaptionStage, "load", lambda self: pytest.fail("asked again"))
    assert train(replace(settings("captioner"), resume=False))[1] == text


def test_the_captioners_numbers_are_the_scores(world, monkeypatch):
    dataset, settings = world
    answer, count = caption_stage.caption_steps, iter(range(1000))

    def with_numbers(*arguments):
        frames, texts, features = answer(*arguments)
        return frames, [str(next(count) * 7 % 11) for _ in texts], features

    monkeypatch.setattr(caption_stage, "caption_steps", with_numbers)
    document, _ = train(settings("captioner"))
    scores = {}
    numbers = iter(range(1000))
    for key in document["videos"]["test"]:
        scores[key] = [next(numbers) * 7 % 11 for _ in dataset.annotations_of(key).picks]
    assert document["protocols"]["paper"]["This run"]["tau"] == pytest.approx(
        mean_tau(dataset, scores), abs=1e-6
    )


def test_mistakes(world, tmp_path):
    dataset, settings = world
    with pytest.raises(
        UserError, match="devices=2 num_nodes=1: the captioner is asked about frames by one process"
    ):
        train(settings("captioner", devices=2))
    released = EmbeddingCache(tmp_path / "released", {"source": "imported"})
    for key, video in dataset.annotations.items():
        released.write(key, embed(video))
    with pytest.raises(UserError, match=r"hold no answers: leave extract\.embeddings out"):
        train(
            replace(
                settings("scorer"),
                experiment="b",
                extract=ExtractConfig(embeddings=str(released.folder)),
            )
        )
    with pytest.raises(
        ValueError, match=r"method\.lora=True: must be false with method\.model=head"
    ):
        MethodConfig("head", lora=True)
