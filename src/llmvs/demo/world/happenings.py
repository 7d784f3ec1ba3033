"""How events among the figures look: one function for each, given the time since it began
(negative: not yet).

A figure to whom an event happens is drawn here too, before and after.
"""

from collections.abc import Callable
from math import cos, pi, sin

from llmvs.demo.world import skies
from llmvs.demo.world.acts import BRIGHT, Act, confetti, rotated
from llmvs.demo.world.figures import car, figure
from llmvs.demo.world.pen import COLOURS, Colour, Pen, Points, shade
from llmvs.demo.world.people import ball
from llmvs.demo.world.scenery import pine


def crash(pen: Pen, act: Act) -> None:
    """A car comes along and goes through a fence: planks fly, smoke rises."""
    assert act.actor is not None
    hit = act.t >= 0
    for i in range(5):
        x, height = 46 + i * 9, 30
        if not hit:
            pen.box(x, 150 - height, x + 5, 152, (206, 170, 120))
        else:
            age = min(act.t, 0.9)
            a, b, c, _ = act.chance[i]
            px, py = (
                min(x + 40 * age * (a - 0.3), 70),
                min(136 - 90 * age * (0.5 + b) + 105 * age * age, 148),
            )
            rotated(
                pen,
                [(-2.5, -15), (2.5, -15), (2.5, 15), (-2.5, 15)],
                px,
                py,
                5 * age * (c - 0.2),
                (206, 170, 120),
            )
    if not hit:
        pen.box(42, 126, 94, 130, (190, 152, 104))
    shake = 2 * sin(act.t * 40) * max(0, 1 - 2 * act.t) if hit else 0
    car(
        pen.at(min(0, act.t * 60), 150 + shake),
        COLOURS[act.actor.colour],
        act.phase if not hit else 0,
        not hit,
    )
    if hit:
        _burst(pen, 42, 132, act.t)
        for i in range(7):
            rise = (act.t * 0.7 + act.chance[i, 3]) % 1
            pen.glow(
                34 + 12 * act.chance[i, 0] + 8 * rise,
                124 - 50 * rise,
                8 + 12 * rise,
                (84, 84, 88),
                0.75 * (1 - rise),
            )


def goal(pen: Pen, act: Act) -> None:
    """The ball flies into the net; the player cheers under confetti."""
    assert act.actor is not None
    for i in range(9):
        pen.line([(34 + i * 6, 106), (40 + i * 6, 158)], 0.8, (222, 226, 230))
        pen.line([(34 + i * 0.7, 107 + i * 6), (84 + i * 0.7, 107 + i * 6)], 0.8, (222, 226, 230))
    pen.line([(34, 158), (34, 106), (86, 106), (86, 158)], 3, (250, 250, 250))
    scored = act.t >= 0
    action, phase = ("jumps", act.t * 7 + 1) if scored else ("plays with a ball", act.phase)
    figure(pen.at(-30, 162), act.actor.kind, act.actor.colour, action, phase, act.look)
    if scored:
        way = min(1.0, act.t / 0.45)
        ball(
            pen,
            -12 + 74 * way,
            152
            - 34 * way
            + 6 * sin(way * pi)
            + (min(24.0, 60 * (act.t - 0.45) ** 2) if way == 1 else 0),
            5,
        )
        confetti(pen, act, 26, -110, 100)


def catch(pen: Pen, act: Act) -> None:
    """A ball flies in, a dog leaps up and takes it; again and again."""
    assert act.actor is not None
    if act.t < 0:
        figure(pen.at(0, 160), "dog", act.actor.colour, "sits", act.phase, 0)
        return
    age = (act.t / 1.1) % 1
    height = 46 * sin(pi * age)
    caught = age > 0.5
    figure(pen.at(-14 + 28 * age, 160 - height), "dog", act.actor.colour, "runs", 1.2, 0)
    if caught:
        ball(pen, 23 + 28 * age, 115 - height, 6.5)
    else:
        x, y = 66 - 58 * age, 62 + 28 * age * age
        ball(pen, x, y, 6.5)
        for i in range(3):
            pen.line(
                [(x + 8 + i * 7, y - 6 - i * 3), (x + 14 + i * 7, y - 8 - i * 3)],
                1.2,
                (250, 250, 250),
            )


