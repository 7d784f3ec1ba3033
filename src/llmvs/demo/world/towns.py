"""The still parts of places that people built: everything behind the figures, drawn once for a
scene.
"""

import numpy as np

from llmvs.demo.world.pen import Colour, Pen, mix, shade
from llmvs.demo.world.scenery import WORLD, ground, house, lamp, ridge, road, tree, window

_BRICKS: list[Colour] = [
    (206, 120, 96),
    (226, 186, 132),
    (150, 172, 190),
    (196, 152, 176),
    (168, 190, 150),
    (224, 206, 168),
]
_AWNINGS: list[Colour] = [(206, 60, 60), (52, 118, 96), (60, 90, 170), (226, 160, 50)]


def street(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """A row of shops with awnings, a pavement, a road."""
    ground(pen, rng, 118, (196, 190, 180), 3)
    x = -6.0
    while x < WORLD:
        width = float(rng.uniform(50, 68))
        _shop(pen, rng, x, width, float(rng.uniform(70, 96)), time != "day")
        x += width
    pen.box(-5, 126, WORLD + 5, 139, (204, 198, 188))
    for joint in range(0, WORLD, 20):
        pen.line([(joint + 6, 126), (joint, 139)], 0.6, (180, 174, 166))
    road(pen, 140, 164)
    pen.box(-5, 166, WORLD + 5, 190, (204, 198, 188))
    for lx in (30, 200, 370):
        lamp(pen, lx + float(rng.uniform(-12, 12)), 138, 60, time != "day")


def _shop(
    pen: Pen, rng: np.random.Generator, x: float, width: float, height: float, lights: bool
) -> None:
    wall, awning = _BRICKS[int(rng.integers(len(_BRICKS)))], _AWNINGS[int(rng.integers(4))]
    pen.box(x, 126 - height, x + width, 127, wall)
    pen.box(x, 126 - height, x + width, 130 - height, shade(wall, 0.75))
    for floor in range(int((height - 44) // 24) + 1):
        for i in range(3):
            window(
                pen,
                x + width * (0.1 + 0.3 * i),
                134 - height + floor * 24,
                width * 0.2,
                15,
                lights and rng.random() < 0.6,
            )
    window(pen, x + width * 0.08, 103, width * 0.5, 20, lights)
    pen.box(x + width * 0.7, 102, x + width * 0.9, 127, shade(wall, 0.5))
    stripe = (width - 4) / 6
    for i in range(6):
        pen.box(
            x + 2 + stripe * i,
            94,
            x + 2 + stripe * (i + 1),
            101,
            awning if i % 2 == 0 else (244, 240, 230),
        )


def kitchen(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """A tiled wall, cupboards, a window, a stove, a table with a vase."""
    wall = [(250, 232, 196), (206, 228, 214), (214, 222, 240), (246, 214, 204)][
        int(rng.integers(4))
    ]
    door = [(96, 132, 150), (178, 124, 80), (120, 150, 116), (214, 208, 196)][int(rng.integers(4))]
    pen.image[:] = np.array(wall, np.uint8)
    for x in range(0, WORLD, 14):
        pen.box(x, 84, x + 13, 97, mix(wall, (255, 255, 255), 0.6))
        pen.box(x, 98, x + 13, 111, mix(wall, (255, 255, 255), 0.45))
    for x in (20, 66, 290, 336):
        pen.box(x, 22, x + 42, 66, door)
        pen.box(x + 4, 26, x + 38, 62, shade(door, 1.1))
        pen.disc(x + 36, 56, 1.6, (60, 60, 60))
    _kitchen_window(pen, 150 + float(rng.uniform(-8, 30)), time)
    pen.box(-5, 112, WORLD + 5, 146, door)
    for x in range(0, WORLD, 40):
        pen.line([(x, 114), (x, 146)], 1, shade(door, 0.75))
        pen.box(x + 14, 118, x + 26, 120, (70, 70, 70))
    pen.box(-5, 108, WORLD + 5, 113, (232, 228, 222))
    pen.box(120, 110, 172, 146, (226, 228, 230))
    pen.box(126, 120, 166, 142, (52, 54, 60))
    for x in (132, 160):
        pen.oval(x, 109, 9, 1.6, (44, 44, 48))
    pen.box(-5, 146, WORLD + 5, 190, (196, 152, 108))
    for y in (152, 161, 172):
        pen.line([(-5, y), (WORLD + 5, y)], 0.8, (170, 126, 86))
    pen.line([(262, 0), (262, 16)], 1.2, (60, 60, 60))
    pen.poly([(258, 16), (266, 16), (276, 29), (248, 29)], (226, 150, 60))
    pen.oval(262, 29, 5, 3, (255, 246, 200))


def _kitchen_window(pen: Pen, x: float, time: str) -> None:
    pane = (150, 206, 244) if time == "day" else (22, 28, 66)
    pen.box(x - 3, 18, x + 79, 76, (244, 240, 232))
    pen.box(x, 21, x + 76, 73, pane)
    if time == "day":
        pen.poly(
            [(x, 73), (x, 64), (x + 20, 58), (x + 46, 61), (x + 76, 66), (x + 76, 73)],
            (120, 180, 100),
        )
        pen.disc(x + 60, 32, 6, (255, 240, 150))
    else:
        pen.disc(x + 58, 34, 6, (240, 238, 214))
        for dx, dy in ((12, 30), (26, 44), (40, 28), (66, 56), (20, 62)):
            pen.disc(x + dx, dy, 0.9, (230, 230, 220))
    pen.box(x - 6, 73, x + 82, 78, (244, 240, 232))
    pen.line([(x + 38, 21), (x + 38, 73)], 2.5, (244, 240, 232))
    pen.line([(x, 46), (x + 76, 46)], 2.5, (244, 240, 232))
    for side in (-10, 72):
        pen.poly(
            [
                (x + side, 14),
                (x + side + 16, 14),
                (x + side + (4 if side < 0 else 14), 74),
                (x + side, 74),
            ],
            (214, 96, 84),
        )


def stadium(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """Stands full of people, floodlights, a striped pitch, a goal on either side."""
    for row in range(9):
        y = 58 + row * 7
        pen.box(-5, y - 4, WORLD + 5, 126, shade((96, 104, 124), 1 - row * 0.03))
        for x in np.arange(-4 + (row % 2) * 3, WORLD, 6.2):
            tone = [(220, 70, 64), (60, 110, 210), (240, 240, 240), (246, 206, 60), (52, 54, 60)][
                int(rng.integers(5))
            ]
            if rng.random() < 0.85:
                pen.box(x - 1.8, y, x + 1.8, y + 5, tone)
                pen.disc(x, y - 1.2, 1.7, (226, 180, 146))
    boards = [(200, 40, 50), (30, 80, 170), (240, 240, 236), (30, 130, 80), (240, 190, 40)]
    for i in range(10):
        pen.box(i * 40 - 2, 117, i * 40 + 38, 127, boards[int(rng.integers(5))])
    for i in range(12):
        pen.poly(
            [(i * 40 - 40, 127), (i * 40 - 4, 127), (i * 46 - 72, 190), (i * 46 - 118, 190)],
            (70, 158, 74),
        )
        pen.poly(
            [(i * 40 - 4, 127), (i * 40, 127), (i * 46 - 68, 190), (i * 46 - 72, 190)],
            (84, 174, 84),
        )
    pen.line([(-5, 133), (WORLD + 5, 133)], 1.4, (236, 240, 232))
    for x in (50, 350):
        pen.line([(x, 70), (x, 14)], 3, (70, 74, 82))
        pen.box(x - 16, 6, x + 16, 20, (70, 74, 82))
        for dx in (-11, -4, 4, 11):
            pen.lit().disc(x + dx, 13, 3, (255, 255, 236) if time == "night" else (220, 222, 222))
        if time == "night":
            pen.lit().glow(x, 13, 60, (255, 255, 236), 0.6)


def harbour(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """Warehouses and masts across the water, a lighthouse, a quay."""
    ridge(pen, rng, 96, 16, (118, 150, 140))
    for left in range(4, WORLD, 48):
        wall, width, height = (
            _BRICKS[int(rng.integers(len(_BRICKS)))],
            float(rng.uniform(32, 40)),
            float(rng.uniform(18, 28)),
        )
        house(
            pen,
            left + float(rng.uniform(0, 8)),
            96,
            width,
            height,
            wall,
            (142, 78, 66),
            time != "day",
        )
    for i in range(8):
        pen.box(-5, 95 + i * 6, WORLD + 5, 150, mix((32, 96, 134), (86, 154, 178), i / 7))
    x = 56 if rng.random() < 0.5 else 344
    pen.oval(x, 98, 22, 6, (128, 124, 118))
    for i, y in enumerate(range(96, 40, -14)):
        pen.poly(
            [
                (x - 8 + i * 0.8, y),
                (x + 8 - i * 0.8, y),
                (x + 7.2 - i * 0.8, y - 14),
                (x - 7.2 + i * 0.8, y - 14),
            ],
            (214, 60, 54) if i % 2 else (244, 242, 236),
        )
    pen.box(x - 5, 30, x + 5, 40, (64, 66, 74))
    pen.lit().box(x - 3, 32, x + 3, 39, (255, 236, 150))
    if time != "day":
        pen.lit().glow(x, 35, 46, (255, 236, 150), 0.7)
    ground(pen, rng, 140, (168, 160, 150), 4)
    pen.box(-5, 138, WORLD + 5, 143, (122, 108, 92))
    for bx in range(20, WORLD, 62):
        pen.box(bx, 131, bx + 7, 143, (74, 66, 60))
        pen.oval(bx + 3.5, 131, 4.5, 1.8, (96, 88, 80))


def city(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """Towers with many windows, a boulevard."""
    for layer, (low, high) in enumerate(((60, 104), (36, 82))):
        x = -8.0
        while x < WORLD:
            width = float(rng.uniform(24, 40))
            tone = shade(
                [(112, 130, 160), (136, 146, 162), (150, 136, 148), (96, 120, 140)][
                    int(rng.integers(4))
                ],
                1.15 - layer * 0.2,
            )
            _tower(pen, rng, x, width, float(rng.uniform(low, high)) + 20, tone, time)
            x += width + float(rng.uniform(0, 7))
    ground(pen, rng, 128, (178, 176, 174), 3)
    for x in range(14, WORLD, 62):
        tree(pen, rng, x + float(rng.uniform(-8, 8)), 134, 0.55, (74, 140, 84))
    road(pen, 140, 164)
    for x in (45, 160, 280, 385):
        lamp(pen, x + float(rng.uniform(-8, 8)), 138, 46, time != "day")


def _tower(
    pen: Pen,
    rng: np.random.Generator,
    x: float,
    width: float,
    height: float,
    tone: Colour,
    time: str,
) -> None:
    top = 132 - height
    pen.box(x, top, x + width, 134, tone)
    pen.box(x + width * 0.8, top, x + width, 134, shade(tone, 0.86))
    if rng.random() < 0.35:
        pen.line([(x + width / 2, top), (x + width / 2, top - 14)], 1.4, tone)
    bright = {"day": 0.0, "sunset": 0.3, "night": 0.55}[time]
    for wy in np.arange(top + 5, 128, 8):
        for wx in np.arange(x + 3, x + width - 4, 6.5):
            if rng.random() < bright:
                pen.lit().box(
                    wx,
                    wy,
                    wx + 3.5,
                    wy + 4.5,
                    [(255, 222, 130), (255, 240, 190), (190, 220, 255)][int(rng.integers(3))],
                )
            else:
                pen.box(
                    wx,
                    wy,
                    wx + 3.5,
                    wy + 4.5,
                    mix(tone, (190, 220, 240), 0.5) if time == "day" else shade(tone, 0.7),
                )
