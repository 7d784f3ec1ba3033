"""Numbers as tokens: every tokenizer's spelling, and probabilities against a walk through all
answers.
"""

import itertools

import pytest
import torch

from llmvs.demo.models.vocabulary import tokenizer
from llmvs.errors import UserError
from llmvs.extraction.numbers import Numbers, nearest


class Spelling:
    """A tokenizer of single characters; `whole` are tokens of their own."""

    eos_token_id = 0
    eos_token = "\0"

    def __init__(self, *whole):
        self.whole = whole

    def __call__(self, texts, add_special_tokens):
        class Encoded:
            input_ids = [self.encode(text) for text in texts]  # noqa: RUF012

        return Encoded

    def encode(self, text):
        ids = []
        while text:
            token = next((word for word in self.whole if text.startswith(word)), text[0])
            ids.append(100 + self.whole.index(token) if token in self.whole else ord(token))
            text = text[len(token) :]
        return ids


def conversation(prompt, lead, tail="\0"):
    """How an answer stands behind a prompt."""
    return lambda answer: prompt if answer is None else f"{prompt}{lead}{answer}{tail}"


def test_spellings():
    digits = Numbers.of(Spelling(), conversation("Q:", " "))
    assert digits.ids[7] == (ord(" "), ord("7"))
    assert digits.path == [ord(" "), ord("1")]
    assert digits.answer(3) == [ord(" "), ord("3"), 0]
    assert Numbers.of(Spelling("10"), conversation("Q:", "")).path == []
    assert Numbers.of(tokenizer(map(str, range(11))), conversation("A question?", " ")).path == []
    assert (
        len(Numbers.of(tokenizer(), conversation("A question?", " ")).path) == 2
    )  # a space, and the 1 of 10


def test_a_number_that_merges_with_the_prompt_is_refused():
    with pytest.raises(UserError, match="cannot be read"):
        Numbers.of(Spelling(":7"), conversation("Q:", ""))
    with pytest.raises(UserError, match="cannot be read"):
        Numbers.of(
            Spelling(" 10"), conversation("Q:", " ")
        )  # 0 is " ", "0", which no path to " 10" leads through


@pytest.mark.parametrize("whole", [(), ("10",), tuple(str(number) for number in range(10, -1, -1))])
def test_probabilities_are_those_of_walking_through_every_answer(whole):
    numbers = Numbers.of(Spelling(*whole), conversation("Q:", " "))
    logits = torch.randn(5, len(numbers.path) + 1, 128, generator=torch.Generator().manual_seed(0))
    chances = logits.softmax(-1)

    def walk(row, ids):
        chance = 1.0
        for depth, token in enumerate(ids):
            chance *= float(chances[row, depth, token])
        longer = numbers.ids[10]
        if len(ids) < len(longer) and longer[: len(ids)] == ids:
            chance *= 1 - float(chances[row, len(ids), longer[len(ids)]])
        return chance

    found = numbers.probabilities(logits)
    for row, number in itertools.product(range(5), range(11)):
        every = [walk(row, ids) for ids in numbers.ids]
        assert float(found[row, number]) == pytest.approx(every[number] / sum(every), rel=1e-4)
    assert numbers.expected(logits).tolist() == pytest.approx(
        (found * torch.arange(11)).sum(1).tolist()
    )


def test_a_certain_model_answers_its_number():
    numbers = Numbers.of(Spelling(), conversation("Q:", ""))
    for number in (0, 1, 7, 10):
        logits = torch.full((1, 2, 128), -50.0)
        for depth, token in enumerate(numbers.answer(number)[:2]):
            logits[0, depth, token] = 50
        assert float(numbers.expected(logits)) == pytest.approx(number, abs=1e-4)


def test_nearest():
    assert nearest([0, 0.04, 0.26, 0.5, 1]) == [0, 0, 3, 5, 10]
