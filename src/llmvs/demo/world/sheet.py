"""A contact sheet of the demo world, with a sentence under every frame: `python -m
llmvs.demo.world.sheet OUT.png [SEED]`.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np

from llmvs.demo.world.draw import Painter
from llmvs.demo.world.pen import Picture
from llmvs.demo.world.script import Scene, script
from llmvs.demo.world.words import sentence
from llmvs.errors import UserError
from llmvs.files import atomic

COLUMNS, ROWS = 4, 6
_WIDE, _TALL = 272, 153
_BAND = 40
"""Height of the white band under a frame that holds three lines."""


def sheet(seed: int) -> Picture:
    """Frames of the world of `seed` in which something is seen for the first time: RGB, uint8
    [height, width, 3].
    """
    return mosaic([_scene_tile(scene) for scene in islice(_novel(seed), COLUMNS * ROWS)])


def mosaic(tiles: Sequence[Picture]) -> Picture:
    """Tiles of one size, four in a row; a last row that they do not fill is left out."""
    return np.vstack(
        [
            np.hstack(tiles[i : i + COLUMNS])
            for i in range(0, len(tiles) // COLUMNS * COLUMNS, COLUMNS)
        ]
    )


def tile(
    picture: Picture, paragraphs: Sequence[tuple[str, tuple[int, int, int]]], band: int = _BAND
) -> Picture:
    """A frame with paragraphs of text below it, each in a colour of its own, on a white band so
    many pixels high.
    """
    card = np.full((_TALL + band, _WIDE, 3), 255, np.uint8)
    cv2.resize(picture, (_WIDE, _TALL), card[:_TALL], interpolation=cv2.INTER_AREA)
    lines = [(line, colour) for text, colour in paragraphs for line in _wrapped(text, 50)]
    for row, (line, colour) in enumerate(lines):
        cv2.putText(
            card,
            line,
            (5, _TALL + 12 + 11 * row),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.31,
            colour,
            1,
            cv2.LINE_AA,
        )
    card[:, -2:] = 255
    return card


def save(picture: Picture, path: Path) -> None:
    """Write a PNG file of fewer shades: a third of the size, and no eye sees it.

    Raises:
        UserError: it cannot be written.
    """
    with atomic(path) as temporary:
        cv2.imwrite(
            str(temporary),
            cv2.cvtColor(picture & 0xF8, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_PNG_COMPRESSION, 9],
        )


def main(arguments: list[str]) -> int:
    """Write the sheet as a PNG file; return the exit status."""
    if (
        not 1 <= len(arguments) <= 2
        or not arguments[0].endswith(".png")
        or not "".join(arguments[1:] or "0").isdigit()
    ):
        print("usage: python -m llmvs.demo.world.sheet OUT.png [SEED]", file=sys.stderr)
        return 2
    try:
        save(sheet(int(arguments[1]) if len(arguments) == 2 else 0), Path(arguments[0]))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _novel(seed: int) -> Iterator[Scene]:
    """Scenes whose event, or else whose place, no scene before had; three with an event for each
    without.
    """
    seen: set[str] = set()
    quiet = 0
    for clip in count():
        for scene in script(seed, clip).scenes:
            what = scene.event or scene.place
            if what in seen or (scene.event is None and 4 * quiet >= len(seen)):
                continue
            seen.add(what)
            quiet += scene.event is None
            yield scene


def _scene_tile(scene: Scene) -> Picture:
    number = scene.event_frame + (scene.n_frames - scene.event_frame) // 2
    return tile(Painter(scene).frame(number), [(sentence(scene.moment(number)), (40, 40, 40))])


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        lines[-1:] = (
            [f"{lines[-1]} {word}".strip()]
            if len(lines[-1]) + len(word) < width
            else [lines[-1], word]
        )
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
