"""Pieces of landscape that several places share: hills, trees, houses, ground."""

import numpy as np

from llmvs.demo.world.pen import Colour, Pen, mix, shade

WORLD = 400
_BARK = (104, 72, 48)
_FLOWERS: tuple[Colour, ...] = ((240, 90, 100), (250, 226, 90), (244, 244, 250), (190, 110, 220))


def ridge(
    pen: Pen,
    rng: np.random.Generator,
    base: float,
    height: float,
    colour: Colour,
    rough: float = 1.0,
) -> None:
    """A chain of hills (rough: mountains) whose foot lies at `base`, filled down to the picture's
    end.
    """
    x = np.linspace(-5, WORLD + 5, 90)
    y = (
        sum(np.sin(x / WORLD * 6.28 * f + rng.uniform(0, 6.28)) / f for f in (1.2, 2.3, 3.9))
        * height
        * 0.35
    )
    y = base - height * 0.6 - y - np.cumsum(rng.normal(0, rough, 90))
    pen.poly([(-5, 190), *zip(x.tolist(), y.tolist(), strict=True), (WORLD + 5, 190)], colour)


def peak(
    pen: Pen, rng: np.random.Generator, x: float, base: float, height: float, colour: Colour
) -> None:
    """A pointed mountain with a white top and a dark side."""
    width = height * float(rng.uniform(0.9, 1.25))
    top = (x, base - height)
    pen.poly([(x - width, base), top, (x + width, base)], colour)
    pen.poly(
        [top, (x + width, base), (x + width * 0.15, base), (x + width * 0.1, base - height * 0.5)],
        shade(colour, 0.82),
    )
    cap = [
        (x - width * 0.3, base - height * 0.7),
        top,
        (x + width * 0.3, base - height * 0.7),
        (x + width * 0.12, base - height * 0.63),
        (x, base - height * 0.72),
        (x - width * 0.14, base - height * 0.62),
    ]
    pen.poly(cap, (244, 248, 252))


