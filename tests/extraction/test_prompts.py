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
    parse_number,
    question,
    render,
    windows,
    wording,
)

LLAMA2 = (  # the format's own rules, as a jinja template: the oracle for the built-in rendering
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system ="
    " messages[0]['content'] %}{% else %}{% set rest = messages %}{% set system = none %}{% endif"
    " %}{% for m in rest %}{% set text = m['content'] %}{% if loop.index0 == 0 and system is not"
    " none %}{% set text = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + text %}{% endif %}{% if"
    " m['role'] == 'user' %}{{ bos_token + '[INST] ' + text + ' [/INST]' }}{% elif m['role'] =="
    " 'assistant' %}{{ ' ' + text + ' ' + eos_token }}{% endif %}{% endfor %}"
)
NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{%"
    " endif %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}<assistant>"
)


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


@pytest.mark.parametrize("count", [0, 3])
def test_llama2_format_is_the_one_of_its_template(count: int) -> None:
    plain, templated = tokenizer(), tokenizer()
    templated.chat_template = LLAMA2
    turns = [(question(e.window, "numeric"), str(e.score)) for e in examples.fixed(count, 7)]
    assert render(plain, "Be brief.", turns, "What?") == render(
        templated, "Be brief.", turns, "What?"
    )


def test_template_without_system_role_gets_the_instruction_in_the_first_turn() -> None:
    text = tokenizer()
    text.chat_template = NO_SYSTEM
    assert (
        render(text, "Be brief.", [("1?", "2")], "3?")
        == "<user>Be brief.\n\n1?\n<assistant>2\n<user>3?\n<assistant>"
    )


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


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        (" 10.", 10),
        ("0", 0),
        ("8/10", 8),
        ("8 / 10.", 8),
        ("6.5", 6.5),
        ("7\n", 7),
        ("3, because", 3),
        ("37", None),
        ("", None),
        ("seven", None),
        ("I say 7", None),
        ("-3", None),
        ("11/10", None),
        ("7th", None),
    ],
)
def test_numbers_are_read_never_guessed(text: str, number: float | None) -> None:
    assert parse_number(text) == number
