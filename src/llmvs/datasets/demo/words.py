"""True sentences about a moment of the demo world: one canonical wording, and others to train and test captioners with."""

import numpy as np

from llmvs.datasets.demo.catalogue import ACTIONS, EVENTS, PEOPLE, PLACES
from llmvs.datasets.demo.world import Moment

_WHEN = {
    ("day", "clear"): "on a sunny day", ("sunset", "clear"): "at sunset", ("night", "clear"): "at night",
    ("day", "rain"): "on a rainy day", ("sunset", "rain"): "in the rain at sunset", ("night", "rain"): "on a rainy night",
    ("day", "snow"): "on a snowy day", ("sunset", "snow"): "in falling snow at sunset", ("night", "snow"): "on a snowy night",
    ("day", "fog"): "on a foggy day", ("sunset", "fog"): "in the fog at sunset", ("night", "fog"): "on a foggy night",
    ("day", ""): "by day", ("night", ""): "at night",
}
_DRESS = {"man": "shirt", "woman": "dress", "child": "cap"}


def sentence(moment: Moment) -> str:
    """The canonical sentence: place, weather and time, every figure and what it does, the event.

    >>> sentence(Moment("beach", "sunset", "clear", (("man", "red", "waves"), ("dog", "brown", "runs")), None))
    'A man in a red shirt waves and a brown dog runs on the beach at sunset.'
    >>> sentence(Moment("harbour", "night", "rain", (("woman", "blue", "waits"),), "lightning"))
    'Lightning strikes in the harbour on a rainy night while a woman in a blue dress waits.'
    """
    happening, figures = _split(moment, finite=True)
    scene = f"{_place(moment)} {_when(moment)}"
    if not happening:
        return _capital(f"{_and(figures)} {scene}.")
    return _capital(f"{happening} {scene}{' while ' + _and(figures) if figures else ''}.")


def wordings(moment: Moment) -> list[str]:
    """All wordings, the canonical one first; each names the same facts."""
    finite, participle = _split(moment, finite=True), _split(moment, finite=False)
    place, when = _place(moment), _when(moment)
    clauses = [c for c in (finite[0], *finite[1]) if c]
    phrases = [p for p in (participle[0], *participle[1]) if p]
    return [sentence(moment), _capital(f"{place} {when}, {_and(clauses)}."),
            _capital(f"{when}, {_and(clauses)} {place}."), f"The picture shows {_and(phrases)} {place} {when}."]


def random_sentence(moment: Moment, rng: np.random.Generator) -> str:
    """One of the wordings, by chance."""
    known = wordings(moment)
    return known[int(rng.integers(len(known)))]


def figure(kind: str, colour: str) -> str:
    """A figure with its article: `a man in a red shirt`, `an orange cat`."""
    if kind in PEOPLE:
        return f"a {kind} in a {colour} {_DRESS[kind]}"
    return f"{'an' if colour[0] in 'aeiou' else 'a'} {colour} {kind}"


def _split(moment: Moment, finite: bool) -> tuple[str, list[str]]:
    """The event's clause (or an empty string) and the clauses of the figures that it does not name."""
    figures = list(moment.actors)
    happening = ""
    if moment.event:
        event = EVENTS[moment.event]
        happening = event.finite if finite else event.participle
        if event.actor:
            happening = happening.format(figure(*figures.pop(0)[:2]))
    verbs = [(ACTIONS[action].finite if finite else ACTIONS[action].participle) for _, _, action in figures]
    return happening, [f"{figure(kind, colour)} {verb}" for (kind, colour, _), verb in zip(figures, verbs, strict=True)]


def _place(moment: Moment) -> str:
    return PLACES[moment.place].phrase


def _when(moment: Moment) -> str:
    return _WHEN[moment.time, moment.weather]


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
