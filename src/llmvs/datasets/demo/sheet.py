"""A contact sheet of the demo world, with a sentence under every frame: `python -m llmvs.datasets.demo.sheet OUT.png [SEED]`."""

import sys
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np

from llmvs.datasets.demo.draw import Painter
from llmvs.datasets.demo.pen import Picture
from llmvs.datasets.demo.words import sentence
from llmvs.datasets.demo.world import Scene, script
from llmvs.errors import UserError
from llmvs.files import atomic

COLUMNS, ROWS = 4, 6
_WIDE, _TALL = 272, 153
_BAND = 40
"""Height of the white band under a frame, pixels."""


def sheet(seed: int) -> Picture:
    """Frames of the world of `seed` in which something is seen for the first time: RGB, uint8 [height, width, 3]."""
    tiles = [_tile(scene) for scene in islice(_novel(seed), COLUMNS * ROWS)]
    return np.vstack([np.hstack(tiles[row * COLUMNS:(row + 1) * COLUMNS]) for row in range(ROWS)])


def main(arguments: list[str]) -> int:
    """Write the sheet as a PNG file; return the exit status."""
    if not 1 <= len(arguments) <= 2 or not arguments[0].endswith(".png") or not "".join(arguments[1:] or "0").isdigit():
        print("usage: python -m llmvs.datasets.demo.sheet OUT.png [SEED]", file=sys.stderr)
        return 2
    picture = sheet(int(arguments[1]) if len(arguments) == 2 else 0) & 0xF8  # fewer shades: a third of the file, and no eye sees it
    try:
        with atomic(Path(arguments[0])) as temporary:
            cv2.imwrite(str(temporary), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _novel(seed: int) -> Iterator[Scene]:
    """Scenes whose event, or else whose place, no scene before had; three with an event for each without."""
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


def _tile(scene: Scene) -> Picture:
    number = scene.event_frame + (scene.n_frames - scene.event_frame) // 2
    tile = np.full((_TALL + _BAND, _WIDE, 3), 255, np.uint8)
    cv2.resize(Painter(scene).frame(number), (_WIDE, _TALL), tile[:_TALL], interpolation=cv2.INTER_AREA)
    for line, text in enumerate(_wrapped(sentence(scene.moment(number)), 50)):
        cv2.putText(tile, text, (5, _TALL + 12 + 11 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.31, (40, 40, 40), 1, cv2.LINE_AA)
    tile[:, -2:] = 255
    return tile


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        lines[-1:] = [f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < width else [lines[-1], word]
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
