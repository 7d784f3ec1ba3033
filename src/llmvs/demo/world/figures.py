"""Animals and vehicles, each drawn around its feet (wheels, waterline) at (0, 0), facing right."""

from dataclasses import dataclass, replace
from math import cos, sin

from llmvs.demo.world.pen import COLOURS, Colour, Pen, shade
from llmvs.demo.world.people import person


@dataclass(frozen=True)
class _Build:
    """The proportions of a four-legged animal."""

    length: float
    leg: float
    thick: float
    """Half the height of the body."""
    neck: tuple[float, float]
    """Where the head is, from the front of the body."""
    head: tuple[float, float]
    tail: tuple[float, float]
    limb: float


_BUILDS = {
    "dog": _Build(24, 13, 6, (6, -12), (7.5, 5.8), (-9, -9), 3.6),
    "cat": _Build(19, 9, 5, (4, -8), (6, 5.6), (-8, -15), 3),
    "cow": _Build(38, 18, 11, (10, -8), (10, 7), (-4, 12), 5),
    "horse": _Build(36, 25, 9.5, (14, -22), (10, 5.5), (-9, 13), 4.4),
    "camel": _Build(36, 27, 10, (16, -22), (9, 5), (-4, 12), 4.4),
}


LARGER = {
    "cow": 1.3,
    "horse": 1.3,
    "camel": 1.3,
    "dog": 1.6,
    "cat": 1.6,
    "bird": 1.6,
    "car": 1.1,
    "boat": 1.2,
}
"""How many times as large as its drawing a figure is shown; people 1.5 times. Large enough that one
sees what they do.
"""


def figure(pen: Pen, kind: str, colour: str, action: str, phase: float, look: int) -> None:
    """Draw any figure of the catalogue at `phase` of its motion (radians)."""
    pen = pen.at(0, 0, LARGER.get(kind, 1.5))
    if kind in _BUILDS:
        _quadruped(pen, kind, COLOURS[colour] if kind != "camel" else (196, 150, 92), action, phase)
    elif kind == "bird":
        _bird(pen, COLOURS[colour], action, phase)
    elif kind == "car":
        if action == "is parked":
            _parking_sign(pen)
        car(pen, COLOURS[colour], phase if action == "drives" else 0.0, action == "drives")
    elif kind == "boat":
        _boat(pen, COLOURS[colour], action, phase)
    else:
        person(pen, kind, colour, action, phase, look)


def _quadruped(pen: Pen, kind: str, colour: Colour, action: str, phase: float) -> None:
    build = _BUILDS[kind]
    if action == "sleeps":
        _curled(pen, kind, colour, phase)
    elif action == "sits":
        _sitting(pen, kind, build, colour, phase)
    else:
        _standing(pen, kind, build, colour, action, phase)


def _standing(
    pen: Pen, kind: str, build: _Build, colour: Colour, action: str, phase: float
) -> None:
    if kind == "camel" and action == "waits":
        build = replace(build, leg=5)  # it kneels
    fast = action in ("runs", "gallops")
    stride = {True: 0.95, False: 0.6}[fast] if action in ("walks", "runs", "gallops") else 0.0
    if stride:
        _dust(pen, build, phase, fast)
    lift = 4 * abs(sin(phase)) if fast else 0.0
    body = -build.leg - build.thick - lift + 2
    half = build.length / 2
    turns = (0.0, 2.6, 1.2, 3.8) if fast else (0.0, 3.1, 3.1, 0.0)
    for x, turn, tone in zip(
        (half - 4, -half + 4, half - 1, -half + 1), turns, (0.9, 0.75, 0.75, 0.9), strict=True
    ):
        swing = stride * sin(phase + turn) * (build.leg + 3)
        knee = (x + swing * 0.4, body + build.thick + build.leg * 0.4)
        pen.line(
            [(x, body + 3), knee, (x + swing, -abs(swing) * 0.25 - lift * 0.4)],
            build.limb,
            shade(colour, tone),
        )
    tail, (back, down) = 3 * sin(phase * (3 if kind == "dog" else 1)), build.tail
    pen.line(
        [
            (-half, body - 3),
            (-half + back * 0.6, body + down * 0.4),
            (-half + back + tail, body + down),
        ],
        2.6,
        shade(colour, 0.8),
    )
    pen.oval(0, body, half + 2, build.thick + 1, shade(colour, 0.5))
    pen.oval(0, body, half + 1, build.thick, colour)
    if kind == "camel":
        for x in (-7, 8):
            pen.oval(x, body - 10, 7, 8, colour)
    if kind == "cow":
        for x, y, size in ((-8, -2, 6), (7, 2, 5)):
            pen.oval(
                x,
                body + y,
                size,
                size * 0.7,
                (244, 240, 232) if sum(colour) < 500 else (60, 50, 48),
            )
    dx, dy = (
        (build.neck[0] + 6, build.leg + build.thick - 9 + 2 * sin(phase * 0.7))
        if action == "grazes"
        else build.neck
    )
    if action == "grazes":
        for i in range(6):
            x = half + dx + 3 * i - 6
            pen.line([(x, 1), (x + 2 * (i % 3 - 1), -9)], 2, (110, 200, 70))
    _neck_and_head(pen, kind, build, colour, half - 2, body - 2, dx, dy)


