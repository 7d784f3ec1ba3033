"""The scorer's definitions, against `generate` and one plain forward pass over prompt and answer."""

import pytest
import torch

from llmvs.config.schema import ExtractConfig
from llmvs.errors import UserError
from llmvs.extraction import cascade, examples
from llmvs.extraction.engines import Naive, Prompt, Reader
from llmvs.extraction.prompts import Template, windows
from llmvs.extraction.scorer import Scorer, stop_tokens

CAPTIONS = [
    "a man is walking on the beach",
    "a dog jumps into the water",
    "a dog jumps into the water",
    "a red car",
    "",
    "two naïve cats",
    "a dog",
]


def make(pair, engine: str = "auto", **options) -> Scorer:
    model, tokenizer = pair
    model.set_attn_implementation("sdpa")
    return Scorer(
        model,
        Template(tokenizer, "numeric", examples.fixed(1, 3)),
        4,
        ExtractConfig(engine=engine, **options),
    )


@pytest.mark.parametrize("engine", ["naive", "expand", "cascade"])
def test_q_and_a_by_their_definition(scorer_pair, engine: str) -> None:
    scorer = make(scorer_pair, engine)
    found = scorer(windows(CAPTIONS, 3))
    assert scorer.engine_name == engine
    model = scorer.reader.model
    model.set_attn_implementation("sdpa")
    for t, window in enumerate(windows(CAPTIONS, 3)):
        prompt = torch.tensor(scorer.template.encode([window]))
        with torch.inference_mode():
            whole = model.generate(prompt, do_sample=False, max_new_tokens=4)[
                0, prompt.shape[1] :
            ].tolist()
            answer = [i for i in whole if i not in scorer.reader.stop]
            fed = torch.cat([prompt, torch.tensor([answer or whole[:1]])], 1)
            states = model(fed, output_hidden_states=True).hidden_states[-1][0]
        start = len(scorer.template.prefix)
        assert found.answer_ids[t] == answer
        torch.testing.assert_close(
            found.q[t], states[start : prompt.shape[1]].amax(0), atol=1e-5, rtol=1e-5
        )
        torch.testing.assert_close(
            found.a[t], states[prompt.shape[1] :].amax(0), atol=1e-5, rtol=1e-5
        )
        assert found.answers[t] == scorer.template.tokenizer.decode(answer).strip()


def one(model, prompt: list[int], max_tokens: int, stop: set[int]):
    with torch.inference_mode():
        return next(
            Naive(Reader(model, max_tokens, frozenset(stop))).read(
                [Prompt(prompt[:-30], prompt[-30:])]
            )
        )[1]


def test_an_empty_answer_is_represented_by_its_end_token(scorer_pair) -> None:
    scorer = make(scorer_pair)
    prompt = scorer.template.encode(windows(CAPTIONS, 3)[:1])[0]
    first = one(scorer.reader.model, prompt, 1, set())
    empty = one(scorer.reader.model, prompt, 4, {first.answer[0]})
    assert empty.answer == []
    torch.testing.assert_close(empty.a, first.a)


def test_an_end_token_later_on_is_not_part_of_the_answer(scorer_pair) -> None:
    scorer = make(scorer_pair)
    prompt = scorer.template.encode(windows(CAPTIONS, 3)[3:4])[0]
    long = one(scorer.reader.model, prompt, 6, set())
    end = next(i for i in long.answer if i != long.answer[0])
    until = long.answer.index(end)
    short = one(scorer.reader.model, prompt, 6, {end})
    assert short.answer == long.answer[:until]
    assert torch.equal(short.a, one(scorer.reader.model, prompt, until, set()).a)


def test_identical_windows_are_read_once(scorer_pair, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = make(scorer_pair, "naive")
    calls, done = [], []
    whole = Naive._one
    monkeypatch.setattr(
        Naive, "_one", lambda self, prompt: calls.append(prompt) or whole(self, prompt)
    )
    found = scorer(windows(["a dog"] * 6, 3), done.append)
    assert len(calls) == 3  # the first, the middle ones, the last
    assert sum(done) == 6
    assert torch.equal(found.q[1], found.q[4])


def test_auto_takes_the_cascade_and_falls_back_where_a_model_is_otherwise(
    scorer_pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = make(scorer_pair)
    expected = scorer(windows(CAPTIONS, 3))
    assert scorer.engine_name == "cascade"
    attend = cascade.attend
    monkeypatch.setattr(
        cascade,
        "attend",
        lambda *args, **options: tuple(1.1 * part for part in attend(*args, **options)),
    )
    wrong = make(scorer_pair)
    torch.testing.assert_close(wrong(windows(CAPTIONS, 3)).q, expected.q, atol=1e-5, rtol=1e-5)
    assert wrong.engine_name == "expand"
    with pytest.raises(
        UserError,
        match=(
            r"extract\.engine=cascade: differs from the naive engine by .*: use"
            r" extract\.engine=auto"
        ),
    ):
        make(scorer_pair, "cascade")(windows(CAPTIONS, 3))


def test_all_tokens_are_kept_when_asked(scorer_pair) -> None:
    found = make(scorer_pair, keep="tokens")(windows(CAPTIONS, 3))
    assert len(found.tokens) == len(CAPTIONS)
    for t, (q, a) in enumerate(found.tokens):
        assert torch.equal(q.amax(0), found.q[t])
        assert torch.equal(a.amax(0), found.a[t])


def test_prompt_beyond_the_context(scorer_pair) -> None:
    with pytest.raises(
        UserError, match=r"a prompt of \d+ tokens .* context of 4096: reduce prompt\.window"
    ):
        make(scorer_pair)(windows(["日本 " * 2000], 1))


def test_stop_tokens_of_checkpoint_and_tokenizer(scorer_pair) -> None:
    model, tokenizer = scorer_pair
    assert stop_tokens(model, tokenizer) == {tokenizer.eos_token_id}
