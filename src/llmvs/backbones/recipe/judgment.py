"""How the demo's models judge a frame: by the three things that the project's instruction asks to weigh, seen through a window.

A large language model has never met a benchmark's annotators, nor sees more of a video than it is given. So the small ones
are taught neither these people's ratings nor how often something happens in the whole clip: learning that is the head's part.
"""

from collections.abc import Sequence

from llmvs.datasets.demo.catalogue import ACTIONS
from llmvs.datasets.demo.world import Moment


def judgment(moments: Sequence[Moment], centre: int) -> int:
    """How much the moment at position `centre` of a window matters, 0 to 10: the mean of three things, each from 0 to 1.

    Significance: an event happens, or none. Uniqueness: the share of the window's other moments that show something else
    (left out where there are none). Dynamics: 1 in an event, else how lively the liveliest figure is.

    >>> waits, dances = (Moment("beach", "day", "clear", (("man", "red", action),), None) for action in ("waits", "dances"))
    >>> judgment([waits, waits], 0), judgment([dances, waits, waits], 0), judgment([dances], 0)
    (0, 6, 4)
    """
    moment, others = moments[centre], [*moments[:centre], *moments[centre + 1:]]
    dynamics = 1.0 if moment.event else max((ACTIONS[action].liveliness for _, _, action in moment.actors), default=0.0)
    weighed = [float(bool(moment.event)), dynamics]
    if others:
        weighed.append(sum(other != moment for other in others) / len(others))
    return round(10 * sum(weighed) / len(weighed))
