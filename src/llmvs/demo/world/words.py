"""True sentences about a moment of the demo world: one canonical wording, and others to train and
test captioners with.
"""

import re

import numpy as np

from llmvs.demo.world.catalogue import ACTIONS, EVENTS, FIGURES, PEOPLE, PLACES
from llmvs.demo.world.script import Moment

_WHEN = {
    ("day", "clear"): "on a sunny day",
    ("sunset", "clear"): "at sunset",
    ("night", "clear"): "at night",
    ("day", "rain"): "on a rainy day",
    ("sunset", "rain"): "in the rain at sunset",
    ("night", "rain"): "on a rainy night",
    ("day", "snow"): "on a snowy day",
    ("sunset", "snow"): "in falling snow at sunset",
    ("night", "snow"): "on a snowy night",
    ("day", "fog"): "on a foggy day",
    ("sunset", "fog"): "in the fog at sunset",
    ("night", "fog"): "on a foggy night",
    ("day", ""): "by day",
    ("night", ""): "at night",
}
_DRESS = {"man": "shirt", "woman": "dress", "child": "cap"}
_ORDER = (*PEOPLE, *FIGURES)
_FIGURE = (
    rf"\ban? (?:({'|'.join(PEOPLE)}) in an? (\w+) (?:{'|'.join(_DRESS.values())})|(\w+)"
    rf" ({'|'.join(FIGURES)}))"
)
_DOES = rf" ({'|'.join(sorted((action.finite for action in ACTIONS.values()), key=len)[::-1])})\b"


def sentence(moment: Moment) -> str:
    """The canonical sentence: place, weather and time, every figure and what it does, the event.

    >>> figures = (("man", "red", "waves"), ("dog", "brown", "runs"))
    >>> sentence(Moment("beach", "sunset", "clear", figures, None))
    'A man in a red shirt waves and a brown dog runs on the beach at sunset.'
    >>> sentence(Moment("harbour", "night", "rain", (("woman", "blue", "waits"),), "lightning"))
    'Lightning strikes in the harbour on a rainy night while a woman in a blue dress waits.'
    """
    happening, figures = _split(moment, finite=True)
    scene = f"{_place(moment)} {_when(moment)}"
    if not happening:
        return _capital(f"{_and(figures)} {scene}.")
    return _capital(f"{happening} {scene}{' while ' + _and(figures) if figures else ''}.")


def centre(moment: Moment) -> str:
    """What happens, without where and when, such as `A woman in a blue dress waits`."""
    happening, figures = _split(moment, finite=True)
    return _capital(f"{_and([c for c in (happening, *figures) if c])}.")


def background(moment: Moment) -> str:
    """Where and when, without what happens: `The picture was taken on the beach at sunset`."""
    return f"The picture was taken {_place(moment)} {_when(moment)}."


def wordings(moment: Moment) -> list[str]:
    """All wordings, the canonical one first; each names the same facts."""
    finite, participle = _split(moment, finite=True), _split(moment, finite=False)
    place, when = _place(moment), _when(moment)
    clauses = [c for c in (finite[0], *finite[1]) if c]
    phrases = [p for p in (participle[0], *participle[1]) if p]
    return [
        sentence(moment),
        _capital(f"{place} {when}, {_and(clauses)}."),
        _capital(f"{when}, {_and(clauses)} {place}."),
        f"The picture shows {_and(phrases)} {place} {when}.",
    ]


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
    """The event's clause (or an empty string), and those of the figures that it does not name."""
    figures = list(moment.actors)
    happening = ""
    if moment.event:
        event = EVENTS[moment.event]
        happening = event.finite if finite else event.participle
        if event.actor:
            happening = happening.format(figure(*figures.pop(0)[:2]))
    figures.sort(
        key=lambda each: _ORDER.index(each[0])
    )  # the order a script has them in cannot be seen in the picture
    verbs = [
        (ACTIONS[action].finite if finite else ACTIONS[action].participle)
        for _, _, action in figures
    ]
    return happening, [
        f"{figure(kind, colour)} {verb}"
        for (kind, colour, _), verb in zip(figures, verbs, strict=True)
    ]


def _place(moment: Moment) -> str:
    return PLACES[moment.place].phrase


def _when(moment: Moment) -> str:
    return _WHEN[moment.time, moment.weather]


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def facts(text: str) -> set[tuple[str, ...]]:
    """What a sentence in the canonical wording claims: place, time and weather, event, and every
    figure with colour and action.

    >>> said = "A pan bursts into flames in the kitchen at night while a man in a blue shirt waits."
    >>> sorted(facts(said))[:3]
    [('action', 'man', 'waits'), ('colour', 'man', 'blue'), ('event', 'flames')]
    """
    known: set[tuple[str, ...]] = {
        ("place", name) for name, place in PLACES.items() if re.search(rf"\b{place.phrase}\b", text)
    }
    times = [phrase for phrase in _WHEN.values() if f" {phrase}" in text]
    known |= {("when", max(times, key=len))} if times else set()
    for name, event in EVENTS.items():
        if re.search(event.finite.replace("{} ", ""), text, re.IGNORECASE):
            known.add(("event", name))
    for person, colour, animal, kind in re.findall(_FIGURE, text, re.IGNORECASE):
        known |= {("figure", person or kind), ("colour", person or kind, colour or animal)}
    for match in re.finditer(_FIGURE + _DOES, text, re.IGNORECASE):
        known.add(
            (
                "action",
                match[1] or match[4],
                next(name for name, action in ACTIONS.items() if action.finite == match[5]),
            )
        )
    return known
