"""How events in the sky and on the slopes look: one function for each, given the time since it
began (negative: not yet).
"""

from math import cos, pi, sin

import cv2
import numpy as np

from llmvs.demo.world.acts import BRIGHT, Act, rotated
from llmvs.demo.world.pen import Colour, Pen, Points, mix, shade

_RAINBOW: tuple[Colour, ...] = (
    (228, 58, 58),
    (244, 140, 50),
    (250, 226, 80),
    (90, 196, 90),
    (80, 170, 240),
    (70, 90, 200),
    (150, 80, 190),
)
_RAYS = np.stack([np.cos(np.arange(18) * pi / 9), np.sin(np.arange(18) * pi / 9)], axis=1)


def fireworks(pen: Pen, act: Act) -> None:
    """Three bursts at a time, each growing, falling and fading."""
    if act.t < 0:
        return
    for i in range(3):
        number = int(act.t / 1.2 + i / 3)
        age = (act.t / 1.2 + i / 3) % 1
        cx, cy, tone, size = act.chance[(number * 3 + i) % 64]
        x, y = -120 + 160 * cx, 28 + 40 * cy
        colour = BRIGHT[int(tone * 6)]
        reach = (26 + 16 * size) * (0.35 + 0.65 * age**0.5)
        pen.glow(x, y, reach * 1.5, colour, 0.45 * (1 - age))
        ends = np.array((x, y)) + reach * _RAYS + (0, 9 * age * age)
        pen.lines(
            np.stack([np.array((x, y)) * 0.28 + ends * 0.72, ends], axis=1),
            1.6,
            mix(colour, (60, 50, 70), age * 0.7),
        )
        for ex, ey in ends.tolist():
            pen.disc(ex, ey, 1.5 * (1.2 - age), (255, 250, 230))


def lightning(pen: Pen, act: Act) -> None:
    """A flash, then a jagged bolt; another soon after."""
    if act.t < 0:
        return
    number, age = int(act.t / 0.6), (act.t / 0.6) % 1
    cv2.convertScaleAbs(pen.image, pen.image, 1, max(0.0, 60 - 200 * age))
    x, y = -90 + 120 * float(act.chance[number % 64, 0]), -4.0
    points = [(x, y)]
    for i in range(7):
        x, y = x + 34 * (float(act.chance[(number + i) % 64, 1]) - 0.5), y + 18
        points.append((x, y))
    pen.line(points, 6, (170, 180, 255))
    pen.line(points, 3, (255, 255, 236))
    pen.line(
        [points[3], (points[3][0] + 16, points[3][1] + 16), (points[3][0] + 14, points[3][1] + 30)],
        2,
        (240, 240, 255),
    )
    pen.glow(*points[-1], 30, (230, 230, 255), 0.8 * (1 - age))


def balloons(pen: Pen, act: Act) -> None:
    """Many balloons go up."""
    if act.t < 0:
        return
    for i in range(16):
        a, b, c, _ = (float(v) for v in act.chance[i])
        rise = act.t * (30 + 18 * b) + 150 * c - 40 * max(0.0, 1 - act.t)
        x, y = -118 + 160 * a + 5 * sin(act.t * 2 + i), 168 - rise % 190
        colour = BRIGHT[i % 5]
        pen.line([(x, y + 9), (x + 2 * sin(act.t * 3 + i), y + 22)], 0.8, (240, 240, 240))
        pen.oval(x, y, 8.4, 10, shade(colour, 0.6))
        pen.oval(x, y, 7.6, 9.2, colour)
        pen.oval(x - 2.5, y - 3.5, 1.8, 2.6, mix(colour, (255, 255, 255), 0.7))


def avalanche(pen: Pen, act: Act) -> None:
    """Snow rolls down the mountains in a growing cloud."""
    if act.t < 0:
        return
    front = min(1.0, 0.35 + act.t * 0.45)
    for i in range(34):
        a, b, c, _ = (float(v) for v in act.chance[i])
        way = front * (0.25 + 0.75 * (a + act.t * 0.25) % 1)
        x, y = -30 + (b - 0.5) * (40 + 110 * way), 34 + 92 * way
        radius = (4 + 12 * way) * (0.7 + 0.5 * c)
        pen.disc(x + 2, y + 3, radius, (186, 200, 220))
        pen.disc(x, y + 2 * sin(act.t * 9 + i), radius, (246, 250, 255))


