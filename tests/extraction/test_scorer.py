"""The scorer's definitions, against `generate` and one plain forward pass over prompt and answer."""

import pytest
import torch

from llmvs.errors import UserError
from llmvs.extraction import examples
from llmvs.extraction.engines import naive
from llmvs.extraction.prompts import Template, windows
from llmvs.extraction.scorer import Scorer, parse_number, stop_tokens

CAPTIONS = ["a man is walking on the beach", "a dog jumps into the water", "a dog jumps into the water", "a red car",
            "", "two naïve cats", "a dog"]


@pytest.fixture(scope="module")
def scorer(scorer_pair) -> Scorer:
    model, tokenizer = scorer_pair
    return Scorer(model, Template(tokenizer, "numeric", examples.fixed(1, 3)), max_tokens=4)


def test_q_and_a_by_their_definition(scorer: Scorer) -> None:
    found = scorer(windows(CAPTIONS, 3))
    model = scorer.model
    for t, window in enumerate(windows(CAPTIONS, 3)):
        prompt = torch.tensor([scorer.template.encode(window)])
        with torch.inference_mode():
            whole = model.generate(prompt, do_sample=False, max_new_tokens=4)
            answer = [i for i in whole[0, prompt.shape[1]:].tolist() if i not in scorer.stop]
            fed = torch.cat([prompt, torch.tensor([answer or whole[0, prompt.shape[1]:][:1].tolist()])], 1)
            states = model(fed, output_hidden_states=True).hidden_states[-1][0]
        start = len(scorer.template.prefix)
        assert found.answer_ids[t] == answer
        torch.testing.assert_close(found.q[t], states[start:prompt.shape[1]].amax(0), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found.a[t], states[prompt.shape[1]:].amax(0), atol=1e-5, rtol=1e-5)
        assert found.answers[t] == scorer.template.tokenizer.decode(answer).strip()


def test_an_empty_answer_is_represented_by_its_end_token(scorer: Scorer) -> None:
    prompt = scorer.template.encode(windows(CAPTIONS, 3)[0])
    start = len(scorer.template.prefix)
    first = naive(scorer.model, prompt, start, 1, frozenset()).answer[0]
    empty = naive(scorer.model, prompt, start, 4, frozenset([first]))
    assert empty.answer == []
    torch.testing.assert_close(empty.a, naive(scorer.model, prompt, start, 1, frozenset()).a)


def test_an_end_token_later_on_is_not_part_of_the_answer(scorer: Scorer) -> None:
    prompt = scorer.template.encode(windows(CAPTIONS, 3)[3])
    start = len(scorer.template.prefix)
    long = naive(scorer.model, prompt, start, 6, frozenset())
    end = next(i for i in long.answer if i != long.answer[0])
    until = long.answer.index(end)
    short = naive(scorer.model, prompt, start, 6, frozenset([end]))
    assert short.answer == long.answer[:until]
    assert torch.equal(short.a, naive(scorer.model, prompt, start, until, frozenset()).a)


def test_identical_windows_are_read_once(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("llmvs.extraction.scorer.naive", lambda *args: calls.append(args[1]) or naive(*args))
    same = ["a dog"] * 6
    done = []
    found = scorer(windows(same, 3), done.append)
    assert len(calls) == 3  # the first, the middle ones, the last
    assert sum(done) == 6
    assert torch.equal(found.q[1], found.q[4])


def test_prompt_beyond_the_context(scorer: Scorer) -> None:
    with pytest.raises(UserError, match=r"a prompt of \d+ tokens .* context of 4096: reduce prompt\.window"):
        scorer(windows(["日本 " * 2000], 1))


def test_stop_tokens_of_checkpoint_and_tokenizer(scorer_pair) -> None:
    model, tokenizer = scorer_pair
    assert stop_tokens(model, tokenizer) == {tokenizer.eos_token_id}


@pytest.mark.parametrize(("text", "number"), [
    ("7", 7), (" 10.", 10), ("0", 0), ("8/10", 8), ("8 / 10.", 8), ("6.5", 6.5), ("7\n", 7), ("3, because", 3),
    ("37", None), ("", None), ("seven", None), ("I say 7", None), ("-3", None), ("11/10", None), ("7th", None),
])
def test_numbers_are_read_never_guessed(text: str, number: float | None) -> None:
    assert parse_number(text) == number
