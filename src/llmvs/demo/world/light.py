"""The light of a scene: how time of day and weather change colours, and the sky they make."""

from collections.abc import Callable

import numpy as np

from llmvs.demo.world.pen import Colour, Pen, mix

_TIME: dict[str, tuple[Colour, Colour]] = {  # factor of every channel, and what is added
    "day": ((1, 1, 1), (0, 0, 0)),
    "sunset": ((0.98, 0.8, 0.7), (14, 2, 8)),
    "night": ((0.42, 0.47, 0.66), (6, 9, 24)),
}
_WEATHER: dict[str, tuple[Colour, float]] = {  # colour of the air, and its share
    "clear": ((255, 255, 255), 0.0),
    "": ((255, 255, 255), 0.0),
    "rain": ((112, 124, 138), 0.26),
    "snow": ((214, 222, 234), 0.16),
    "fog": ((198, 204, 208), 0.46),
}
_SKY = {
    "day": ((92, 164, 232), (206, 232, 248)),
    "sunset": ((84, 78, 150), (255, 168, 96)),
    "night": ((8, 12, 38), (48, 56, 104)),
}
_CLOUD: dict[str, Colour] = {
    "day": (255, 255, 255),
    "sunset": (236, 170, 158),
    "night": (44, 50, 88),
}


def grade(time: str, weather: str, near: bool = False) -> Callable[[Colour], Colour]:
    """How colours look in this light. Figures are `near`: less dark and less foggy, so that their
    colours stay plain.
    """
    factor, added = _TIME[time]
    air, share = _WEATHER[weather]
    if near:
        factor = mix(factor, (1, 1, 1), 0.55)
        share *= 0.35
    air = (air[0] * factor[0], air[1] * factor[1], air[2] * factor[2])
    known: dict[Colour, Colour] = {}

    def look(colour: Colour) -> Colour:
        if colour not in known:
            red, green, blue = (
                min(c * f + a, 255) for c, f, a in zip(colour, factor, added, strict=True)
            )
            known[colour] = mix((red, green, blue), air, share)
        return known[colour]

    return look


def sky(pen: Pen, rng: np.random.Generator, time: str, weather: str, horizon: float = 110) -> None:
    """Fill the picture with the sky down to the horizon: gradient, sun or moon, stars, clouds."""
    air, share = _WEATHER[weather][0], min(1.0, 2 * _WEATHER[weather][1])
    haze = grade(time, "clear")(air)
    top, low = (np.array(mix(colour, haze, share)) for colour in _SKY[time])
    rows = np.clip(np.arange(pen.image.shape[0]) / pen.sy / horizon, 0, 1)[:, None]
    pen.image[:] = (top + (low - top) * rows)[:, None]
    shine = pen.lit()
    x, y = float(rng.uniform(120, 290)), float(rng.uniform(24, 42))
    if weather == "clear":
        _sun(shine, rng, time, x, y, horizon)
    if time == "night" and weather in ("clear", "snow"):
        for sx, sy, size in zip(
            rng.uniform(0, 400, 90),
            rng.uniform(0, horizon, 90),
            rng.uniform(0.3, 0.8, 90),
            strict=True,
        ):
            shine.disc(sx, sy, size, mix((120, 130, 170), (255, 255, 245), size))
    body = mix(_CLOUD[time], haze, share)
    for _ in range(6 if weather == "rain" else 4):
        cloud(shine, rng, float(rng.uniform(10, 390)), float(rng.uniform(12, horizon * 0.5)), body)


def _sun(pen: Pen, rng: np.random.Generator, time: str, x: float, y: float, horizon: float) -> None:
    if time == "day":
        pen.glow(x, y, 50, (255, 244, 190), 0.7)
        pen.disc(x, y, 10, (255, 240, 150))
    elif time == "sunset":
        pen.glow(x, horizon - 18, 110, (255, 196, 110), 0.9)
        pen.disc(x, horizon - 18, 15, (255, 226, 150))
    else:
        pen.glow(x, y, 40, (150, 160, 210), 0.5)
        pen.disc(x, y, 9, (240, 238, 214))
        pen.disc(x - 3, y - 2, 2, (218, 216, 196))
        pen.disc(x + 3, y + 3, 1.5, (218, 216, 196))


def cloud(pen: Pen, rng: np.random.Generator, x: float, y: float, colour: Colour) -> None:
    """A soft cloud around (x, y)."""
    for _ in range(9):
        dx = float(rng.normal(0, 16))
        pen.glow(
            x + dx,
            y - max(0, 6 - abs(dx) / 4) + float(rng.normal(0, 2)),
            float(rng.uniform(8, 14)),
            colour,
            0.85,
        )