def ground(
    pen: Pen, rng: np.random.Generator, top: float, colour: Colour, grain: float = 5
) -> None:
    """Flat ground from `top` down, a little darker towards the viewer, with a faint grain."""
    pen.box(-5, top, WORLD + 5, 190, colour)
    first = int(top * pen.sy)
    rows, columns = pen.image.shape[0] - first, pen.image.shape[1]
    noise = np.repeat(rng.normal(0, grain, (rows, columns // 6 + 1)), 6, axis=1)[:, :columns]
    noise += np.linspace(6, -14, rows)[:, None]
    pen.image[first:] = np.clip(pen.image[first:] + noise[..., None], 0, 255).astype(np.uint8)


def tree(
    pen: Pen,
    rng: np.random.Generator,
    x: float,
    y: float,
    size: float,
    colour: Colour = (58, 128, 62),
) -> None:
    """A broad-leaved tree standing at (x, y), about 60 units high at size 1."""
    own = pen.at(x, y, size)
    own.oval(0, 0, 14, 3, (52, 84, 48))
    own.poly([(-4, 0), (-2.5, -30), (2.5, -30), (4, 0)], _BARK)
    for dx, dy, r in ((-11, -34, 13), (11, -35, 13), (0, -44, 16), (-5, -31, 12), (7, -30, 11)):
        own.disc(dx, dy + 1.5, r, shade(colour, 0.8))
    for dx, dy, r in ((-12, -37, 10), (9, -39, 11), (-1, -48, 12)):
        own.disc(dx + float(rng.normal(0, 1)), dy, r, colour)
    own.disc(-4, -51, 6, shade(colour, 1.18))


def pine(
    pen: Pen, x: float, y: float, size: float, colour: Colour = (38, 92, 66), snow: bool = False
) -> None:
    """A fir standing at (x, y), about 70 units high at size 1."""
    own = pen.at(x, y, size)
    own.box(-3, -12, 3, 0, _BARK)
    for foot, width in ((-8, 19), (-25, 15), (-41, 11)):
        own.poly(
            [(-width, foot), (0, foot - 28), (width, foot)],
            shade(colour, 0.85 + (foot + 41) * -0.003),
        )
        own.poly([(-width, foot), (0, foot - 28), (0, foot)], colour)
        if snow:
            own.poly(
                [
                    (-width * 0.55, foot - 12.5),
                    (0, foot - 28),
                    (width * 0.55, foot - 12.5),
                    (2, foot - 16),
                ],
                (240, 246, 250),
            )


def house(
    pen: Pen,
    x: float,
    y: float,
    width: float,
    height: float,
    wall: Colour,
    roof: Colour,
    lights: bool,
    snow: bool = False,
) -> None:
    """A house with a pitched roof, a door and two windows; (x, y) is the left corner's foot."""
    top = y - height
    pen.box(x, top, x + width, y, wall)
    pen.box(x + width * 0.75, top, x + width, y, shade(wall, 0.88))
    left, right = x + width * 0.2, x + width * 0.8
    pen.poly(
        [
            (x - 5, top + 1),
            (left, top - height * 0.5),
            (right, top - height * 0.5),
            (x + width + 5, top + 1),
        ],
        roof,
    )
    if snow:
        cover = [
            (x - 6, top + 1),
            (left, top - height * 0.53),
            (right, top - height * 0.53),
            (x + width + 6, top + 1),
        ]
        pen.poly(
            [
                *cover,
                (x + width * 0.84, top - height * 0.2),
                (x + width * 0.16, top - height * 0.2),
            ],
            (242, 247, 252),
        )
    pen.box(x + width * 0.42, y - height * 0.55, x + width * 0.58, y, shade(roof, 0.7))
    for left in (0.12, 0.68):
        window(pen, x + width * left, top + height * 0.22, width * 0.2, height * 0.3, lights)


def window(pen: Pen, x: float, y: float, width: float, height: float, light: bool) -> None:
    """A framed window, its upper left corner at (x, y), glowing when `light`."""
    pen.box(x - 1, y - 1, x + width + 1, y + height + 1, (236, 232, 222))
    if light:
        pen.lit().glow(x + width / 2, y + height / 2, width * 2, (255, 206, 110), 0.35)
        pen.lit().box(x, y, x + width, y + height, (255, 216, 124))
    else:
        pen.box(x, y, x + width, y + height, (104, 146, 176))
        pen.poly(
            [(x, y + height), (x + width * 0.7, y), (x + width, y), (x + width * 0.3, y + height)],
            (150, 186, 208),
        )
    pen.line([(x + width / 2, y), (x + width / 2, y + height)], 0.8, (236, 232, 222))


def lamp(pen: Pen, x: float, y: float, height: float, light: bool) -> None:
    """A street lamp standing at (x, y)."""
    pen.line([(x, y), (x, y - height)], 2.2, (66, 70, 78))
    pen.line([(x, y - height), (x + 9, y - height - 2)], 1.8, (66, 70, 78))
    if light:
        pen.lit().glow(x + 9, y - height + 1, 34, (255, 220, 140), 0.55)
        pen.lit().oval(x + 9, y - height, 4, 2.4, (255, 240, 190))
    else:
        pen.oval(x + 9, y - height, 4, 2.4, (226, 226, 214))


def road(pen: Pen, top: float, bottom: float) -> None:
    """A road from left to right, with a dashed middle line."""
    pen.box(-5, top - 2, WORLD + 5, bottom + 2, (176, 172, 160))
    pen.box(-5, top, WORLD + 5, bottom, (92, 94, 100))
    for x in range(0, WORLD, 34):
        pen.box(x, (top + bottom) / 2 - 0.9, x + 18, (top + bottom) / 2 + 0.9, (228, 222, 196))


def tufts(
    pen: Pen,
    rng: np.random.Generator,
    count: int,
    top: float,
    colour: Colour,
    flowers: bool = False,
) -> None:
    """Blades of grass, some with flowers, below `top`."""
    for x, y in zip(
        rng.uniform(0, WORLD, count), np.sort(rng.uniform(top, 178, count)), strict=True
    ):
        size = 1 + (y - top) / 60
        tone = mix(colour, (0, 0, 0), float(rng.uniform(0, 0.2)))
        for lean in (-2, 0, 2):
            pen.line([(x, y), (x + lean * size, y - 4 * size)], 0.7, tone)
        if flowers and rng.random() < 0.4:
            pen.disc(x, y - 4.5 * size, 1.2 * size, _FLOWERS[int(rng.integers(4))])
