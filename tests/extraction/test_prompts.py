"""Windows, the question, chat formats, and the prefix that all prompts share."""

import re

import numpy as np
import pytest

from llmvs.config.schema import PromptConfig
from llmvs.demo.models.vocabulary import tokenizer
from llmvs.extraction import examples
from llmvs.extraction.prompts import (
    QUESTION,
    Example,
    Template,
    Window,
    narrow,
    question,
    windows,
    wording_hash,
    wording_of,
)
from tests.extraction.test_chat import LLAMA2, NO_SYSTEM

OURS = wording_of(PromptConfig())


def test_windows_are_clipped_at_the_ends() -> None:
    found = windows(list("abcdefgh"), 7)
    assert [("".join(w.captions), w.centre) for w in found] == [
        ("abcd", 0),
        ("abcde", 1),
        ("abcdef", 2),
        ("abcdefg", 3),
        ("bcdefgh", 3),
        ("cdefgh", 3),
        ("defgh", 3),
        ("efgh", 3),
    ]
    for t, window in enumerate(found):
        assert window.captions[window.centre] == "abcdefgh"[t]


def test_window_of_one_is_the_caption_itself() -> None:
    assert windows(["a", "b"], 1) == [Window(("a",), 0), Window(("b",), 0)]


def test_narrow_keeps_the_centre() -> None:
    wide = Window(tuple("abcdefg"), 3)
    assert narrow(wide, 3) == Window(("c", "d", "e"), 1)
    assert narrow(wide, 15) == wide
    assert narrow(Window(tuple("abcdefg"), 1), 5) == Window(("a", "b", "c", "d"), 1)


def test_question_numbers_the_captions_and_names_the_centre() -> None:
    text = question(Window(("a dog", "", "a cat"), 1), QUESTION["numeric"])
    assert "1. a dog\n2. (none)\n3. a cat" in text
    assert "number 2" in text


@pytest.mark.parametrize("chat_template", [None, LLAMA2, NO_SYSTEM])
def test_all_prompts_share_the_prefix_and_nothing_more(chat_template: str | None) -> None:
    text = tokenizer()
    text.chat_template = chat_template
    template = Template(text, "numeric", examples.fixed(3, 7))
    rng = np.random.default_rng(0)
    captions = ["".join(chr(c) for c in rng.integers(33, 0x2FF, 5)) for _ in range(200)] + [
        "a man",
        "A man",
        "(none)",
        "1. x",
        "😀",
    ]
    prompts = template.encode([Window((caption, "a dog runs"), 0) for caption in captions])
    size = len(template.prefix)
    assert all(prompt[:size] == template.prefix for prompt in prompts)
    assert len({prompt[size] for prompt in prompts}) > 1
    query = text.decode(prompts[200][size:])
    assert query.lstrip().startswith("a man\n2. a dog runs")
    assert text.decode(template.prefix).endswith("Captions:\n1.")


@pytest.mark.parametrize("style", ["numeric", "summary"])
def test_examples_carry_the_answer_of_the_style(style) -> None:
    shown = examples.fixed(2, 7)
    text = tokenizer()
    prompt = text.decode(Template(text, style, shown).prefix)
    for example in shown:
        assert re.search(
            re.escape(f"[/INST] {example.score if style == 'numeric' else example.summary} </s>"),
            prompt,
        )


def test_wording_hash_sees_every_change() -> None:
    base = examples.fixed(3, 7)
    other = [*base[:2], Example(base[2].window, base[2].score + 1, base[2].summary)]
    assert (
        len(
            {
                wording_hash(OURS, "numeric", base),
                wording_hash(OURS, "summary", base),
                wording_hash(OURS, "numeric", base[:2]),
                wording_hash(OURS, "numeric", other),
            }
        )
        == 4
    )


def test_what_is_said_stands_between_captions_and_question() -> None:
    found = windows(["a", "b", "c"], 3, ["", "hello there", "x" * 1000])
    assert found[0] == Window(("a", "b"), 0)
    assert question(found[1], "What of {centre}?").splitlines() == [
        "Captions:",
        "1. a",
        "2. b",
        "3. c",
        "Said meanwhile: hello there",
        "What of 2?",
    ]
    assert len(found[2].spoken) == 600


def test_the_users_own_words_take_the_place_of_ours() -> None:
    words = wording_of(
        PromptConfig(
            instruction="Judge {this}.", question="Rate {centre} {now}", about="only goals."
        )
    )
    assert words.instruction.startswith("Judge {this}. The summary is for somebody")
    assert "one thing: only goals. A frame" in words.instruction
    prompt = Template(tokenizer(), "numeric", examples.fixed(1, 3), words=words).render(
        Window(("a dog", "a cat"), 1)
    )
    assert "Judge {this}." in prompt
    assert "Rate 2 {now}" in prompt
    assert "How important is it" not in prompt
    assert "You help to shorten" not in prompt


@pytest.mark.parametrize(
    "changed", [{"instruction": "A"}, {"question": "B"}, {"about": "C"}, {"style": "summary"}]
)
def test_every_word_of_the_prompt_is_in_its_hash(changed) -> None:
    other = PromptConfig(**changed)
    assert wording_hash(OURS, "numeric", []) != wording_hash(wording_of(other), other.style, [])
