"""The still parts of places in the open country: everything behind the figures, drawn once for a
scene.
"""

import numpy as np

from llmvs.demo.world.pen import Pen, mix, shade
from llmvs.demo.world.scenery import WORLD, ground, house, peak, pine, ridge, road, tree, tufts

_GRASS = (118, 176, 82)


def beach(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """Sea, sand, palms, a parasol."""
    ridge(pen, rng, 90, 16, (120, 158, 152))
    _water(pen, rng, 84, 122, (44, 136, 184))
    ground(pen, rng, 122, (238, 214, 156), 4)
    pen.poly(
        [
            (-5, 120),
            *[(x, 121 + 3 * np.sin(x / 31)) for x in range(0, WORLD + 20, 10)],
            (405, 126),
            (-5, 126),
        ],
        (226, 240, 238),
    )
    for x, size in ((float(rng.uniform(18, 70)), 1.0), (float(rng.uniform(325, 380)), 1.15)):
        _palm(pen.at(x, 146, size))
    left = float(rng.uniform(96, 124)) if rng.random() < 0.5 else float(rng.uniform(276, 304))
    tone = [(226, 70, 60), (60, 120, 210), (250, 190, 50)][int(rng.integers(3))]
    pen.line([(left, 142), (left, 112)], 1.5, (120, 90, 60))
    for i in range(4):
        pen.poly(
            [(left - 20 + i * 10, 115), (left, 102), (left - 10 + i * 10, 115)],
            tone if i % 2 == 0 else (246, 244, 236),
        )


def forest(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """Rows of trunks and firs, a clearing."""
    ridge(pen, rng, 112, 52, (92, 142, 112), 1.6)
    ridge(pen, rng, 118, 30, (66, 118, 84), 1.6)
    for foot in range(-6, WORLD, 17):
        pine(
            pen, foot + float(rng.uniform(-6, 6)), 126, float(rng.uniform(0.75, 1.1)), (50, 104, 76)
        )
    ground(pen, rng, 124, (96, 122, 62), 6)
    for foot in range(0, WORLD + 10, 40):
        x, y, size = (
            foot + float(rng.uniform(-12, 12)),
            float(rng.uniform(129, 136)),
            float(rng.uniform(1.0, 1.45)),
        )
        if rng.random() < 0.6:
            pine(pen, x, y, size)
        else:
            tree(pen, rng, x, y, size, _leaf(rng))
    tufts(pen, rng, 60, 138, (70, 108, 52))
    for _ in range(5):
        x, y = float(rng.uniform(20, 380)), float(rng.uniform(172, 178))
        pen.box(x - 1.3, y - 5, x + 1.3, y, (236, 226, 204))
        pen.oval(x, y - 5, 4.5, 2.8, (206, 60, 48))


def mountain_road(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """Snowy peaks, a slope, a road with a guard rail."""
    for x in np.linspace(20, 380, 5) + rng.uniform(-25, 25, 5):
        peak(pen, rng, float(x), 122, float(rng.uniform(66, 104)), (128, 136, 156))
    ridge(pen, rng, 128, 26, (104, 128, 92), 1.3)
    for _ in range(12):
        pine(
            pen,
            float(rng.uniform(0, WORLD)),
            float(rng.uniform(122, 130)),
            float(rng.uniform(0.28, 0.5)),
        )
    ground(pen, rng, 130, (132, 150, 96), 6)
    road(pen, 140, 162)
    for x in range(4, WORLD, 26):
        pen.box(x, 127, x + 2.4, 138, (150, 152, 156))
    pen.box(-5, 128, WORLD + 5, 131.5, (200, 204, 208))
    for _ in range(6):
        x = float(rng.uniform(0, WORLD))
        pen.oval(x, float(rng.uniform(171, 178)), float(rng.uniform(4, 9)), 3.5, (142, 138, 130))


def farm(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """A red barn, fields, a fence, hay."""
    ridge(pen, rng, 112, 22, (136, 182, 106))
    ground(pen, rng, 112, (158, 186, 84), 4)
    for i in range(9):
        crop = (198, 190, 92) if i % 2 else (146, 180, 78)
        pen.poly(
            [(i * 52 - 60, 190), (i * 26 + 96, 113), (i * 26 + 108, 113), (i * 52 - 36, 190)], crop
        )
    ground(pen, rng, 138, _GRASS, 5)
    x = float(rng.uniform(26, 70)) if rng.random() < 0.5 else float(rng.uniform(270, 310))
    pen.box(x, 84, x + 62, 134, (178, 52, 44))
    pen.poly([(x - 5, 86), (x + 8, 62), (x + 31, 52), (x + 54, 62), (x + 67, 86)], (96, 62, 58))
    pen.box(x + 19, 102, x + 43, 134, (232, 226, 214))
    pen.box(x + 21, 104, x + 41, 134, (150, 40, 36))
    pen.line([(x + 21, 104), (x + 41, 134)], 1.6, (232, 226, 214))
    pen.line([(x + 41, 104), (x + 21, 134)], 1.6, (232, 226, 214))
    for fence in range(0, WORLD, 22):
        pen.box(fence, 128, fence + 3, 144, (196, 172, 136))
    pen.box(-5, 131, WORLD + 5, 133.4, (206, 184, 146))
    pen.box(-5, 137, WORLD + 5, 139.4, (206, 184, 146))
    bale = 400 - x - 34 + float(rng.uniform(-20, 20))
    pen.disc(bale, 136, 12, (222, 184, 92))
    pen.ring(bale, 136, 7, 1.2, (188, 148, 66))
    tufts(pen, rng, 40, 146, (84, 140, 60), flowers=True)


def snowy_village(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """Houses with white roofs, a church, firs."""
    for x in np.linspace(40, 360, 3) + rng.uniform(-30, 30, 3):
        peak(pen, rng, float(x), 120, float(rng.uniform(60, 88)), (158, 174, 202))
    ridge(pen, rng, 120, 18, (220, 230, 240))
    for i, x in enumerate(np.arange(8, WORLD - 30, 66)):
        wall = [(170, 112, 80), (196, 150, 96), (150, 90, 84), (206, 190, 160)][
            int(rng.integers(4))
        ]
        pine(pen, float(x) - 8, 132, float(rng.uniform(0.5, 0.8)), snow=True)
        left, width, height = (
            float(x + rng.uniform(0, 10)),
            float(rng.uniform(38, 46)),
            float(rng.uniform(26, 36)),
        )
        house(pen, left, 136, width, height, wall, (112, 74, 66), time != "day", snow=True)
        if i == 2:
            pen.box(x + 50, 72, x + 64, 134, (232, 226, 214))
            pen.poly([(x + 47, 73), (x + 57, 40), (x + 67, 73)], (96, 106, 130))
    ground(pen, rng, 134, (238, 243, 250), 3)
    for x in (float(rng.uniform(10, 60)), float(rng.uniform(335, 390))):
        pine(pen, x, 158, 1.25, snow=True)


def park(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """Lawn, pond, round trees, a bench."""
    ridge(pen, rng, 112, 18, (120, 168, 130))
    ground(pen, rng, 112, (126, 186, 92), 4)
    for foot in range(5, WORLD, 42):
        tree(
            pen,
            rng,
            foot + float(rng.uniform(-12, 12)),
            float(rng.uniform(114, 122)),
            float(rng.uniform(0.75, 1.1)),
            _leaf(rng),
        )
    pond = float(rng.uniform(110, 290))
    pen.oval(pond, 133, 62, 9.5, (202, 206, 168))
    pen.oval(pond, 133, 59, 8, (94, 160, 196))
    for _ in range(7):
        left, y = pond + float(rng.uniform(-45, 40)), 133 + float(rng.uniform(-5, 5))
        pen.line([(left, y), (left + 8, y)], 0.8, (170, 210, 226))
    edge = [(float(x), 149 + 2.5 * float(np.sin(x / 40))) for x in range(-10, 420, 10)]
    pen.poly([*edge, *[(x, y + 11) for x, y in edge[::-1]]], (226, 208, 168))
    bench = 60 if pond > 200 else 318
    for y in (134, 139):
        pen.box(bench, y, bench + 34, y + 3, (150, 96, 56))
    pen.box(bench + 3, 140, bench + 5, 148, (70, 70, 74))
    pen.box(bench + 29, 140, bench + 31, 148, (70, 70, 74))
    tufts(pen, rng, 45, 164, (82, 146, 64), flowers=True)


def desert(pen: Pen, rng: np.random.Generator, time: str) -> None:
    """Pyramids, dunes, cacti."""
    sand = (232, 190, 122)
    for x, height in ((float(rng.uniform(60, 150)), 58), (float(rng.uniform(200, 330)), 44)):
        pen.poly([(x - height, 122), (x, 122 - height), (x + height, 122)], shade(sand, 0.94))
        pen.poly([(x, 122 - height), (x + height, 122), (x + height * 0.2, 122)], shade(sand, 0.78))
    ridge(pen, rng, 126, 16, mix(sand, (255, 240, 210), 0.3), 0.2)
    ridge(pen, rng, 134, 14, shade(sand, 0.93), 0.2)
    ground(pen, rng, 140, sand, 3)
    for _ in range(4):
        x, y = float(rng.uniform(0, 340)), float(rng.uniform(146, 176))
        pen.line([(x + i * 6, y + 1.5 * np.sin(i)) for i in range(9)], 0.8, shade(sand, 0.88))
    for x in (float(rng.uniform(20, 85)), float(rng.uniform(318, 380))):
        own, green = pen.at(x, 146, float(rng.uniform(0.9, 1.25))), (64, 128, 76)
        own.line([(0, 0), (0, -40)], 8, green)
        own.line([(0, -16), (-12, -18), (-12, -30)], 5.5, shade(green, 0.92))
        own.line([(0, -22), (11, -24), (11, -35)], 5.5, shade(green, 1.08))


def _palm(pen: Pen) -> None:
    pen.line([(0, 0), (3, -22), (9, -44), (16, -62)], 4.5, (150, 112, 72))
    for dx, dy in ((-30, -58), (-22, -76), (2, -88), (34, -86), (50, -66), (44, -50), (-10, -48)):
        middle = ((16 + dx) / 2, (-62 + dy) / 2 - 9)
        pen.poly(
            [(16, -62), (middle[0], middle[1] - 3), (dx, dy), (middle[0], middle[1] + 4)],
            (54, 138, 70) if dx < 20 else (44, 118, 62),
        )
    for dx in (13, 18):
        pen.disc(dx, -59, 2.6, (112, 78, 44))


def _water(
    pen: Pen,
    rng: np.random.Generator,
    top: float,
    bottom: float,
    colour: tuple[float, float, float],
) -> None:
    for i in range(8):
        y = top + (bottom - top) * i / 8
        pen.box(
            -5,
            y,
            WORLD + 5,
            bottom,
            mix(shade(colour, 0.85), mix(colour, (210, 240, 240), 0.35), i / 7),
        )


def _leaf(rng: np.random.Generator) -> tuple[float, float, float]:
    return [(66, 142, 66), (92, 156, 62), (60, 124, 84), (150, 160, 60), (196, 130, 56)][
        int(rng.integers(5))
    ]
