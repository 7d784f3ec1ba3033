"""A small pen for flat pictures: shapes in world units, antialiased by OpenCV, coloured by the
light of the scene.

Pictures are RGB, uint8 [height, width, 3]. A pen knows where its own coordinates lie on the
picture, so a figure is drawn around its feet at (0, 0), facing right, y downwards, whatever the
camera does.
"""

import functools
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

Colour = tuple[float, float, float]
Points = Sequence[tuple[float, float]]
Picture = npt.NDArray[np.uint8]

COLOURS: dict[str, Colour] = {
    "red": (216, 44, 44),
    "blue": (42, 98, 222),
    "green": (30, 150, 70),
    "yellow": (248, 208, 44),
    "purple": (142, 62, 186),
    "white": (242, 242, 240),
    "brown": (128, 78, 40),
    "black": (40, 40, 46),
    "grey": (136, 138, 146),
    "orange": (236, 130, 40),
}
_BITS = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel
_ONE = 1 << _BITS


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour `share` of the way from the first to the second."""
    return (
        first[0] + (second[0] - first[0]) * share,
        first[1] + (second[1] - first[1]) * share,
        first[2] + (second[2] - first[2]) * share,
    )


def shade(colour: Colour, factor: float) -> Colour:
    """Darker (factor below 1) or lighter (above 1)."""
    return (
        min(colour[0] * factor, 255),
        min(colour[1] * factor, 255),
        min(colour[2] * factor, 255),
    )


@functools.lru_cache(maxsize=256)
def _soft(reach: int) -> npt.NDArray[np.float32]:
    """Weights [2 * reach + 1, 2 * reach + 1] that fall from 1 in the middle to 0 at the rim."""
    square = (np.arange(-reach, reach + 1, dtype=np.float32) / reach) ** 2
    return (np.clip(1 - square[None] - square[:, None], 0, 1) ** 2).astype(np.float32)


class Pen:
    """Draws on `image`; the point (x, y) of its own coordinates is the pixel (x0 + x * sx, y0 + y *
    sy).
    """

    def __init__(
        self,
        image: Picture,
        x0: float = 0,
        y0: float = 0,
        sx: float = 1,
        sy: float = 1,
        grade: Callable[[Colour], Colour] | None = None,
    ) -> None:
        self.image, self.x0, self.y0, self.sx, self.sy, self.grade = image, x0, y0, sx, sy, grade

    def at(self, x: float, y: float, size: float = 1, flip: bool = False) -> "Pen":
        """A pen whose origin is this pen's (x, y), `size` times as large, mirrored when `flip`."""
        sx = self.sx * (-size if flip else size)
        return Pen(
            self.image, self.x0 + x * self.sx, self.y0 + y * self.sy, sx, self.sy * size, self.grade
        )

    def lit(self) -> "Pen":
        """The same pen for things that shine by themselves: the light of the scene does not change
        their colours.
        """
        return Pen(self.image, self.x0, self.y0, self.sx, self.sy)

    def poly(self, points: Points, colour: Colour) -> None:
        """A filled polygon."""
        cv2.fillPoly(self.image, [self._fixed(points)], self._colour(colour), cv2.LINE_AA, _BITS)

    def line(self, points: Points, width: float, colour: Colour) -> None:
        """An open line through the points, with round ends."""
        cv2.polylines(
            self.image,
            [self._fixed(points)],
            False,
            self._colour(colour),
            max(1, round(width * self.sy)),
            cv2.LINE_AA,
            _BITS,
        )

    def lines(self, pieces: npt.NDArray, width: float, colour: Colour) -> None:
        """Many short lines at once: pieces [n, 2 ends, 2]."""
        pixels = ((pieces * (self.sx, self.sy) + (self.x0, self.y0)) * _ONE).astype(np.int32)
        cv2.polylines(
            self.image,
            list(pixels),
            False,
            self._colour(colour),
            max(1, round(width * self.sy)),
            cv2.LINE_AA,
            _BITS,
        )

    def oval(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """A filled ellipse with half-axes rx and ry."""
        centre = (round((self.x0 + x * self.sx) * _ONE), round((self.y0 + y * self.sy) * _ONE))
        axes = (round(abs(rx * self.sx) * _ONE), round(ry * self.sy * _ONE))
        cv2.ellipse(
            self.image, centre, axes, 0, 0, 360, self._colour(colour), -1, cv2.LINE_AA, _BITS
        )

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """A filled circle."""
        centre = (round((self.x0 + x * self.sx) * _ONE), round((self.y0 + y * self.sy) * _ONE))
        cv2.circle(
            self.image,
            centre,
            round(radius * self.sy * _ONE),
            self._colour(colour),
            -1,
            cv2.LINE_AA,
            _BITS,
        )

    def ring(
        self, x: float, y: float, radius: float, width: float, colour: Colour, half: bool = False
    ) -> None:
        """The outline of a circle, or of its upper half."""
        centre = (round((self.x0 + x * self.sx) * _ONE), round((self.y0 + y * self.sy) * _ONE))
        reach, thick = round(radius * self.sy * _ONE), max(1, round(width * self.sy))
        cv2.ellipse(
            self.image,
            centre,
            (reach, reach),
            0,
            180 if half else 0,
            360,
            self._colour(colour),
            thick,
            cv2.LINE_AA,
            _BITS,
        )

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """A filled upright rectangle."""
        self.poly(((left, top), (right, top), (right, bottom), (left, bottom)), colour)

    def veil(self, points: Points, colour: Colour, share: float) -> None:
        """A see-through polygon: `share` of its own colour, the rest what is behind."""
        fixed = self._fixed(points)
        x, y, width, height = cv2.boundingRect(fixed >> _BITS)
        left, top = max(x - 1, 0), max(y - 1, 0)
        window = self.image[top : max(y + height + 2, 0), left : max(x + width + 2, 0)]
        if window.size:
            over = window.copy()
            cv2.fillPoly(
                over,
                [fixed - np.array((left, top), np.int32) * _ONE],
                self._colour(colour),
                cv2.LINE_AA,
                _BITS,
            )
            cv2.addWeighted(over, share, window, 1 - share, 0, window)

    def glow(self, x: float, y: float, radius: float, colour: Colour, share: float = 1.0) -> None:
        """A soft round light (or, in a dark colour, a soft shadow), strongest in its centre."""
        reach = max(1, round(radius * self.sy))
        left, top = round(self.x0 + x * self.sx) - reach, round(self.y0 + y * self.sy) - reach
        window = self.image[
            max(top, 0) : max(top + 2 * reach + 1, 0), max(left, 0) : max(left + 2 * reach + 1, 0)
        ]
        if window.size:
            height, width = window.shape[:2]
            weight = _soft(reach)[max(-top, 0) :, max(-left, 0) :][:height, :width] * np.float32(
                share
            )
            over = np.empty_like(window)
            cv2.rectangle(over, (0, 0), (width, height), self._colour(colour), cv2.FILLED)
            window[:] = cv2.blendLinear(over, window, weight, 1 - weight)

    def _fixed(self, points: Points) -> npt.NDArray[np.int32]:
        x0, y0, sx, sy = self.x0 * _ONE, self.y0 * _ONE, self.sx * _ONE, self.sy * _ONE
        return np.array([(int(x0 + x * sx), int(y0 + y * sy)) for x, y in points], np.int32)

    def _colour(self, colour: Colour) -> Colour:
        return self.grade(colour) if self.grade else colour