def _dust(pen: Pen, build: _Build, phase: float, fast: bool) -> None:
    """What hoofs and paws of an animal that moves leave behind it; lines, too, if it is fast."""
    back = -build.length / 2
    for i in range(3):
        pen.glow(back - 4 - 6 * i, -2 - i, 5 + 2 * i + sin(phase), (236, 226, 206), 0.75 - 0.2 * i)
    if fast:
        for i in range(3):
            pen.line(
                [(back - 22 - 3 * (i % 2), -10 - 7 * i), (back - 9 - 3 * (i % 2), -10 - 7 * i)],
                1.6,
                (246, 246, 246),
            )


def _neck_and_head(
    pen: Pen, kind: str, build: _Build, colour: Colour, x: float, y: float, dx: float, dy: float
) -> None:
    pen.line([(x - 2, y), (x + dx - 3, y + dy + 2)], build.thick * 1.05, colour)
    if kind == "horse":
        pen.line([(x - 5, y - 4), (x + dx - 8, y + dy - 2)], 3.4, shade(colour, 0.5))
    own = pen.at(x + dx, y + dy)
    _head(own, kind, build.head, colour)


def _head(pen: Pen, kind: str, size: tuple[float, float], colour: Colour) -> None:
    width, height = size
    pen.oval(0, 0, width + 0.8, height + 0.8, shade(colour, 0.5))
    pen.oval(0, 0, width, height, colour)
    if kind == "cat":
        for x in (-3.4, 2.4):
            pen.poly([(x - 2.6, -3), (x, -10), (x + 2.6, -3)], colour)
        for x in (-0.5, 3.5):
            pen.disc(x, -0.8, 1.1, (120, 210, 90))
    elif kind == "dog":
        pen.oval(width - 1, 1.6, 4, 3, shade(colour, 0.9))
        pen.disc(width + 2.4, 0.6, 1.5, (24, 22, 24))
        pen.poly([(-5, -4), (-1, -5), (-2, 5), (-6, 4)], shade(colour, 0.62))
        pen.disc(2.4, -1.8, 1.1, (24, 22, 24))
    else:
        pen.oval(
            width - 2.5,
            1.5,
            4.2,
            height * 0.8,
            (226, 178, 166) if kind == "cow" else shade(colour, 0.75),
        )
        pen.poly([(-5, -3), (-3, -10 if kind == "horse" else -7), (0, -4)], shade(colour, 0.7))
        if kind == "cow":
            pen.line([(-2, -6), (1, -11)], 1.8, (240, 232, 206))
        pen.disc(2, -1.6, 1.2, (24, 22, 24))


def _sitting(pen: Pen, kind: str, build: _Build, colour: Colour, phase: float) -> None:
    tail = 3 * sin(phase * 2)
    pen.line([(-8, -3), (-15, -4), (-18, -12 + tail)], 2.8, shade(colour, 0.8))
    pen.poly([(-12, 0), (-11, -10), (0, -22), (7, -20), (8, 0)], shade(colour, 0.5))
    pen.poly([(-11, 0), (-10, -9), (0, -21), (6, -19), (7, 0)], colour)
    pen.oval(-5, -5, 7, 5.5, shade(colour, 0.88))
    pen.line([(5, -12), (6, 0)], build.limb, shade(colour, 0.92))
    _head(pen.at(5, -26), kind, build.head, colour)


def _curled(pen: Pen, kind: str, colour: Colour, phase: float) -> None:
    breath = 0.7 * sin(phase * 0.5)
    pen.oval(0, -6, 17, 7 + breath, shade(colour, 0.5))
    pen.oval(0, -6, 16, 6 + breath, colour)
    pen.line([(-14, -4), (-6, -1), (6, -1)], 3, shade(colour, 0.75))
    own = pen.at(11, -6)
    own.oval(0, 0, 7, 5, shade(colour, 0.9))
    own.poly([(-4, -3), (-2, -8 if kind == "cat" else -1), (1, -4)], shade(colour, 0.7))
    own.line([(1, 0), (4, 0.6)], 1, (24, 22, 24))
    for i in range(2):
        rise = (phase * 1.2 + i * 9) % 18
        x, y = 14 + rise * 0.6, -16 - rise
        pen.line([(x, y), (x + 4, y), (x, y + 4), (x + 4, y + 4)], 1, (250, 250, 250))


