"""How the demo's models judge a frame: by the three things that the project's instruction asks to weigh, seen through a window.

A large language model has never met a benchmark's annotators, nor sees more of a video than it is given. So the small ones
are taught neither these people's ratings nor how often something happens in the whole clip: learning that is the head's part.
"""

import functools
from collections.abc import Sequence

from llmvs.datasets.demo import words
from llmvs.datasets.demo.catalogue import ACTIONS
from llmvs.datasets.demo.world import Moment


def judgment(moments: Sequence[Moment], centre: int) -> int:
    """How much the moment at position `centre` of a window matters, 0 to 10: the mean of what `weighed` gives.

    >>> waits, dances = (Moment("beach", "day", "clear", (("man", "red", action),), None) for action in ("waits", "dances"))
    >>> judgment([waits, waits], 1), judgment([waits, waits, dances], 2), judgment([dances], 0)
    (0, 4, 9)
    """
    values = weighed(moments, centre)
    return round(10 * sum(values) / len(values))


def weighed(moments: Sequence[Moment], centre: int) -> tuple[float, ...]:
    """The things that `judgment` weighs, each from 0 to 1: dynamics and, where the window has a moment before, significance and novelty.

    Dynamics: 1 in an event, else how lively the liveliest figure is. Significance: something begins, in that the event or
    the place is not that of the moment before. Novelty: of what is to be said of this moment, how much the moments before
    it in the window do not show, on average.
    """
    moment, before = moments[centre], moments[:centre]
    dynamics = 1.0 if moment.event else max((ACTIONS[action].liveliness for _, _, action in moment.actors), default=0.0)
    if not before:
        return (dynamics,)
    facts = _facts(moment)
    return (dynamics, float((before[-1].place, before[-1].event) != (moment.place, moment.event)),
            sum(len(facts - _facts(other)) for other in before) / len(facts) / len(before))


@functools.lru_cache(maxsize=4096)
def _facts(moment: Moment) -> frozenset[tuple[str, ...]]:
    return frozenset(words.facts(words.sentence(moment)))
