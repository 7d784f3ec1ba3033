"""Numbers in answers: the documented table, case by case."""

import re
from pathlib import Path

import pytest

from llmvs.extraction.answer_text import parse_number, thinks, without_reasoning

PAGE = Path(__file__).parents[2] / "docs" / "extraction.md"


def documented() -> list[tuple[str, float | None]]:
    """The examples of the documentation's table, with what each is read as."""
    table = PAGE.read_text(encoding="utf-8").split("| the answer |")[1].split("\n\n")[0]
    cases = []
    for row in table.splitlines()[2:]:
        examples, meaning = row.strip("|").rsplit("|", 1)
        number = None if meaning.strip().startswith("no number") else float(meaning.split()[0])
        cases += [(text, number) for text in re.findall(r"``? ?(.+?) ?``?(?=[,| ]|$)", examples)]
    return cases


def test_the_table_has_both_kinds():
    numbers = [number for _, number in documented()]
    assert numbers.count(None) >= 10
    assert len(numbers) - numbers.count(None) >= 15


@pytest.mark.parametrize(("text", "number"), documented())
def test_the_documented_table_holds(text: str, number: float | None) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (" 10.", 10),
        ("7\n", 7),
        ("7\n8. the next", 7),
        ("3, because", 3),
        ("", None),
        ("\n", None),
        ("11/10", None),
        ("7 / 100", None),
        ("7e3", None),
        ("\uff17", None),
        ("7 \u2013 8", None),
        ("7 \u2013 the end", 7),
        ("8 Very", 8),
        ("<think>\n7 frames</think>\n\n4", 4),
        ("<think>7", None),
        ("7 is low</think> 9", 9),
    ],
)
def test_numbers_are_read_never_guessed(text: str, number: float | None) -> None:
    assert parse_number(text) == number


def test_reasoning():
    assert without_reasoning("<think>a</think>b<think>c</think>d") == "d"
    assert without_reasoning("<think>a</think>b<think>c") == "b<think>c"
    assert thinks("x<think>\n")
    assert not thinks("x<think></think>")
    assert not thinks("x")
