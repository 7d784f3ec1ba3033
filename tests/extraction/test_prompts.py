"""Windows, the question, chat formats, and the prefix that all prompts share."""

import re

import numpy as np
import pytest

from llmvs.demo.models.vocabulary import tokenizer
from llmvs.extraction import examples
from llmvs.extraction.prompts import (
    Example,
    Template,
    Window,
    narrow,
    question,
    windows,
    wording,
)
from tests.extraction.test_chat import LLAMA2, NO_SYSTEM


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
    text = question(Window(("a dog", "", "a cat"), 1), "numeric")
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
                wording("numeric", base),
                wording("summary", base),
                wording("numeric", base[:2]),
                wording("numeric", other),
            }
        )
        == 4
    )
