"""Losses and expected numbers of padded batches, against the model run prompt by prompt, answer by
answer.
"""

from pathlib import Path

import pytest
import torch

from llmvs.config.schema import LoraConfig
from llmvs.extraction import models
from llmvs.extraction.peft_folder import weights
from llmvs.extraction.prompts import Example, Template, windows
from llmvs.models.adapters import answering
from llmvs.models.adapters.adapter import attach, restore
from llmvs.models.adapters.answering import Answering
from llmvs.models.adapters.questions import load_scorer
from tests.models.adapters.conftest import CAPTIONS


def alone(model, one, suffix):
    """Logits [L, vocabulary] of one prompt with a suffix, by the model's own forward pass."""
    ids = torch.tensor([[*one.ids, *suffix]])
    with torch.inference_mode():
        return model(input_ids=ids, **one.extras).logits[0]


def test_the_expected_number_is_that_of_every_answer_tried(loaded, dataset):
    model, numbers, questions = loaded
    asked = list(questions.about(dataset.annotations_of("one")))
    found = Answering(model, numbers).expected(asked)
    for one, score in zip(asked, found.tolist(), strict=True):
        chances = []
        for number, ids in enumerate(numbers.ids):
            likely = alone(model, one, ids).log_softmax(-1)
            start = len(one.ids) - 1
            chance = sum(float(likely[start + i, token]) for i, token in enumerate(ids))
            if number == 1:  # not the beginning of 10
                chance += float(torch.log1p(-likely[start + len(ids), numbers.ids[10][-1]].exp()))
            chances.append(chance)
        weights = torch.tensor(chances).softmax(0)
        assert score == pytest.approx(float(weights @ torch.arange(11.0)) / 10, abs=1e-4)


def test_the_loss_is_the_models_own_on_the_answers_tokens(loaded, dataset):
    model, numbers, questions = loaded
    asked, right = list(questions.about(dataset.annotations_of("one"))), [0, 10, 1, 7, 10, 3]
    losses = Answering(model, numbers).losses(asked, right)
    for one, number, loss in zip(asked, right, losses.tolist(), strict=True):
        answer = numbers.answer(number)
        ids = torch.tensor([[*one.ids, *answer]])
        labels = torch.tensor([[-100] * len(one.ids) + answer])
        assert loss == pytest.approx(
            float(model(input_ids=ids, labels=labels, **one.extras).loss), abs=1e-4
        )


def test_scores_in_chunks_are_those_of_all_at_once(loaded, dataset):
    model, numbers, questions = loaded
    reader, done = Answering(model, numbers), []
    asked = list(questions.about(dataset.annotations_of("one")))
    scores = reader.scores(iter(asked), 4, done.append)
    assert done == [4, 2]
    assert scores.tolist() == pytest.approx(reader.expected(asked).tolist(), abs=1e-5)
    assert len({round(score, 5) for score in scores.tolist()}) > 2


def test_chosen_steps_are_asked_about_as_among_all(loaded, dataset):
    _, _, questions = loaded
    every = list(questions.about(dataset.annotations_of("one")))
    some = list(questions.about(dataset.annotations_of("one"), {1, 4}))
    assert [one.ids for one in some] == [every[1].ids, every[4].ids]
    assert all(
        torch.equal(a.extras[name], b.extras[name])
        for a, b in zip(some, (every[1], every[4]), strict=True)
        for name in a.extras
    )


def test_the_scorers_prompt_is_that_of_extraction(config, dataset):
    example = Example(windows(["a cat sits", "a cat jumps"], 3)[1], 9)
    _, _, questions = load_scorer(config, [example], CAPTIONS)
    _, tokenizer = models.load_scorer(config.backbone, Path(config.cache), torch.device("cpu"))
    expected = Template(tokenizer, "numeric", [example]).encode(
        windows(CAPTIONS["one"].texts, config.prompt.window)
    )
    assert [one.ids for one in questions.about(dataset.annotations_of("one"))] == expected


def test_a_prefix_read_once_gives_the_same_gradients(config, dataset, monkeypatch):
    found = []
    for worth in (1, 10_000):
        monkeypatch.setattr(answering, "WORTH_SHARING", worth)
        model, numbers, questions = load_scorer(config, [], CAPTIONS)
        adapted = attach(model, LoraConfig(dropout=0.0), "tiny", seed=0)
        restore(adapted, {name: value + 0.01 for name, value in weights(adapted).items()})
        reader, asked = (
            Answering(model, numbers),
            list(questions.about(dataset.annotations_of("one"))),
        )
        assert (reader._shared(asked) > 0) == (worth == 1)
        loss = reader.losses(asked, [0, 10, 1, 7, 10, 3]).mean()
        loss.backward()
        found.append(
            (
                float(loss.detach()),
                [value.grad for value in adapted.parameters() if value.requires_grad],
            )
        )
    (loss, gradients), (other, others) = found
    assert loss == pytest.approx(other, abs=1e-5)
    for one, two in zip(gradients, others, strict=True):
        assert torch.allclose(one, two, atol=1e-5 * float(two.abs().max()) + 1e-6)
