"""One frame of a scene: the still background through the camera, then the event, the figures and
the weather.

Drawing is pure: a frame depends on its scene and its number only.
"""

import functools
import zlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from llmvs.demo.world import places, towns
from llmvs.demo.world.acts import Act
from llmvs.demo.world.catalogue import EVENTS, PLACES
from llmvs.demo.world.figures import figure
from llmvs.demo.world.happenings import DRAWN, SHINING
from llmvs.demo.world.light import grade, sky
from llmvs.demo.world.pen import Pen, Picture
from llmvs.demo.world.scenery import WORLD
from llmvs.demo.world.script import FPS, HEIGHT, WIDTH, Actor, Scene, Script

FINE = 2
"""The background is drawn this much finer than it is shown, so that zooming in finds detail."""
_BACKGROUNDS: dict[str, Callable[[Pen, np.random.Generator, str], None]] = {
    "beach": places.beach,
    "forest": places.forest,
    "mountain road": places.mountain_road,
    "farm": places.farm,
    "snowy village": places.snowy_village,
    "park": places.park,
    "desert": places.desert,
    "street": towns.street,
    "kitchen": towns.kitchen,
    "stadium": towns.stadium,
    "harbour": towns.harbour,
    "city": towns.city,
}
_TEMPO = {
    "walks": 7.0,
    "runs": 11.5,
    "jumps": 6,
    "waves": 9,
    "dances": 8,
    "plays the guitar": 9,
    "rides a bicycle": 9,
    "flies a kite": 3,
    "plays with a ball": 7,
    "cooks": 5,
    "flies": 8,
    "drives": 14,
    "gallops": 11,
    "sails": 3,
}  # radians per second
_SLOW = 2.0  # everybody else breathes
_SHADOW = [(13 * float(np.cos(a)), 0.5 + 2.6 * float(np.sin(a))) for a in np.linspace(0, 6, 12)]


