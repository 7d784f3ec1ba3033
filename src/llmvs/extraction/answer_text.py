"""What a model's answer says: the number in it, behind the reasoning that some models write first.

The table of what counts as a number stands in the documentation (How-to: prompts and answers); the
tests read it from there.
"""

import re

OPENS, CLOSES = "<think>", "</think>"
"""How models mark their reasoning in an answer."""

_DECORATION = str.maketrans("", "", "*`_#")
_NUMBER = re.compile(
    r"""
    \s*
    (?i: (?:the\ )? (?:answer|importance|number|rating|score) (?:\ score)? \s* (?:[:=]|is\b)? \s* )?
    ["'(\[]? \s*
    (?P<number> \d{1,2} (?:\.\d+)? )
    (?: \s* (?:/|(?:out\ )?of) \s* 10 (?:\.0)? )?
    (?! [\w%/^+~] )                                         # 3rd, 37x, 70%, 7/5, 7+
    (?! \s*/ | [.:]\d | ,\s?\d )                             # 7 / 100, 7:30, 7,5
    (?! \s* (?:[-\u2010-\u2015~] | (?:to|or|and)\b) \s* \d )  # 7-8, 7 to 8, 7 or 8
    (?! [ ]\d )                                             # 7 8
    (?! \s+ (?!(?:as|because|for|from|out|points?|since|to|with)\b) [a-z] )  # 3 people walk
    """,
    re.VERBOSE | re.ASCII,
)


def parse_number(answer: str) -> float | None:
    """Read the number from 0 to 10 that an answer gives; None where it gives none, or not just one.

    >>> [parse_number(text) for text in ("7", "Score: 7", "**7**", "8/10.", "7 out of 10")]
    [7.0, 7.0, 7.0, 8.0, 7.0]
    >>> [parse_number(text) for text in ("7-8", "3rd", "3 people", "37", "I would say 7")]
    [None, None, None, None, None]
    """
    match = _NUMBER.match(without_reasoning(answer).translate(_DECORATION))
    value = float(match["number"]) if match else None
    return value if value is not None and value <= 10 else None


def without_reasoning(answer: str) -> str:
    """Drop what a model thinks before it answers; an answer that is all reasoning is empty.

    >>> without_reasoning("<think>7 frames, so</think> 4"), without_reasoning("<think>7 frames")
    (' 4', '')
    """
    return "" if CLOSES not in answer and OPENS in answer else answer.rpartition(CLOSES)[2]


def thinks(prompt: str) -> bool:
    """Tell whether a prompt leaves the model inside a block of reasoning that it has to close."""
    return prompt.rfind(OPENS) > prompt.rfind(CLOSES)
