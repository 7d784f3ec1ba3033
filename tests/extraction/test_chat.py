"""Chat formats: the model's own template, Llama-2's without one, reasoning, and how answers stand."""

import pytest

from llmvs.demo.models.vocabulary import tokenizer
from llmvs.errors import UserError
from llmvs.extraction import examples
from llmvs.extraction.chat import Chat, Form, form_of_answers
from llmvs.extraction.numbers import Numbers
from llmvs.extraction.prompts import QUESTION, Template, Window, question

LLAMA2 = (  # the format's own rules, as a jinja template: the oracle for the built-in rendering
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system ="
    " messages[0]['content'] %}{% else %}{% set rest = messages %}{% set system = none %}{% endif"
    " %}{% for m in rest %}{% set text = m['content'] %}{% if loop.index0 == 0 and system is not"
    " none %}{% set text = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + text %}{% endif %}{% if"
    " m['role'] == 'user' %}{{ bos_token + '[INST] ' + text + ' [/INST]' }}{% elif m['role'] =="
    " 'assistant' %}{{ ' ' + text + ' ' + eos_token }}{% endif %}{% endfor %}"
)
NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{%"
    " endif %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}<assistant>"
)


THINKING = (  # as Qwen3 has it: the switch writes an empty block, which the model then skips
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)
ALWAYS_THINKING = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant><think>\n{% endif %}"
)


def with_template(template):
    """The small tokenizer with a chat template."""
    text = tokenizer()
    text.chat_template = template
    return text


@pytest.mark.parametrize("count", [0, 3])
def test_llama2_format_is_the_one_of_its_template(count: int) -> None:
    plain, templated = tokenizer(), tokenizer()
    templated.chat_template = LLAMA2
    turns = [
        (question(e.window, QUESTION["numeric"]), str(e.score)) for e in examples.fixed(count, 7)
    ]
    assert Chat(plain).render("Be brief.", turns, "What?") == Chat(templated).render(
        "Be brief.", turns, "What?"
    )


def test_template_without_system_role_gets_the_instruction_in_the_first_turn() -> None:
    text = tokenizer()
    text.chat_template = NO_SYSTEM
    assert (
        Chat(text).render("Be brief.", [("1?", "2")], "3?")
        == "<user>Be brief.\n\n1?\n<assistant>2\n<user>3?\n<assistant>"
    )


def answered(chat):
    return lambda answer: chat.render("Be brief.", [("1?", "2")], "3?", answer)


@pytest.mark.parametrize("template", [None, LLAMA2])
def test_an_answer_in_llama2s_format_stands_between_spaces(template):
    text = with_template(template)
    chat = Chat(text)
    assert form_of_answers(answered(chat)) == Form(" ", " </s>")
    numbers = Numbers.of(text, answered(chat))
    for number in (0, 7, 10):
        assert text.decode(numbers.answer(number)) == f" {number} </s>"
        # Behind the prompt the target is, token by token, what the prompt's examples show.
        asked = text(answered(chat)(None), add_special_tokens=False).input_ids
        shown = text(answered(chat)(str(number)), add_special_tokens=False).input_ids
        assert [*asked, *numbers.answer(number)] == shown


def test_the_turn_ends_with_the_templates_own_mark():
    text = with_template(THINKING.replace("</think>\n\n", "</think>"))
    chat = Chat(text, {"enable_thinking": True})
    numbers = Numbers.of(text, answered(chat))
    assert text.decode(numbers.answer(4)) == "4</s>"


def test_where_the_prompt_is_no_beginning_of_the_answered_conversation_the_bare_number_is_meant():
    text = with_template(THINKING)
    assert form_of_answers(answered(Chat(text))) is None
    assert text.decode(Numbers.of(text, answered(Chat(text))).answer(4)) == "4</s>"


def test_reasoning_is_switched_off_where_the_template_knows_how():
    assert answered(Chat(with_template(THINKING)))(None).endswith("<think>\n\n</think>\n\n")
    on = Chat(with_template(THINKING), {"enable_thinking": True})
    assert answered(on)(None).endswith("<assistant>")
    assert not Chat(with_template(THINKING)).thinks
    assert Chat(with_template(ALWAYS_THINKING)).thinks


def test_the_settings_reach_the_template():
    text = with_template(
        "{{ mood }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    )
    template = Template(text, "numeric", [], {"mood": "calm"})
    assert template.render(Window(("a dog",), 0)).startswith("calm<system>You help")
    assert question(Window(("a dog",), 0), QUESTION["numeric"]) in template.render(
        Window(("a dog",), 0)
    )


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for m in messages %}{{ m['content'] }}", "cannot be rendered"),
        ("{{ messages[0]['content'] | no_such_filter }}", "cannot be rendered"),
        ("{{ ().__class__.__bases__ }}", "cannot be rendered|leaves out"),
        ("{% for i in range(3) %}x{% endfor %}", "leaves out what is asked"),
        ("{{ messages[-1]['content'] }}", "leaves out what is asked"),
    ],
)
def test_a_damaged_template_is_refused_in_one_line(template, words):
    with pytest.raises(UserError, match=words) as refused:
        Chat(with_template(template))
    assert "\n" not in str(refused.value)
