"""How the demo's models judge a frame: by the three things that the project's instruction asks to
weigh, seen through a window.

A large language model has never met a benchmark's annotators, nor sees more of a video than it is
given. So the small ones are taught neither these people's ratings nor how often something happens
in the whole clip: learning that is the head's part.
"""

import functools
from collections.abc import Sequence

from llmvs.demo.world import words
from llmvs.demo.world.catalogue import ACTIONS
from llmvs.demo.world.script import Moment

Facts = frozenset[tuple[str, ...]]
"""What a caption says, see `words.facts`."""


def judgment(moments: Sequence[Moment], centre: int) -> int:
    """How much the moment at position `centre` of a window matters, 0 to 10: the mean of what
    `weighed` gives.

    >>> figures = [(("man", "red", action),) for action in ("waits", "dances")]
    >>> waits, dances = (Moment("beach", "day", "clear", figure, None) for figure in figures)
    >>> judgment([waits, waits], 1), judgment([waits, waits, dances], 2), judgment([dances], 0)
    (0, 4, 9)
    """
    return level([claims(moment) for moment in moments[: centre + 1]], centre)


def level(captions: Sequence[Facts], centre: int) -> int:
    """The same from what a window's captions say, true or not: their facts, of which those after
    the centre are not looked at.
    """
    values = weighed(captions, centre)
    return round(10 * sum(values) / len(values))


def weighed(captions: Sequence[Facts], centre: int) -> tuple[float, ...]:
    """The things that `judgment` weighs, each from 0 to 1: dynamics and, where the window has a
    caption before, significance and novelty.

    Dynamics: 1 in an event, else how lively the liveliest figure is. Significance: something
    begins, in that the event or the place is not that of the caption before. Novelty: of what is
    said here, how much the captions before it in the window do not say, on average.
    """
    facts, before = captions[centre], captions[:centre]
    lively = [ACTIONS[fact[2]].liveliness for fact in facts if fact[0] == "action"]
    dynamics = 1.0 if any(fact[0] == "event" for fact in facts) else max(lively, default=0.0)
    if not before:
        return (dynamics,)
    return (
        dynamics,
        float(_scene(before[-1]) != _scene(facts)),
        sum(len(facts - other) for other in before) / max(1, len(facts)) / len(before),
    )


@functools.lru_cache(maxsize=4096)
def claims(moment: Moment) -> Facts:
    """What a true caption says of the moment."""
    return frozenset(words.facts(words.sentence(moment)))


def _scene(facts: Facts) -> Facts:
    return frozenset(fact for fact in facts if fact[0] in ("event", "place"))