class Painter:
    """Draws the frames of one scene. The background is drawn once, when the painter is made."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.background = _background(scene.place, scene.time, scene.weather, scene.layout)
        rng = np.random.default_rng([scene.layout, 5])
        self.chance = rng.random((64, 4))
        self.near = grade(_light(scene.time, scene.weather), scene.weather, near=True)
        self.still = self._seen(0) if scene.camera == "still" else None

    def frame(self, number: int) -> Picture:
        """Frame `number` of the scene: RGB, uint8 [180, 320, 3]."""
        *_, (_, image) = self.layers(number)
        return image

    def layers(self, number: int) -> Iterator[tuple[Actor | str, Picture]]:
        """The same picture after each thing is drawn upon it, and what it was: `background`,
        `event`, every figure, `weather`.
        """
        image = self._seen(number) if self.still is None else self.still.copy()
        left, top, width, height = camera(self.scene, number)
        pen = Pen(
            image,
            -left * WIDTH / width,
            -top * HEIGHT / height,
            FINE * WIDTH / width,
            FINE * HEIGHT / height,
            self.near,
        )
        seconds = number / FPS
        self._ambience(pen, seconds)
        yield "background", image
        figures = self.scene.actors
        if self.scene.event:
            self._event(pen, number)
            yield "event", image
            figures = figures[1:] if EVENTS[self.scene.event].actor else figures
        for actor in sorted(figures, key=lambda a: a.y):
            self._figure(pen, actor, number)
            yield actor, image
        self._weather(pen, seconds)
        yield "weather", image

    def _seen(self, number: int) -> Picture:
        """The background through the camera."""
        left, top, width, height = camera(self.scene, number)
        seen = self.background[top : top + height, left : left + width]
        return np.asarray(
            cv2.resize(seen, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8
        )

    def _figure(self, pen: Pen, actor: Actor, number: int) -> None:
        own = pen.at(self.scene.position(actor, number), actor.y, _size(actor), actor.facing < 0)
        if actor.action != "flies" and actor.kind not in ("boat", "car"):
            own.veil(_SHADOW, (20, 22, 30), 0.35)
        figure(
            own,
            actor.kind,
            actor.colour,
            actor.action,
            _phase(actor, number),
            _look(self.scene, actor),
        )

    def _event(self, pen: Pen, number: int) -> None:
        scene = self.scene
        assert scene.event is not None
        actor = scene.actors[0] if EVENTS[scene.event].actor else None
        phase, look = (_phase(actor, number), _look(scene, actor)) if actor else (0.0, 0)
        act = Act(
            (number - scene.event_frame) / FPS,
            actor,
            phase,
            look,
            self.chance,
            PLACES[scene.place].water or 0.0,
        )
        own = pen.at(scene.event_x, 0, flip=scene.event_x < 200)
        DRAWN[scene.event](own.lit() if scene.event in SHINING else own, act)

    def _ambience(self, pen: Pen, seconds: float) -> None:
        """What moves in a place by itself: glittering water, smoke."""
        place = PLACES[self.scene.place]
        if place.water:
            for i in range(26):
                a, b, c, d = self.chance[i]
                shine = np.sin(seconds * (1 + c) * 2 + d * 6.28)
                if shine > -0.2:
                    x, y = WORLD * a + 6 * np.sin(seconds * 0.7 + i), place.water - 10 + 24 * b
                    pen.line([(x - 5 * shine, y), (x + 5 * shine, y)], 1, (196, 226, 240))
        if self.scene.place == "snowy village":
            for i in range(9):
                rise = (seconds * 0.22 + self.chance[i, 0]) % 1
                x = (60, 192, 324)[i % 3]
                pen.glow(
                    x + 14 * rise + 2 * np.sin(seconds + i),
                    88 - 44 * rise,
                    4 + 8 * rise,
                    (226, 228, 234),
                    0.5 * (1 - rise),
                )

    def _weather(self, pen: Pen, seconds: float) -> None:
        if self.scene.weather == "rain":
            a, b, c, _ = self.chance[:52].T
            top = np.stack(
                [a * (WIDTH + 40) - 20, (b + seconds * (1.5 + c)) % 1 * (HEIGHT + 30) - 20], axis=1
            )
            Pen(pen.image).lines(
                np.stack([top, top + np.array((-3.5, 13))], axis=1), 1, (196, 208, 222)
            )
        elif self.scene.weather == "snow":
            flakes = Pen(pen.image)
            for a, b, c, d in self.chance[:48]:
                y = ((b + seconds * (0.14 + 0.14 * c)) % 1) * (HEIGHT + 10) - 5
                flakes.disc(
                    a * WIDTH + 8 * np.sin(seconds * 1.3 + d * 6.28),
                    y,
                    0.9 + 1.3 * c,
                    (250, 252, 255),
                )


def frame(script: Script, number: int) -> Picture:
    """Frame `number` of a clip: RGB, uint8 [180, 320, 3]. For many frames of one scene, keep a
    `Painter`.
    """
    scene, inside = script.locate(number)
    return Painter(scene).frame(inside)


@functools.lru_cache(maxsize=8)
def _background(place: str, time: str, weather: str, layout: int) -> Picture:
    """The still part of a scene, finer than it is shown; clips come back to the same few places."""
    rng = np.random.default_rng([layout, 3])
    image = np.zeros((HEIGHT * FINE, WORLD * FINE, 3), np.uint8)
    floodlit = place == "stadium"
    pen = Pen(image, 0, 0, FINE, FINE, grade(_light(time, weather), weather, near=floodlit))
    if weather:
        sky(pen, rng, time, weather)
    _BACKGROUNDS[place](pen, rng, time)
    image.setflags(write=False)
    return image


def _light(time: str, weather: str) -> str:
    return time if weather else "day"  # indoors the lamps are on


def camera(scene: Scene, number: int) -> tuple[int, int, int, int]:
    """What the camera sees: left, top, width and height in pixels of the background.

    Whole pixels of the fine background are half pixels of the frame: smooth enough, and a crop is
    far cheaper than a warp.
    """
    way = number / max(1, scene.n_frames - 1)
    centre, width = 200.0, float(WIDTH)
    if scene.camera.startswith("pan"):
        centre += 60 * (way - 0.5) * (1 if scene.camera == "pan right" else -1)
    elif scene.camera.startswith("zoom"):
        width -= 58 * (way if scene.camera == "zoom in" else 1 - way)
    columns = 2 * round(width * FINE / 2)
    rows = round(columns * HEIGHT / WIDTH)
    return round(centre * FINE) - columns // 2, round((HEIGHT * FINE - rows) * 0.85), columns, rows


def _phase(actor: Actor, number: int) -> float:
    return actor.phase + _TEMPO.get(actor.action, _SLOW) * number / FPS


def _size(actor: Actor) -> float:
    """Nearer figures are larger."""
    return 1.0 + (actor.y - 160) * 0.012 if actor.y > 150 else 1.0


def _look(scene: Scene, actor: Actor) -> int:
    """A choice of skin and hair that a figure keeps when its scene comes again."""
    return zlib.crc32(f"{scene.layout} {actor.kind} {actor.colour}".encode()) % 16
