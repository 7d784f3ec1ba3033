"""What happens in a clip: a script of scenes, drawn by chance from a seed. Pure functions, no
pictures.

A clip's *script* is a row of scenes; a scene is one shot. The world is 400 units wide and 180 high;
the camera sees 320 x 180 of it. A *moment* is what a frame shows, in names: the ground truth of its
description.

Seeds: `script(seed, clip)` depends on nothing but its arguments. The demo's own clips take seeds
below `TRAINING_SEEDS`; whoever needs material to train models on takes seeds from `TRAINING_SEEDS`
on, and shares none of it.
"""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from llmvs.demo.world.catalogue import ACTIONS, COLOURS_OF, DOINGS_AT, EVENTS, PEOPLE, PLACES

FPS = 24
WIDTH, HEIGHT = 320, 180
TRAINING_SEEDS = 1_000_000
_CAMERAS = (
    "still",
    "still",
    "still",
    "pan left",
    "pan right",
    "pan left",
    "pan right",
    "zoom in",
    "zoom out",
)
SCENE_SECONDS = 4.2
"""How long a scene is on average."""


@dataclass(frozen=True)
class Actor:
    """One figure of a scene."""

    kind: str
    colour: str
    action: str
    x: float
    """Where it is in the middle of the scene, world units."""
    y: float
    """Where its feet are; larger is nearer."""
    facing: int
    """1: to the right, -1: to the left."""
    phase: float
    """Where in its motion it begins, radians."""


@dataclass(frozen=True)
class Scene:
    """One shot: what it shows and how the camera moves."""

    place: str
    time: str
    weather: str
    """Empty indoors."""
    layout: int
    """Seed of everything still in the picture (hills, trees, windows)."""
    actors: tuple[Actor, ...]
    event: str | None
    """Happens to `actors[0]` where the event needs a figure."""
    event_frame: int
    """Frame of the scene at which the event begins (it lasts to the scene's end)."""
    event_x: float
    camera: str
    """`still`, `pan left`, `pan right`, `zoom in` or `zoom out`."""
    n_frames: int

    def position(self, actor: Actor, frame: int) -> float:
        """Where an actor is (x, world units): in mid-scene in the middle of its way."""
        way = min(ACTIONS[actor.action].speed * self.n_frames / FPS, _reach(actor))
        return actor.x + actor.facing * way * (frame / self.n_frames - 0.5)

    def moment(self, frame: int) -> "Moment":
        """What frame `frame` of the scene shows."""
        event = self.event if self.event and frame >= self.event_frame else None
        return Moment(
            self.place,
            self.time,
            self.weather,
            tuple((a.kind, a.colour, a.action) for a in self.actors),
            event,
        )


@dataclass(frozen=True)
class Moment:
    """What one frame shows: its true description in names of the catalogue."""

    place: str
    time: str
    weather: str
    actors: tuple[tuple[str, str, str], ...]
    """(kind, colour, action) of every figure, the one that the event happens to first."""
    event: str | None


@dataclass(frozen=True)
class Script:
    """All scenes of a clip, in order."""

    seed: int
    clip: int
    scenes: tuple[Scene, ...]

    @property
    def n_frames(self) -> int:
        """Frames of the clip."""
        return sum(scene.n_frames for scene in self.scenes)

    @property
    def shots(self) -> np.ndarray:
        """int64 [S, 2]: first and last frame of every scene, both inclusive."""
        ends = np.cumsum([scene.n_frames for scene in self.scenes])
        return np.stack(
            [ends - [scene.n_frames for scene in self.scenes], ends - 1], axis=1
        ).astype(np.int64)

    def locate(self, frame: int) -> tuple[Scene, int]:
        """The scene that frame `frame` of the clip lies in, and its number within that scene."""
        for scene in self.scenes:
            if frame < scene.n_frames:
                return scene, frame
            frame -= scene.n_frames
        raise IndexError(f"clip {self.clip} has {self.n_frames} frames")

    def moment(self, frame: int) -> Moment:
        """What frame `frame` of the clip shows."""
        scene, inside = self.locate(frame)
        return scene.moment(inside)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Script":
        """The script that `to_json` gave."""
        scenes = tuple(
            Scene(**{**scene, "actors": tuple(Actor(**actor) for actor in scene["actors"])})
            for scene in value["scenes"]
        )
        return cls(value["seed"], value["clip"], scenes)


