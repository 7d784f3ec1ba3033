"""The words of the demo's models: everything that the project's prompts and the demo world's
sentences are made of.
"""

import itertools
import re
from collections.abc import Iterator

from transformers import TokenizersBackend

from llmvs.config.schema import CaptionConfig
from llmvs.demo.models.vocabulary import tokenizer
from llmvs.demo.world import words
from llmvs.demo.world.catalogue import ACTIONS, COLOURS_OF, EVENTS, PLACES, TIMES, WEATHERS
from llmvs.demo.world.script import Moment
from llmvs.extraction.examples import FIXED
from llmvs.extraction.prompts import FRAME_QUESTION, INSTRUCTION, QUESTION


def demo_tokenizer() -> TokenizersBackend:
    """Knows every word that the demo's models read or write; other words are spelt."""
    known = {word for text in _texts() for word in re.findall(r"[A-Za-z]+|\d+", text)}
    return tokenizer(sorted(known | {str(number) for number in range(16)}))


def _texts() -> Iterator[str]:
    yield "INST SYS USER ASSISTANT Centre Background Captions none"
    yield from (*INSTRUCTION.values(), *QUESTION.values(), FRAME_QUESTION)
    caption = CaptionConfig()
    yield from (caption.prompt, caption.centre_prompt, caption.background_prompt)
    for example in FIXED:
        yield from (*example.window.captions, example.summary)
    for place, action, event in itertools.product(PLACES, ACTIONS, EVENTS):
        known = (ACTIONS[action], EVENTS[event])
        yield " ".join(
            [
                PLACES[place].phrase,
                *(text for each in known for text in (each.finite, each.participle)),
            ]
        )
    figures = [(kind, colour) for kind, known in COLOURS_OF.items() for colour in known]
    for (kind, colour), time, weather in itertools.product(figures, TIMES, ("", *WEATHERS)):
        if weather or time != "sunset":
            moment = Moment("beach", time, weather, ((kind, colour, "waits"),), None)
            yield from (*words.wordings(moment), words.centre(moment), words.background(moment))
