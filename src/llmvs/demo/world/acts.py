"""What all events are drawn from, and with.

Coordinates of an event: x counts from its place towards the picture's nearer edge; y is the
world's.
"""

from dataclasses import dataclass
from math import cos, sin

import numpy as np
import numpy.typing as npt

from llmvs.demo.world.pen import Colour, Pen, Points
from llmvs.demo.world.script import Actor

BRIGHT: tuple[Colour, ...] = (
    (255, 90, 80),
    (255, 214, 80),
    (110, 220, 120),
    (110, 180, 255),
    (240, 130, 240),
    (255, 255, 255),
)


@dataclass(frozen=True)
class Act:
    """What an event is drawn from."""

    t: float
    """Seconds since it began."""
    actor: Actor | None
    phase: float
    """Of the actor's motion before the event, radians."""
    look: int
    chance: npt.NDArray[np.float64]
    """[64, 4] numbers from 0 to 1, fixed for the scene."""
    water: float


def rotated(pen: Pen, points: Points, x: float, y: float, angle: float, colour: Colour) -> None:
    """A polygon turned clockwise by `angle` about its origin, which lies at (x, y)."""
    c, s = cos(angle), sin(angle)
    pen.poly([(x + px * c - py * s, y + px * s + py * c) for px, py in points], colour)


def confetti(pen: Pen, act: Act, count: int, left: float, right: float) -> None:
    """Coloured paper that falls between x = left and x = right."""
    for i in range(count):
        a, b, c, d = (float(v) for v in act.chance[i])
        x, y = (
            left + (right - left) * a + 6 * sin(act.t * 3 + i),
            (act.t * (34 + 30 * b) + 170 * c) % 170,
        )
        rotated(
            pen,
            [(-2, -1.2), (2, -1.2), (2, 1.2), (-2, 1.2)],
            x,
            y,
            act.t * 6 * (d - 0.5) + i,
            BRIGHT[i % 5],
        )