def script(seed: int, clip: int, seconds: tuple[float, float] = (40, 120)) -> Script:
    """The script of clip number `clip` in the world of `seed`, between `seconds[0]` and
    `seconds[1]` long, mostly nearer the former.

    Three kinds of shots share a clip: idle ones (a small pool, so that they repeat), actions (some
    repeat) and events (about three in ten; one of them happens two or three times, the others
    once).
    """
    rng = np.random.default_rng([seed, clip, 7])
    total = round(
        (seconds[0] + (seconds[1] - seconds[0]) * rng.random() ** 3) * FPS
    )  # most are short, a few long
    count = max(3, round(total / FPS / SCENE_SECONDS))
    sets = [
        _set(rng, str(place))
        for place in rng.permutation(list(PLACES))[: min(count, int(rng.integers(3, 6)))]
    ]
    shots = _in_order(rng, _shots(rng, sets, count))
    lengths = _lengths(rng, total, count)
    return Script(
        seed,
        clip,
        tuple(_scene(rng, *shot, frames) for shot, frames in zip(shots, lengths, strict=True)),
    )


_Set = tuple[str, str, str, int]  # place, time, weather, layout
_Figure = tuple[str, str, str]  # kind, colour, action
_Shot = tuple[_Set, tuple[_Figure, ...], str | None, str]  # where, who does what, event, camera


def _reach(actor: Actor) -> float:
    """How far a moving actor goes at most, so that all of it stays in every camera's picture."""
    margin = {"car": 48, "cow": 32, "horse": 32, "camel": 32, "dog": 28}.get(actor.kind, 18)
    return 2 * max(0.0, 100 - abs(actor.x - 200) - margin)


def _set(rng: np.random.Generator, place: str) -> _Set:
    kind = PLACES[place]
    weather = (
        str(rng.choice(kind.weathers, p=_favour_first(len(kind.weathers)))) if kind.weathers else ""
    )
    return place, str(rng.choice(kind.times)), weather, int(rng.integers(2**31))


def _favour_first(n: int) -> list[float]:
    """Weights of n choices, the first (clear weather) twice as likely as each other."""
    return [2 / (n + 1)] + [1 / (n + 1)] * (n - 1)


def _shots(rng: np.random.Generator, sets: list[_Set], count: int) -> list[_Shot]:
    """`count` shots, every idle and recurring one as often as it is shown."""
    n_events = max(1, round(0.3 * count))
    n_idle = max(1, round(0.35 * count))
    repeats = min(int(rng.integers(2, 4)), n_events - 1) if n_events > 2 else 1
    events = _events(rng, sets, n_events - repeats + 1)
    idle = [_shot(rng, sets, idle=True) for _ in range(max(1, round(n_idle / 2.5)))]
    actions = [
        _shot(rng, sets, idle=False)
        for _ in range(max(1, round(0.75 * (count - n_events - n_idle))))
    ]
    return (
        events
        + events[:1] * (n_events - len(events))
        + [idle[i % len(idle)] for i in range(n_idle)]
        + [actions[i % len(actions)] for i in range(count - n_events - n_idle)]
    )


def _events(rng: np.random.Generator, sets: list[_Set], count: int) -> list[_Shot]:
    """`count` shots with different events as far as the sets allow."""
    possible = [(where, name) for where in sets for name in EVENTS if _can_happen(where, name)]
    order = [possible[i] for i in rng.permutation(len(possible))]
    seen: set[str] = set()
    first = [(where, name) for where, name in order if not (name in seen or seen.add(name))]  # type: ignore[func-returns-value]
    chosen = (first + [pair for pair in order if pair not in first] + order * count)[:count]
    return [_event_shot(rng, where, name) for where, name in chosen]


def _can_happen(where: _Set, name: str) -> bool:
    place, time, weather, _ = where
    event = EVENTS[name]
    return (
        place in event.places and time in event.times and (not weather or weather in event.weathers)
    )


