"""What the scorer is asked: instruction, worked examples, and a window of captions around the step
to judge.

Paper, section 3.2: the window of step t holds the captions t-3..t+3; instruction and examples come
first, the query last. The paper does not print its wording nor say what happens at the ends of a
video. Ours: windows are **clipped** there, so the first has 4 captions, and the question names the
number of the caption that is judged.

A prompt splits into a *prefix* that all prompts share and the *query*: `Template.prefix` is the
longest common beginning of the token sequences of all prompts this template can make. It depends on
no video, so it can be computed once, and the query's tokens, over which q is pooled, are well
defined: the window's captions, the question and the chat's closing marks.
"""

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Style = Literal["numeric", "summary"]


class Window(NamedTuple):
    """The captions around one step."""

    captions: tuple[str, ...]
    """At most w captions, in order of time."""
    centre: int
    """Position in `captions` of the step that is judged, from 0."""


@dataclass(frozen=True)
class Example:
    """A worked example: a window and the answers that would be right."""

    window: Window
    score: int
    """Importance of the centre frame, 0 to 10."""
    summary: str = ""
    """The window in one sentence; empty where nobody wrote one (examples drawn from a dataset)."""


INSTRUCTION: dict[Style, str] = {
    "numeric": (
        "You help to shorten videos. You are given the captions of a few consecutive frames, in"
        " order of time, and you judge how much one of them, the centre frame, matters to a summary"
        " of the whole video. Weigh three things. Narrative significance: does the frame carry the"
        " story on, begin something or bring it to its end? Uniqueness and novelty: does it show"
        " what the frames around it do not? Action and dynamics: does something happen, or does the"
        " picture stand still? Answer with one integer from 0 (nobody would miss the frame) to 10"
        " (without it the summary would be wrong), and with nothing else."
    ),
    "summary": (
        "You help to shorten videos. You are given the captions of a few consecutive frames, in"
        " order of time. Say in one sentence what they show, with most weight on one of them, the"
        " centre frame. Attend to three things. Narrative significance: what carries the story on,"
        " begins or comes to its end? Uniqueness and novelty: what sets the centre frame apart from"
        " the frames around it? Action and dynamics: what happens? Captions may be wrong; where"
        " they contradict each other, follow the majority."
    ),
}
QUESTION: dict[Style, str] = {
    "numeric": "The centre frame is number {centre}. How important is it, from 0 to 10?",
    "summary": "The centre frame is number {centre}. What do these frames show, in one sentence?",
}

FRAME_QUESTION = (
    "How important is this frame to a summary of the whole video? Answer with one integer from 0"
    " (nobody would miss it) to 10 (without it the summary would be wrong), and with nothing else."
)
"""What a multimodal model is asked that judges frames by itself (paper, "zero-shot LLaVA"; its
wording is not published).
"""


def windows(captions: Sequence[str], size: int) -> list[Window]:
    """One window per step: the captions t - size // 2 .. t + size // 2, clipped at the ends of the
    video.

    >>> windows(["a", "b", "c"], 3)[0]
    Window(captions=('a', 'b'), centre=0)
    """
    half = size // 2
    return [
        Window(tuple(captions[max(0, t - half) : t + half + 1]), min(t, half))
        for t in range(len(captions))
    ]


def narrow(window: Window, size: int) -> Window:
    """The window cut to `size` captions around its centre, so that an example is no longer than
    what is asked.
    """
    first = max(0, window.centre - size // 2)
    return Window(window.captions[first : window.centre + size // 2 + 1], window.centre - first)


def question(window: Window, style: Style) -> str:
    """The user's turn about one window: numbered captions, then the question. An empty caption
    reads `(none)`.
    """
    lines = [
        f"{number}. {caption or '(none)'}" for number, caption in enumerate(window.captions, 1)
    ]
    return "\n".join(["Captions:", *lines, QUESTION[style].format(centre=window.centre + 1)])


def answer(example: Example, style: Style) -> str:
    """What the example's answer looks like in the prompt."""
    return str(example.score) if style == "numeric" else example.summary


def parse_number(answer: str) -> float | None:
    """The number that an answer begins with, if it is one from 0 to 10; None otherwise.

    >>> parse_number("7"), parse_number("8/10."), parse_number("I would say 7"), parse_number("37")
    (7.0, 8.0, None, None)
    """
    match = re.match(r"\s*(\d+(?:\.\d+)?)(?:\s*/\s*10)?(?![\w/])", answer)
    value = float(match.group(1)) if match else None
    return value if value is not None and value <= 10 else None


def wording(style: Style, examples: Sequence[Example]) -> str:
    """sha256 over all words of a prompt that do not come from the judged video, for the
    fingerprint.
    """
    parts = [
        INSTRUCTION[style],
        QUESTION[style],
        *(part for e in examples for part in (question(e.window, style), answer(e, style))),
    ]
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


class Template:
    """Turns windows into token sequences that all begin alike."""

    def __init__(
        self, tokenizer: Any, style: Style = "numeric", examples: Sequence[Example] = ()
    ) -> None:
        """Render instruction and examples in the chat format of `tokenizer` (Llama-2's where it has
        none).
        """
        self.tokenizer, self.style = tokenizer, style
        self.turns = [(question(e.window, style), answer(e, style)) for e in examples]
        self.prefix = self._common_prefix()

    def encode(self, windows: Sequence[Window]) -> list[list[int]]:
        """Token ids of the whole prompts about `windows`."""
        texts = [
            render(
                self.tokenizer, INSTRUCTION[self.style], self.turns, question(window, self.style)
            )
            for window in windows
        ]
        return self.tokenizer(texts, add_special_tokens=False).input_ids

    def _common_prefix(self) -> list[int]:
        """Longest common beginning of prompts whose first captions have nothing in common."""
        starts = ["a", "The", "Z", "7", "#", '"', "(", "-", "'", "é", "日", "Ω", "…"]
        probes = self.encode([Window((start + start, "x"), 0) for start in starts])
        same = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*probes, strict=False))
        return [column[0] for column in same]


def render(tokenizer: Any, instruction: str, turns: Sequence[tuple[str, str]], query: str) -> str:
    """The conversation as one text with special tokens, up to where the model's answer begins."""
    if not getattr(tokenizer, "chat_template", None):
        return _llama2(
            tokenizer.bos_token or "", tokenizer.eos_token or "", instruction, turns, query
        )
    texts = [text for turn in turns for text in turn] + [query]
    messages = [
        {"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)
    ]
    try:
        with_system = [{"role": "system", "content": instruction}, *messages]
        return tokenizer.apply_chat_template(
            with_system, tokenize=False, add_generation_prompt=True
        )
    except Exception:  # noqa: BLE001 - without a system role, jinja errors of the template's own
        messages[0] = {"role": "user", "content": f"{instruction}\n\n{messages[0]['content']}"}
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def _llama2(
    bos: str, eos: str, instruction: str, turns: Sequence[tuple[str, str]], query: str
) -> str:
    """The chat format that Llama-2 was trained with."""
    users = [user for user, _ in turns] + [query]
    users[0] = f"<<SYS>>\n{instruction}\n<</SYS>>\n\n{users[0]}"
    replies = [f" {reply} {eos}" for _, reply in turns] + [""]
    return "".join(
        f"{bos}[INST] {user} [/INST]{reply}" for user, reply in zip(users, replies, strict=True)
    )
