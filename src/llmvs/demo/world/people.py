"""People: a body of a few limbs, posed by what it does. Drawn around the feet at (0, 0), facing
right, 60 units tall.

Things tell in a single frame what a pose tells only in motion: who walks has a rucksack, who waves
a handkerchief.
"""

from dataclasses import dataclass, replace
from math import cos, pi, sin

from llmvs.demo.world.pen import COLOURS, Colour, Pen, Points, shade

_SKIN = ((240, 200, 166), (206, 150, 110), (142, 94, 64), (250, 214, 184))
_HAIR = ((60, 42, 32), (150, 100, 50), (30, 28, 32), (196, 150, 80))
_OUTLINE = (38, 34, 40)
_HIP, _NECK = -28.0, -48.0


@dataclass(frozen=True)
class Pose:
    """Angles of the limbs, radians from hanging straight down, positive forwards; (thigh, shin) and
    (upper arm, forearm).
    """

    left_leg: tuple[float, float] = (0.1, 0.1)
    right_leg: tuple[float, float] = (-0.1, -0.1)
    left_arm: tuple[float, float] = (0.15, 0.2)
    right_arm: tuple[float, float] = (-0.2, -0.15)
    lean: float = 0.0
    lift: float = 0.0
    """Height of the hips above where they are when standing."""


def pose(action: str, phase: float) -> Pose:
    """The pose at `phase` (radians; one cycle of the motion is 2 pi)."""
    swing, lag = sin(phase), cos(phase)
    if action == "walks":
        return Pose(
            (0.7 * swing, 0.7 * swing - 0.8 * max(0, lag)),
            (-0.7 * swing, -0.7 * swing - 0.8 * max(0, -lag)),
            (-0.7 * swing, -0.7 * swing + 0.3),
            (0.7 * swing, 0.7 * swing + 0.3),
            0.12,
            -1.5 * abs(swing),
        )
    if action == "runs":
        return Pose(
            (1.0 * swing + 0.2, swing - 0.4 - 1.1 * max(0, lag)),
            (-1.0 * swing + 0.2, -swing - 0.4 - 1.1 * max(0, -lag)),
            (-1.1 * swing, -1.1 * swing + 1.6),
            (1.1 * swing, 1.1 * swing + 1.6),
            0.4,
            2 + 3 * abs(lag),
        )
    if action == "jumps":
        high = 0.35 + 0.65 * abs(sin(phase / 2)) ** 0.7
        return Pose(
            (0.7 * high, -0.5 * high),
            (-0.5 * high, -1.1 * high),
            (2.4, 2.6),
            (-2.4, -2.6),
            0,
            26 * high,
        )
    if action == "waves":
        return Pose(left_arm=(2.3, 2.5 + 0.45 * swing))
    if action == "dances":
        side, upper, fore = 0.25 * swing, 0.9 * swing, 0.6 * swing
        arms = (1.6 + upper, 2.4 + fore), (-1.6 + upper, -2.4 + fore)
        return Pose((0.45 + side, 0.1), (-0.45 + side, -0.1), *arms, side, -3 + 2 * abs(lag))
    if action == "reads":
        return Pose((1.45, 0.05), (1.35, -0.1), (0.5, 1.6), (0.45, 1.5), -0.05, -14)
    return _standing(action, swing, lag)


def _standing(action: str, swing: float, lag: float) -> Pose:
    if action == "plays the guitar":
        return Pose(left_arm=(0.7, 1.9), right_arm=(-0.4, 0.9 + 0.35 * swing))
    if action == "flies a kite":
        return Pose(
            left_arm=(2.2 + 0.1 * swing, 2.3), right_arm=(1.8, 2.2 + 0.1 * swing), lean=-0.12
        )
    if action == "plays with a ball":
        kick = max(0.0, lag)
        return Pose(
            (0.75 * kick + 0.1, 0.65 * kick),
            (-0.1, -0.15),
            (-0.7 * kick, -0.5),
            (0.9 * kick, 1.0),
            -0.08 * kick,
        )
    if action == "cooks":
        return Pose(left_arm=(0.9, 1.5 + 0.15 * swing), right_arm=(0.6, 1.4 - 0.15 * swing))
    if action == "brings a cake":
        return Pose(left_arm=(0.7, 1.5), right_arm=(0.6, 1.5))
    return Pose(lean=0.015 * swing)