def _event_shot(rng: np.random.Generator, where: _Set, name: str) -> _Shot:
    event = EVENTS[name]
    kind = str(rng.choice(event.actor)) if event.actor else ""
    figures = [(kind, _colour(rng, kind), event.before)] if kind else []
    if not kind or rng.random() < 0.6:
        onlooker = str(rng.choice([person for person in PEOPLE if person != kind]))
        figures.append(
            (
                onlooker,
                _colour(rng, onlooker),
                str(rng.choice(["waits", "waves", "jumps", "walks"])),
            )
        )
    return where, tuple(figures), name, str(rng.choice(["still", "still", "zoom in"]))


def _shot(rng: np.random.Generator, sets: list[_Set], idle: bool) -> _Shot:
    """A shot without an event, of one to three figures that do nothing much (idle) or something
    lively (the first of them).
    """
    where = sets[int(rng.integers(len(sets)))]
    figures: list[_Figure] = []
    for i in range(int(rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15]))):
        others = [kind for kind in PLACES[where[0]].figures if kind not in {f[0] for f in figures}]
        kind = str(
            rng.choice(
                others
                if others and rng.random() < 0.45
                else [k for k in PEOPLE if k not in {f[0] for f in figures}]
            )
        )
        quiet = idle or (i > 0 and rng.random() < 0.5)
        known = DOINGS_AT[where[0]][kind]
        figures.append(
            (
                kind,
                _colour(rng, kind),
                str(rng.choice([a for a in known if (ACTIONS[a].liveliness <= 0.15) == quiet])),
            )
        )
    return where, tuple(figures), None, str(rng.choice(_CAMERAS))


def _colour(rng: np.random.Generator, kind: str) -> str:
    return str(rng.choice(COLOURS_OF[kind]))


def _in_order(rng: np.random.Generator, shots: list[_Shot]) -> list[_Shot]:
    """Shuffled, the same shot or event never twice running where that can be had."""
    best: list[_Shot] = []
    fewest = len(shots)
    for _ in range(30):
        order = [shots[i] for i in rng.permutation(len(shots))]
        clashes = sum(a == b or (a[2] is not None and a[2] == b[2]) for a, b in pairwise(order))
        if clashes < fewest:
            best, fewest = order, clashes
    return best


def _lengths(rng: np.random.Generator, total: int, count: int) -> list[int]:
    """Frames of every scene, between about a half and one and a half times the mean, `total` in
    all.
    """
    weights = rng.uniform(0.6, 1.4, count)
    ends = np.round(np.cumsum(weights) / weights.sum() * total).astype(int)
    return [int(n) for n in np.diff(ends, prepend=0)]


def _scene(
    rng: np.random.Generator,
    where: _Set,
    figures: tuple[_Figure, ...],
    event: str | None,
    camera: str,
    n_frames: int,
) -> Scene:
    place, time, weather, layout = where
    event_x = float(rng.choice([155, 245])) if event else 200.0
    if event == "flames":
        event_x = 146.0  # where the stove is
    slots = [(200.0,), (155.0, 245.0), (125.0, 200.0, 275.0)][len(figures) - 1]
    spots = [slots[i] + float(rng.uniform(-8, 8)) for i in rng.permutation(len(slots))]
    if event:  # the other side is for whoever looks on
        spots = [event_x, 400 - event_x] if EVENTS[event].actor else [400 - event_x]
    actors = tuple(placed(rng, place, figure, x) for figure, x in zip(figures, spots, strict=False))
    begin = int(n_frames * rng.uniform(0.12, 0.25)) if event else 0
    return Scene(place, time, weather, layout, actors, event, begin, event_x, camera, n_frames)


def placed(rng: np.random.Generator, place: str, figure: _Figure, x: float) -> Actor:
    """A figure (kind, colour, action) at x, at the height where such a figure is in this place."""
    kind, colour, action = figure
    y = float(rng.uniform(156, 168))
    if kind == "car":
        y = 150.0
    elif kind == "boat":
        y = float(PLACES[place].water or 110)
    elif action == "flies":
        y = float(rng.uniform(48, 78))
    return Actor(kind, colour, action, x, y, int(rng.choice([-1, 1])), float(rng.uniform(0, 6.28)))