def rainbow(pen: Pen, act: Act) -> None:
    """Seven colours over the sky."""
    if act.t < 0:
        return
    over = pen.image.copy()
    arc = Pen(over, pen.x0, pen.y0, pen.sx, pen.sy)
    for i, colour in enumerate(_RAINBOW):
        arc.ring(-40, 116, 96 - i * 3.6, 4.2, colour, half=True)
    share = 0.8 * min(1.0, 0.4 + act.t)
    cv2.addWeighted(over, share, pen.image, 1 - share, 0, pen.image)


def hot_air_balloon(pen: Pen, act: Act) -> None:
    """It stands on the ground; then it rises."""
    own = pen.at(-20, 150 - min(62.0, 18 * max(0.0, act.t) + (4 if act.t > 0 else 0)), 1.1)
    own.lit().glow(0, -22, 14, (255, 200, 90), 0.6 if act.t > 0 else 0.1)
    for dx in (-1, 1):
        own.line([(dx * 6, -12), (dx * 15, -34)], 0.9, (80, 60, 44))
    own.box(-7, -12, 7, 0, (150, 100, 56))
    outline = [
        (15.0, -34.0),
        *[(30 * cos(a), -62 - 30 * sin(a)) for a in np.linspace(-0.3, pi / 2, 12)],
    ]
    red, yellow, blue = (226, 60, 60), (250, 210, 70), (60, 120, 220)
    for stripe, colour in ((1.0, red), (0.6, yellow), (0.2, blue)):
        own.poly(
            [(x * stripe, y) for x, y in outline] + [(-x * stripe, y) for x, y in outline[::-1]],
            colour,
        )


def rocks(pen: Pen, act: Act) -> None:
    """Boulders come down and bounce."""
    if act.t < 0:
        return
    for i in range(11):
        a, b, c, _ = (float(v) for v in act.chance[i])
        age = (act.t * 0.75 + a) % 1
        x = 40 - 110 * age + 30 * (b - 0.5)
        y = 44 + 106 * age - 16 * abs(sin(age * pi * (2 + 2 * b))) + 14 * c
        size = 5 + 7 * c
        shape: Points = [
            (size * cos(k * pi / 3.5), size * (0.8 + 0.2 * sin(k * 5 + i)) * sin(k * pi / 3.5))
            for k in range(7)
        ]
        rotated(
            pen, [(1.18 * px, 1.18 * py) for px, py in shape], x, y, act.t * 5 + i, (70, 62, 56)
        )
        rotated(pen, shape, x, y, act.t * 5 + i, (150, 136, 122))
        pen.glow(x + 6, y - 6, size * 1.6, (206, 190, 168), 0.45)


def shooting_star(pen: Pen, act: Act) -> None:
    """A bright head with a long tail crosses the sky, and another."""
    if act.t < 0:
        return
    age = 0.12 + 0.76 * (act.t / 1.3 % 1)
    x, y = 36 - 170 * age, 36 + 36 * age  # below what a zoom cuts off
    for i in range(10, 0, -1):
        tail = (x + i * 6, y - i * 1.9)
        pen.line(
            [tail, (tail[0] - 6, tail[1] + 1.9)],
            3.2 - 0.26 * i,
            mix((255, 250, 220), (60, 70, 120), i / 11),
        )
    pen.glow(x, y, 16, (255, 255, 230), 0.9)
    for angle in (0, pi / 2, pi / 4, 3 * pi / 4):
        reach = 7 if angle in (0, pi / 2) else 4
        pen.line(
            [
                (x - reach * cos(angle), y - reach * sin(angle)),
                (x + reach * cos(angle), y + reach * sin(angle)),
            ],
            1.4,
            (255, 255, 246),
        )


def saucer(pen: Pen, act: Act) -> None:
    """A disc with lamps comes down and stands in the air over a beam of light."""
    if act.t < 0:
        return
    y = 66 - 70 * max(0.0, 1 - act.t * 1.6) ** 2 + 2.5 * sin(act.t * 3)
    x = -20 + 3 * sin(act.t * 2)
    pen.veil(
        [(x - 14, y + 6), (x + 14, y + 6), (x + 42, 156), (x - 42, 156)],
        (170, 255, 190),
        0.4 + 0.08 * sin(act.t * 9),
    )
    pen.oval(x, y - 9, 18, 13, (150, 220, 240))
    pen.oval(x, y - 8, 5, 6, (90, 190, 110))
    pen.oval(x, y, 42, 11, (96, 100, 116))
    pen.oval(x, y - 2, 40, 8.5, (176, 182, 198))
    for i in range(6):
        tone = BRIGHT[(i + int(act.t * 6)) % 3]
        pen.disc(x - 30 + i * 12, y + 3 - 0.02 * (i - 2.5) ** 2, 2.6, tone)