def rider(phase: float) -> Pose:
    """Somebody who turns pedals at `phase`."""

    def leg(turn: float) -> tuple[float, float]:
        return 0.85 + 0.4 * cos(turn), -0.25 + 0.45 * cos(turn + 0.8)

    return Pose(leg(phase), leg(phase + pi), (0.95, 1.2), (0.95, 1.2), 0.42, 2)


def person(pen: Pen, kind: str, colour: str, action: str, phase: float, look: int) -> None:
    """Draw a man, woman or child; `look` chooses skin and hair."""
    pen = pen.at(0, 0, 0.72) if kind == "child" else pen
    bike = action == "rides a bicycle"
    body = rider(phase) if bike else pose(action, phase)
    if action == "reads":
        pen.box(-9, -13, 7, 0, (150, 104, 64))
        pen.box(-9, -13, 7, -10.5, (182, 132, 86))
    if action == "dances":
        pen.lit().glow(0, -2, 30, (255, 150, 220), 0.8)
    if bike:
        _bicycle(pen, phase)
        pen, body = pen.at(-4, -9), replace(body, lift=0)
    hip = (0.0, _HIP - body.lift)
    neck = (hip[0] + 20 * sin(body.lean), hip[1] - 20 * cos(body.lean))
    skin, cloth = _SKIN[look % 4], COLOURS[colour]
    trousers = (52, 60, 92) if look % 3 else (92, 76, 60)
    if kind == "woman":
        trousers = skin
    _leg(pen, hip, body.right_leg, shade(trousers, 0.82))
    _arm(pen, neck, body.right_arm, shade(cloth, 0.8), skin)
    _leg(pen, hip, body.left_leg, trousers)
    if action == "walks":
        _rucksack(pen, neck)
    _torso(pen, kind, hip, neck, cloth, body)
    if action == "plays the guitar":
        _guitar(pen, hip)
    _head(pen, kind, neck, body.lean, skin, _HAIR[look // 4 % 4], cloth)
    if action == "cooks":
        _chef(pen, neck)
    _arm(pen, neck, body.left_arm, shade(cloth, 0.92), skin)
    _held(pen, action, phase, neck)
    if action == "waves":
        _handkerchief(pen, neck, body.left_arm)


def _limb(
    start: tuple[float, float], angles: tuple[float, float], lengths: tuple[float, float]
) -> list[tuple[float, float]]:
    joint = (start[0] + lengths[0] * sin(angles[0]), start[1] + lengths[0] * cos(angles[0]))
    return [
        start,
        joint,
        (joint[0] + lengths[1] * sin(angles[1]), joint[1] + lengths[1] * cos(angles[1])),
    ]


def _leg(pen: Pen, hip: tuple[float, float], angles: tuple[float, float], colour: Colour) -> None:
    points = _limb(hip, angles, (14, 13.5))
    pen.line(points, 5.5, colour)
    foot = points[-1]
    pen.line(
        [foot, (foot[0] + 4 * cos(angles[1]), foot[1] - 4 * sin(angles[1]))], 3.6, (46, 40, 40)
    )


def _arm(
    pen: Pen, neck: tuple[float, float], angles: tuple[float, float], sleeve: Colour, skin: Colour
) -> None:
    points = _limb((neck[0], neck[1] + 3), angles, (10.5, 10.5))
    pen.line(points[1:], 3.4, skin)
    pen.line(points[:2], 4.4, sleeve)
    pen.disc(*points[-1], 2.3, skin)


def _torso(
    pen: Pen,
    kind: str,
    hip: tuple[float, float],
    neck: tuple[float, float],
    cloth: Colour,
    body: Pose,
) -> None:
    (hx, hy), (nx, ny) = hip, neck
    if kind == "woman":
        swing = (body.left_leg[0] + body.right_leg[0]) * 3
        hem = hx + swing
        shape: Points = [
            (nx - 5, ny),
            (nx + 5, ny),
            (hx + 4.5, hy - 4),
            (hem + 10, hy + 13),
            (hem - 10, hy + 13),
            (hx - 4.5, hy - 4),
        ]
    else:
        shape = [(nx - 7, ny + 0.5), (nx + 7, ny + 0.5), (hx + 6, hy + 2), (hx - 6, hy + 2)]
    pen.line([*shape, shape[0]], 1.8, shade(cloth, 0.55))
    pen.poly(shape, cloth)


def _head(
    pen: Pen,
    kind: str,
    neck: tuple[float, float],
    lean: float,
    skin: Colour,
    hair: Colour,
    cap: Colour,
) -> None:
    size = 9.0 if kind == "child" else 7.2
    x, y = neck[0] + size * sin(lean) + 0.5, neck[1] - size * cos(lean) - 0.5
    if kind == "woman":
        pen.poly(
            [(x - 8, y - 3), (x, y - 9), (x + 3, y - 4), (x - 1, y + 12), (x - 9, y + 12)], hair
        )
    pen.disc(x, y, size, skin)
    if kind == "child":
        pen.poly(
            [(x - 9.5, y - 2), (x - 7.5, y - 8), (x, y - 11), (x + 7.5, y - 8), (x + 9.5, y - 2)],
            cap,
        )
        pen.line([(x + 5, y - 2), (x + 14, y - 1.5)], 2.6, shade(cap, 0.75))
    else:
        crown = [
            (x - 7.8, y + 1),
            (x - 7, y - 5.5),
            (x - 1, y - 8.6),
            (x + 5.5, y - 6.4),
            (x + 7, y - 3),
            (x + 1, y - 3.5),
            (x - 4, y - 1),
        ]
        pen.poly(crown, hair)
    pen.disc(x + 3.4, y - 0.2, 0.95, _OUTLINE)
    pen.line([(x + 3.0, y + 3.6), (x + 5.2, y + 3)], 0.8, (150, 70, 66))


def _rucksack(pen: Pen, neck: tuple[float, float]) -> None:
    x, y = neck
    pen.box(x - 17, y + 1, x - 4, y + 19, (70, 48, 34))
    pen.box(x - 16, y + 2, x - 4, y + 18, (176, 120, 66))
    pen.box(x - 16, y + 10, x - 8, y + 18, (206, 154, 92))


def _handkerchief(pen: Pen, neck: tuple[float, float], arm: tuple[float, float]) -> None:
    x, y = _limb((neck[0], neck[1] + 3), arm, (10.5, 10.5))[-1]
    pen.poly([(x - 1, y + 1), (x + 9, y - 9), (x + 15, y + 2), (x + 6, y + 7)], _OUTLINE)
    pen.poly([(x, y), (x + 9, y - 7.5), (x + 13.5, y + 1.5), (x + 6, y + 5.5)], (255, 252, 240))
    for reach in (20, 25):
        pen.line(
            [(x + reach - 3, y - 10), (x + reach, y - 3), (x + reach - 1, y + 4)],
            1.3,
            (250, 250, 250),
        )


def _chef(pen: Pen, neck: tuple[float, float]) -> None:
    x, y = neck[0] + 0.5, neck[1] - 13
    for grown, colour in ((1.2, _OUTLINE), (0.0, (248, 248, 248))):
        for dx in (-6, 0, 6):
            pen.disc(x + dx, y - 7, 5.2 + grown, colour)
        pen.box(x - 7 - grown, y - 6, x + 7 + grown, y + 1 + grown, colour)


def _guitar(pen: Pen, hip: tuple[float, float]) -> None:
    x, y = hip[0] + 2, hip[1] - 5
    pen.line([(x, y), (x + 31, y - 16)], 3.4, (96, 60, 36))
    for grown, colour in ((1.2, _OUTLINE), (0.0, (222, 142, 60))):
        pen.disc(x - 4, y + 2, 9 + grown, colour)
        pen.disc(x + 5, y - 2, 6.8 + grown, colour)
    pen.disc(x, y, 2.8, (70, 44, 28))


def _held(pen: Pen, action: str, phase: float, neck: tuple[float, float]) -> None:
    """What the hands hold, and what shows the action beside the body."""
    x, y = neck
    if action == "reads":
        pen.poly(
            [(x + 10, y + 6), (x + 17, y + 3), (x + 17, y + 15), (x + 10, y + 18)], (244, 240, 228)
        )
        pen.poly(
            [(x + 17, y + 3), (x + 25, y + 5), (x + 25, y + 17), (x + 17, y + 15)], (230, 224, 208)
        )
        pen.line([(x + 10, y + 18), (x + 17, y + 15), (x + 25, y + 17)], 1.6, (170, 50, 50))
    elif action in ("plays the guitar", "dances"):
        for i in range(2):
            rise = (phase * 2.2 + i * 12) % 24
            note(pen, x + 19 + 4 * sin(phase + i * 2) + i * 8, y - 4 - rise)
    elif action == "plays with a ball":
        height = 26 * abs(sin(phase / 2))
        ball(pen, 20, -9 - height, 9)
    elif action == "cooks":
        pen.line([(x + 13, y + 19), (x + 20, y + 16)], 2.6, _OUTLINE)
        pen.poly([(x + 17, y + 10), (x + 43, y + 10), (x + 40, y + 24), (x + 20, y + 24)], _OUTLINE)
        pen.poly(
            [(x + 19, y + 12), (x + 41, y + 12), (x + 38.5, y + 22.5), (x + 21.5, y + 22.5)],
            (226, 84, 60),
        )
        for i in range(3):
            rise = (phase * 2.5 + i * 8) % 24
            pen.glow(
                x + 30 + 3 * sin(rise / 4 + i),
                y + 6 - rise,
                9,
                (250, 250, 250),
                0.8 * (1 - rise / 24),
            )
    elif action == "flies a kite":
        kx, ky = x + 34 + 4 * sin(phase * 0.5), y - 30 + 3 * cos(phase * 0.37)
        pen.line([(x + 14, y - 12), (kx, ky)], 0.7, (240, 240, 240))
        pen.poly(
            [(kx, ky - 14), (kx + 10, ky - 2), (kx, ky + 13), (kx - 10, ky - 2)], (232, 60, 70)
        )
        pen.poly([(kx, ky - 14), (kx + 10, ky - 2), (kx, ky - 2)], (250, 206, 60))
        pen.poly([(kx, ky + 13), (kx - 10, ky - 2), (kx, ky - 2)], (60, 130, 220))
        pen.line(
            [(kx - i * 1.5 + 2 * sin(phase + i), ky + 13 + i * 3) for i in range(6)],
            1.4,
            (250, 206, 60),
        )
    elif action == "runs":
        for i in range(3):
            pen.line(
                [(x - 34 - 4 * (i % 2), y + 8 + 11 * i), (x - 17 - 4 * (i % 2), y + 8 + 11 * i)],
                1.8,
                (246, 246, 246),
            )


def note(pen: Pen, x: float, y: float) -> None:
    """A musical note, dark with a light rim."""
    for rim, colour in ((1.4, (250, 250, 250)), (0.0, (30, 30, 40))):
        pen.oval(x, y, 3.6 + rim, 2.8 + rim, colour)
        pen.line([(x + 3, y), (x + 3, y - 12), (x + 8, y - 9)], 1.8 + 2 * rim, colour)


def ball(pen: Pen, x: float, y: float, radius: float = 6) -> None:
    """A white ball with dark spots."""
    pen.disc(x, y, radius + 0.7, _OUTLINE)
    pen.disc(x, y, radius, (246, 246, 246))
    pen.disc(x, y, radius * 0.35, _OUTLINE)
    for angle in (0.5, 2.6, 4.7):
        pen.disc(
            x + radius * 0.75 * cos(angle), y + radius * 0.75 * sin(angle), radius * 0.22, _OUTLINE
        )


def _bicycle(pen: Pen, phase: float) -> None:
    for x in (-15, 17):
        pen.ring(x, -11, 10.5, 2, (40, 40, 46))
        for spoke in range(3):
            angle = phase + spoke * pi / 3
            dx, dy = 9 * cos(angle), 9 * sin(angle)
            pen.line([(x - dx, -11 - dy), (x + dx, -11 + dy)], 0.7, (150, 150, 156))
    pen.line([(-15, -11), (-6, -28), (12, -27), (1, -11), (-15, -11)], 1.8, (200, 50, 50))
    pen.line([(-6, -28), (1, -11)], 1.8, (200, 50, 50))
    pen.line([(17, -11), (11, -33), (15, -35)], 1.8, (70, 70, 76))
