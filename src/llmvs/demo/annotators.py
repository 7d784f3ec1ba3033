"""The demo's annotators: synthetic people, who rate every two seconds of a clip from 1 to 5. No
human made these ratings.

What they share is one idea of how much a frame matters,

    importance = EVENT * novelty(event) + ACTION * liveliness * novelty(doing) + PLACE *
    novelty(place)

where an event counts while it happens, liveliness (0 to 1) is that of the liveliest figure, *doing*
is who does what, and novelty looks at the **whole** clip: the kth of n scenes that show the same
thing has

    novelty = DECAY ** (k - 1) / sqrt(n)

so what happens once counts fully, and what is repeated counts less, most of all the later times. A
window of a few seconds cannot know it. Each annotator weighs the terms by a taste of their own (for
spectacle, danger, play, animals, actions, places), adds noise that lasts a few seconds, and hands
out the five ratings in proportions of their own.
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmvs.demo.world.catalogue import ACTIONS, EVENTS, PEOPLE
from llmvs.demo.world.script import FPS, Scene, Script

PEOPLE_COUNT = 12
PIECE = 2 * FPS
"""Frames that get one rating together, as on TVSum."""
EVENT, ACTION, PLACE, DECAY = 1.0, 0.5, 0.3, 0.6
_TASTES = ("spectacle", "danger", "play", "animals", "action", "place")
_TASTE_SPREAD = 0.5
_NOISE = 0.5
_LASTING = 0.5
"""Correlation of an annotator's noise from one piece to the next."""
_SHARES = (0.34, 0.28, 0.2, 0.11, 0.07)
"""How often people give 1, 2, 3, 4 and 5, about."""


@dataclass(frozen=True)
class Terms:
    """The three terms of a scene's importance before anybody's taste."""

    event: float
    action: float
    place: float
    family: str
    animal: bool


def terms(script: Script) -> list[Terms]:
    """The terms of every scene, novelty over the whole clip included."""
    event = _novelty([scene.event for scene in script.scenes])
    doing = _novelty([_doing(scene) for scene in script.scenes])
    place = _novelty([scene.place for scene in script.scenes])
    return [
        Terms(
            EVENT * event[i] if scene.event else 0.0,
            ACTION * _liveliness(scene) * doing[i],
            PLACE * place[i],
            EVENTS[scene.event].family if scene.event else "",
            any(a.kind not in PEOPLE for a in scene.actors),
        )
        for i, scene in enumerate(script.scenes)
    ]


def importance(script: Script, taste: dict[str, float] | None = None) -> npt.NDArray[np.float64]:
    """How much every frame matters, float64 [n_frames], to somebody of this taste (factors; None:
    to nobody in particular).
    """
    liking = taste or {}
    pieces = []
    for scene, term in zip(script.scenes, terms(script), strict=True):
        action = (
            term.action
            * liking.get("action", 1.0)
            * (liking.get("animals", 1.0) if term.animal else 1.0)
        )
        values = np.full(scene.n_frames, action + term.place * liking.get("place", 1.0))
        if scene.event:
            values[scene.event_frame :] += term.event * liking.get(term.family, 1.0)
        pieces.append(values)
    return np.concatenate(pieces)


def ratings(script: Script) -> npt.NDArray[np.uint8]:
    """What every annotator says: uint8 [12 annotators, pieces of 2 s], from 1 to 5. The same people
    rate all clips of a seed.
    """
    return np.stack([_rate(script, person) for person in range(PEOPLE_COUNT)])


def spread(pieces: npt.NDArray[np.uint8], n_frames: int) -> npt.NDArray[np.uint8]:
    """Ratings [U, pieces] held over their frames: [U, n_frames]; the last lasts to the end."""
    return pieces[:, np.minimum(np.arange(n_frames) // PIECE, pieces.shape[1] - 1)]


def _rate(script: Script, person: int) -> npt.NDArray[np.uint8]:
    nature = np.random.default_rng([script.seed, person, 17])
    taste = dict(
        zip(_TASTES, np.exp(nature.normal(0, _TASTE_SPREAD, len(_TASTES))).tolist(), strict=True)
    )
    cuts = np.cumsum(nature.dirichlet(np.array(_SHARES) * 30))[:-1]
    mood = np.random.default_rng([script.seed, script.clip, person, 19])
    values = importance(script, taste)
    count = max(1, round(len(values) / PIECE))
    means = np.array(
        [
            values[i * PIECE : (i + 1) * PIECE if i < count - 1 else None].mean()
            for i in range(count)
        ]
    )
    means += _NOISE * _lasting_noise(mood, count)
    places = (np.argsort(np.argsort(means)) + 0.5) / count
    return (1 + np.searchsorted(cuts, places)).astype(np.uint8)


def _lasting_noise(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    fresh = rng.standard_normal(count)
    for i in range(1, count):
        fresh[i] = _LASTING * fresh[i - 1] + np.sqrt(1 - _LASTING**2) * fresh[i]
    return fresh


def _novelty(shown: list[Hashable]) -> list[float]:
    """The novelty of what each scene shows."""
    total, seen = Counter(shown), Counter[Hashable]()
    values = []
    for thing in shown:
        values.append(DECAY ** seen[thing] / total[thing] ** 0.5)
        seen[thing] += 1
    return values


def _doing(scene: Scene) -> Hashable:
    return tuple(sorted((a.kind, a.action) for a in scene.actors))


def _liveliness(scene: Scene) -> float:
    return max(ACTIONS[a.action].liveliness for a in scene.actors)