def collapse(pen: Pen, act: Act) -> None:
    """A tower of boxes stands; then they fall apart and dust rises."""
    tones: list[Colour] = [(206, 160, 104), (186, 136, 84), (222, 182, 128)]
    for i in range(8):
        a, b, c, _ = (float(v) for v in act.chance[i])
        x, y, turn = (i % 2) * 17 - 8.0, 154 - (i // 2) * 17.0, 0.0
        if act.t > 0:
            age = min(act.t, 1.3)
            x += (a - 0.45) * 80 * age
            turn = (b - 0.5) * 6 * min(age, 0.8)
            y = min(y - 20 * c * age + 150 * age * age, 152 + 5 * c)
        elif i // 2:
            x += 1.5 * sin(act.t * 9 + i)
        square: Points = [(-8, -8), (8, -8), (8, 8), (-8, 8)]
        rotated(pen, [(1.1 * px, 1.1 * py) for px, py in square], x, y, turn, (96, 66, 40))
        rotated(pen, square, x, y, turn, tones[i % 3])
        rotated(pen, [(-8, -1.5), (8, -1.5), (8, 1.5), (-8, 1.5)], x, y, turn, (236, 214, 170))
    if act.t > 0:
        for i in range(8):
            age = (act.t * 0.6 + i / 8) % 1
            pen.glow(
                -50 + 100 * float(act.chance[i, 3]),
                156 - 16 * age,
                10 + 12 * age,
                (214, 200, 176),
                0.6 * (1 - age),
            )


def dolphin(pen: Pen, act: Act) -> None:
    """A dolphin flies over the water in an arc, with splashes where it comes out and goes in; again
    and again.
    """
    if act.t < 0:
        return
    age = (act.t / 1.2) % 1
    turn = 2.2 * (age - 0.5)
    grey = (96, 122, 150)
    own = pen.at(-44 + 88 * age, act.water - 4 - 46 * sin(pi * age), 1.2)
    rotated(
        own,
        [(-26, 0), (-16, -7), (0, -10), (14, -7), (28, 2), (14, 5), (0, 7), (-16, 4)],
        0,
        0,
        turn,
        grey,
    )
    rotated(own, [(-16, 4), (0, 7), (14, 5), (24, 2), (8, 2), (-6, 2)], 0, 0, turn, (222, 230, 236))
    rotated(own, [(-4, -8), (-12, -19), (6, -9)], 0, 0, turn, shade(grey, 0.8))
    rotated(own, [(-22, -1), (-38, -9), (-33, 0), (-38, 8)], 0, 0, turn, shade(grey, 0.8))
    rotated(own, [(15, -4), (17.5, -4), (17.5, -1.5), (15, -1.5)], 0, 0, turn, (20, 20, 30))
    for end in (-46, 46):
        for i in range(8):
            burst = (age * 1.6 + 0.12 * i + (0.4 if end < 0 else 0.0)) % 1
            pen.disc(
                end + (i - 3.5) * 5 * (0.4 + burst),
                act.water + 6 - 24 * sin(pi * burst),
                2.3,
                (236, 246, 250),
            )


def flames(pen: Pen, act: Act) -> None:
    """A pan on the stove; then it burns."""
    pen.box(-14, 103, 14, 109, (50, 52, 58))
    pen.line([(-14, 105), (-30, 102)], 2.6, (50, 52, 58))
    if act.t < 0:
        return
    size = min(1.0, 0.3 + act.t * 1.5)
    for i in range(5):
        rise = (act.t * 0.8 + i / 5) % 1
        pen.glow(
            6 * sin(i * 2 + act.t), 60 - 60 * rise, 14 + 12 * rise, (60, 58, 60), 0.7 * (1 - rise)
        )
    pen.glow(0, 84, 70, (255, 150, 50), 0.4)
    for width, height, colour in (
        (20, 58, (240, 84, 30)),
        (14, 42, (255, 160, 40)),
        (8, 26, (255, 236, 130)),
    ):
        points = [(-width * size, 104.0)]
        for i in range(7):
            high = (
                height
                * size
                * (0.45 + 0.55 * sin(pi * (i + 0.5) / 7))
                * (0.75 + 0.25 * sin(act.t * 13 + i * 2.4 + width))
            )
            points += [
                (width * size * (-1 + (i * 2 + 0.6) / 7), 104 - high),
                (width * size * (-1 + (i * 2 + 1.6) / 7), 104 - high * 0.6),
            ]
        pen.poly([*points, (width * size, 104)], colour)


def cake(pen: Pen, act: Act) -> None:
    """Somebody walks; then brings a big cake with candles, and confetti falls."""
    assert act.actor is not None
    if act.t < 0:
        figure(
            pen.at(-10 + 24 * act.t, 164),
            act.actor.kind,
            act.actor.colour,
            "walks",
            act.phase,
            act.look,
        )
        return
    figure(pen.at(-10, 164), act.actor.kind, act.actor.colour, "brings a cake", act.phase, act.look)
    x, y = 24.0, 129.0 if act.actor.kind == "child" else 115.0
    pen.oval(x, y + 1, 24, 3.4, (238, 238, 242))
    pen.box(x - 18, y - 12, x + 18, y, (246, 180, 200))
    pen.box(x - 12, y - 22, x + 12, y - 12, (252, 236, 220))
    for i in range(7):
        pen.disc(x - 18 + i * 6, y - 11, 3, (255, 250, 246))
    for i in range(5):
        cx = x - 9 + i * 4.5
        pen.box(cx - 0.8, y - 29, cx + 0.8, y - 22, BRIGHT[i])
        pen.glow(cx, y - 32, 9, (255, 220, 120), 0.6)
        pen.oval(cx, y - 32 - 0.6 * sin(act.t * 14 + i), 1.5, 3, (255, 170, 40))
    confetti(pen, act, 26, -90, 90)


def vase(pen: Pen, act: Act) -> None:
    """A cat sits on a table beside a vase; then the vase lies in pieces."""
    assert act.actor is not None
    pen.box(-56, 132, 32, 137, (158, 100, 60))
    for x in (-52, 24):
        pen.box(x, 137, x + 5, 168, (130, 80, 48))
    fallen = act.t >= 0
    figure(
        pen.at(-24, 132),
        "cat",
        act.actor.colour,
        "walks" if fallen else "sits",
        0.8 if fallen else act.phase,
        0,
    )
    fall = max(0.0, act.t)
    left, y, turn = (
        19 + min(34 * fall, 24.0),
        min(122 + 130 * fall * fall, 164.0),
        min(3 * fall, 1.7),
    )
    if fall < 0.55:
        rotated(
            pen,
            [(-5, -10), (5, -10), (4, -6), (8, 1), (6, 10), (-6, 10), (-8, 1), (-4, -6)],
            left,
            y,
            turn,
            (60, 110, 200),
        )
        for i in (-1, 0, 1):
            dx, dy = 7 * i * cos(turn) + 18 * sin(turn), -18 * cos(turn) + 7 * i * sin(turn)
            pen.disc(left + dx, y + dy, 3.6, (236, 90, 120))
        return
    pen.oval(44, 169, 30, 4, (150, 196, 222))
    for i in range(9):
        a, b, c, _ = (float(v) for v in act.chance[i])
        hop = max(0.0, sin(pi * min(1.0, (fall - 0.55) * 2))) * 26 * c
        tone = (60, 110, 200) if i % 3 else (120, 160, 230)
        rotated(
            pen, [(-4.5, 2.5), (0, -5), (4.5, 2.5)], 20 + 48 * a, 170 - 6 * b - hop, 6 * c, tone
        )
    for i in range(3):
        pen.line([(34 + i * 9, 170), (46 + i * 9, 166)], 1.5, (70, 140, 70))
        pen.disc(48 + i * 9, 165, 3.6, (236, 90, 120))


def falling_tree(pen: Pen, act: Act) -> None:
    """A tall fir stands; then it tips over and lies in dust."""
    fall = min(1.0, (max(0.0, act.t) / 0.9) ** 2)
    if fall == 0:
        pine(pen, 24, 150, 1.35)
    else:
        turn = -pi / 2 * fall * 0.96
        rotated(pen, [(-4, -20), (4, -20), (5, 0), (-5, 0)], 24, 150, turn, (104, 72, 48))
        for foot, width in ((-11, 26), (-34, 20), (-55, 15)):
            rotated(
                pen, [(-width, foot), (0, foot - 38), (width, foot)], 24, 150, turn, (44, 104, 72)
            )
            rotated(pen, [(-width, foot), (0, foot - 38), (0, foot)], 24, 150, turn, (72, 146, 96))
    if act.t > 0.6:
        for i in range(8):
            age = ((act.t - 0.6) * 0.6 + i / 8) % 1
            pen.glow(
                -80 + 110 * float(act.chance[i, 0]),
                154 - 24 * age,
                10 + 12 * age,
                (206, 196, 170),
                0.6 * (1 - age),
            )
    pen.box(19, 144, 29, 151, (124, 88, 58))


def _burst(pen: Pen, x: float, y: float, t: float) -> None:
    """A comic star, for the first second."""
    if t < 1.0:
        for size, colour in ((24, (250, 120, 40)), (16, (255, 236, 120))):
            reach = size * (0.7 + 0.3 * min(1.0, t * 4))
            arms = [(reach * (1 if k % 2 else 0.5), k * pi / 8) for k in range(16)]
            pen.poly([(x + arm * cos(a), y + arm * sin(a)) for arm, a in arms], colour)


DRAWN: dict[str, Callable[[Pen, Act], None]] = {
    "fireworks": skies.fireworks,
    "crash": crash,
    "goal": goal,
    "catch": catch,
    "lightning": skies.lightning,
    "collapse": collapse,
    "balloons": skies.balloons,
    "dolphin": dolphin,
    "flames": flames,
    "cake": cake,
    "vase": vase,
    "avalanche": skies.avalanche,
    "rainbow": skies.rainbow,
    "hot-air balloon": skies.hot_air_balloon,
    "rocks": skies.rocks,
    "shooting star": skies.shooting_star,
    "saucer": skies.saucer,
    "falling tree": falling_tree,
}
SHINING = ("fireworks", "lightning", "flames", "shooting star", "saucer", "rainbow")
"""Events that give their own light."""