def _bird(pen: Pen, colour: Colour, action: str, phase: float) -> None:
    pen = pen.at(0, 0, 1.25)
    if action == "flies":
        wing = sin(phase * 1.6)
        pen.poly([(-3, 0), (4, 0), (-1, -13 * wing - 2), (-8, -17 * wing)], shade(colour, 0.72))
        pen.oval(0, 0, 11, 4.4, shade(colour, 0.5))
        pen.oval(0, 0, 10, 3.8, colour)
        pen.poly([(-8, -1), (-17, -4), (-16, 3)], shade(colour, 0.85))
        pen.poly([(-5, 0), (4, 0), (0, -15 * wing), (-6, -19 * wing)], shade(colour, 0.9))
        x, y = 10.0, -2.5
    else:
        for dx in (-1.5, 2.5):
            pen.line([(dx, -6), (dx, 0), (dx + 3, 0)], 1.1, (226, 150, 50))
        pen.oval(0, -11, 9.6, 6.6, shade(colour, 0.5))
        pen.oval(0, -11, 9, 6, colour)
        pen.poly([(-6, -11), (-17, -8), (-7, -7)], shade(colour, 0.75))
        pen.oval(-2, -11, 6, 3.6, shade(colour, 0.8))
        x, y = 7.0, -18 + 1.2 * max(0, sin(phase))
    pen.disc(x, y, 4.4, colour)
    pen.poly([(x + 3.6, y - 1.4), (x + 9.5, y + 0.6), (x + 3.6, y + 1.8)], (244, 166, 40))
    pen.disc(x + 1.4, y - 1, 1, (250, 250, 250) if sum(colour) < 200 else (20, 20, 24))


def car(pen: Pen, colour: Colour, phase: float, moving: bool) -> None:
    """A car seen from its side, 78 units long: with a driver, lamps and dust when it moves."""
    pen.oval(0, -1, 42, 3.5, (50, 50, 54))
    shell = [
        (-38, -8),
        (-39, -18),
        (-33, -23),
        (-20, -25),
        (-11, -37),
        (12, -37),
        (22, -25),
        (35, -22),
        (39, -16),
        (38, -8),
    ]
    pen.line([*shell, shell[0]], 2, shade(colour, 0.5))
    pen.poly(shell, colour)
    pen.poly([(-16, -25), (-9, -34.5), (-1, -34.5), (-1, -25)], (186, 220, 236))
    pen.poly([(2, -25), (2, -34.5), (10.5, -34.5), (17.5, -25)], (186, 220, 236))
    if moving:
        pen.disc(8, -28.5, 3.6, (214, 158, 118))
        pen.lit().veil([(38, -19), (66, -26), (66, -6), (38, -15)], (255, 244, 170), 0.7)
    pen.line([(0.5, -36), (0.5, -10)], 1, shade(colour, 0.6))
    pen.lit().oval(36.5, -17, 2.6, 2.8, (255, 246, 190))
    pen.box(-39, -19, -36, -14, (190, 30, 30))
    for x in (-23, 23):
        pen.disc(x, -8, 8.4, (30, 30, 34))
        pen.disc(x, -8, 4.2, (196, 198, 204))
        pen.line(
            [(x - 4 * cos(phase), -8 - 4 * sin(phase)), (x + 4 * cos(phase), -8 + 4 * sin(phase))],
            1.2,
            (90, 92, 98),
        )
    if moving:
        for y, back in ((-14, 46), (-22, 44), (-30, 34)):
            pen.line([(-back, y), (-back - 16, y)], 2, (248, 248, 248))
        for i in range(3):
            pen.glow(
                -43 - 8 * i,
                -5 - 2 * i,
                7 + 2 * i + 1.5 * sin(phase * 2),
                (226, 224, 220),
                0.8 - 0.2 * i,
            )


def _parking_sign(pen: Pen) -> None:
    pen.box(43.5, -60, 46, 0, (120, 124, 130))
    pen.box(36, -62, 53, -44, (250, 250, 250))
    pen.box(37, -61, 52, -45, (30, 90, 210))
    right = 1 if pen.sx > 0 else -1  # the letter is not mirrored with the car
    pen.line(
        [
            (44.5 + right * x, y)
            for x, y in ((-2.5, -47.5), (-2.5, -58), (2.5, -58), (2.5, -53), (-2.5, -53))
        ],
        2,
        (250, 250, 250),
    )


def _boat(pen: Pen, colour: Colour, action: str, phase: float) -> None:
    own = pen.at(0, 1.5 * sin(phase * 0.5))
    own.line([(0, -8), (0, -58)], 2, (110, 80, 56))
    if action == "sails":
        own.poly([(3, -56), (28, -14), (3, -14)], colour)
        own.poly([(-2, -52), (-20, -14), (-2, -14)], shade(colour, 0.82))
        for i in range(3):
            own.line([(-34 - i * 5, -1 + i * 2), (-24 - i * 4, 1 + i * 2)], 1.3, (240, 248, 250))
    else:
        own.line([(0, -56), (26, -12)], 0.8, (70, 66, 60))
        own.line([(0, -56), (-24, -12)], 0.8, (70, 66, 60))
        own.oval(2, -14, 15, 2.4, colour)
        own.line([(27, -6), (34, 6)], 0.9, (60, 60, 64))
    own.poly([(-28, -10), (31, -11), (23, 3), (-22, 3)], shade(colour, 0.5))
    own.poly([(-27, -9), (29, -10), (22, 2), (-21, 2)], (246, 244, 238))
    own.poly([(-27, -9), (29, -10), (27, -6), (-25, -5)], colour)
