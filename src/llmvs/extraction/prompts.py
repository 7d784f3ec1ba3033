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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from llmvs.config.schema import PromptConfig
from llmvs.extraction.chat import Chat

Style = Literal["numeric", "summary"]


class Window(NamedTuple):
    """The captions around one step."""

    captions: tuple[str, ...]
    """At most w captions, in order of time."""
    centre: int
    """Position in `captions` of the step that is judged, from 0."""
    spoken: str = ""
    """What is said during the window; empty: nothing, or not known."""


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

ABOUT: dict[Style, str] = {
    "numeric": (
        " The summary is for somebody who asks for one thing: {about}. A frame that shows it"
        " matters most; whatever else a frame shows, it matters little."
    ),
    "summary": (
        " The summary is for somebody who asks for one thing: {about}. Say above all what the"
        " frames show of it."
    ),
}
"""What is added to the instruction where the user asks for something (`prompt.about`)."""
SPOKEN = "Said meanwhile:"
"""Begins the line of a window that tells what is said during it."""
MOST_SPOKEN = 600
"""Characters of that line: seconds of speech, not a whole transcript."""

FRAME_QUESTION = (
    "How important is this frame to a summary of the whole video? Answer with one integer from 0"
    " (nobody would miss it) to 10 (without it the summary would be wrong), and with nothing else."
)
"""What a multimodal model is asked that judges frames by itself (paper, "zero-shot LLaVA"; its
wording is not published).
"""


class Wording(NamedTuple):
    """What a prompt says beside captions and examples."""

    instruction: str
    question: str
    """`{centre}` in it becomes the number of the caption that is judged, from 1."""


def wording_of(prompt: PromptConfig) -> Wording:
    """The words that the settings ask for: our own or the user's, and what it shall be about."""
    instruction = prompt.instruction or INSTRUCTION[prompt.style]
    if prompt.about:
        instruction += ABOUT[prompt.style].replace("{about}", prompt.about.strip().rstrip("."))
    return Wording(instruction, prompt.question or QUESTION[prompt.style])


def windows(
    captions: Sequence[str], size: int, spoken: Sequence[str] | None = None
) -> list[Window]:
    """One window per step: the captions t - size // 2 .. t + size // 2, clipped at the ends of the
    video.

    Args:
        captions: [T]
        size: captions in a window.
        spoken: [T] what is said during every window; None: not known.

    >>> windows(["a", "b", "c"], 3)[0]
    Window(captions=('a', 'b'), centre=0, spoken='')
    """
    half = size // 2
    return [
        Window(
            tuple(captions[max(0, t - half) : t + half + 1]),
            min(t, half),
            "" if spoken is None else spoken[t][:MOST_SPOKEN],
        )
        for t in range(len(captions))
    ]


def narrow(window: Window, size: int) -> Window:
    """The window cut to `size` captions around its centre, so that an example is no longer than
    what is asked.
    """
    first = max(0, window.centre - size // 2)
    return Window(window.captions[first : window.centre + size // 2 + 1], window.centre - first)


def question(window: Window, asked: str) -> str:
    """The user's turn about one window: numbered captions, what is said meanwhile, then the
    question `asked`. An empty caption reads `(none)`.
    """
    lines = [
        f"{number}. {caption or '(none)'}" for number, caption in enumerate(window.captions, 1)
    ]
    said = [f"{SPOKEN} {window.spoken}"] if window.spoken else []
    asked = asked.replace("{centre}", str(window.centre + 1))
    return "\n".join(["Captions:", *lines, *said, asked])


def answer(example: Example, style: Style) -> str:
    """What the example's answer looks like in the prompt."""
    return str(example.score) if style == "numeric" else example.summary


def wording_hash(words: Wording, style: Style, examples: Sequence[Example]) -> str:
    """sha256 over all words of a prompt that do not come from the judged video, for the
    fingerprint.
    """
    shown = ((question(e.window, words.question), answer(e, style)) for e in examples)
    parts = [*words, *itertools.chain.from_iterable(shown)]
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


class Template:
    """Turns windows into token sequences that all begin alike."""

    def __init__(
        self,
        tokenizer: Any,
        style: Style = "numeric",
        examples: Sequence[Example] = (),
        options: Mapping[str, Any] | None = None,
        words: Wording | None = None,
    ) -> None:
        """Render instruction and examples in the chat format of `tokenizer` (Llama-2's where it has
        none).

        Args:
            tokenizer: of the scorer.
            style: of the answers.
            examples: worked ones.
            options: told to the chat template beside the messages.
            words: instruction and question; None: our own for `style`.

        Raises:
            UserError: a chat template that cannot be used.
        """
        self.tokenizer = tokenizer
        self.words = words or Wording(INSTRUCTION[style], QUESTION[style])
        self.chat = Chat(tokenizer, options)
        self.turns = [(question(e.window, self.words.question), answer(e, style)) for e in examples]
        self.prefix = self._common_prefix()

    def encode(self, windows: Sequence[Window]) -> list[list[int]]:
        """Token ids of the whole prompts about `windows`."""
        texts = [self.render(window) for window in windows]
        return self.tokenizer(texts, add_special_tokens=False).input_ids

    def render(self, window: Window, reply: str | None = None) -> str:
        """The whole prompt about a window as text; with `reply`, answered."""
        asked = question(window, self.words.question)
        return self.chat.render(self.words.instruction, self.turns, asked, reply)

    def _common_prefix(self) -> list[int]:
        """Longest common beginning of prompts whose first captions have nothing in common."""
        starts = ["a", "The", "Z", "7", "#", '"', "(", "-", "'", "é", "日", "Ω", "…"]
        probes = self.encode([Window((start + start, "x"), 0) for start in starts])
        same = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*probes, strict=False))
        return [column[0] for column in same]
