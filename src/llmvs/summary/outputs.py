"""What a summary's folder holds for watching: video, preview, page, storyboard and timelines."""

import importlib.util
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from llmvs.files import write_text
from llmvs.summary.page import MOST_PICTURES, Page, html
from llmvs.summary.preview import write_preview
from llmvs.summary.timelines import EDITORS, Part, chapters, for_editors, subtitles, timeline
from llmvs.video.cutter import cut
from llmvs.video.decoders import Frame
from llmvs.video.reader import sample
from llmvs.video.shape import pixel_aspect, square
from llmvs.video.transcript import Spoken

VIDEO, PAGE, STORYBOARD, CHAPTERS = "summary.mp4", "report.html", "storyboard.png", "chapters.vtt"
PREVIEW, SUBTITLES = "preview.webp", "summary.vtt"
FILES = frozenset({VIDEO, PAGE, STORYBOARD, CHAPTERS, PREVIEW, SUBTITLES, *EDITORS})
"""All that this module writes into the folder."""
THUMBNAIL = 180
"""Width in pixels of a picture in the page."""
CARD = (320, 180)
"""Width and height of a picture in the storyboard."""
CAPTION = 26
"""Pixels below it."""
COLUMNS = 4


def write_video(
    video: Path,
    parts: Sequence[Part],
    fps: float,
    edges: npt.NDArray[np.float64],
    folder: Path,
    spoken: Sequence[Spoken] = (),
) -> None:
    """Cut parts of a video into `summary.mp4`; write preview, chapters, subtitles, and timelines
    for editors.

    Args:
        video: the file.
        parts: in order; none: nothing is written.
        fps: the video's mean frames per second.
        edges: [n_frames + 1] seconds when each frame begins, and when the last one ends.
        folder: where the files go.
        spoken: what is said in it, in order of time; none: no subtitles.

    Raises:
        VideoError: the video cannot be decoded to its end.
    """
    if not parts:
        return
    done = cut(video, folder / VIDEO, _joined(parts), edges)
    write_preview(folder / VIDEO, done.seconds, folder / PREVIEW)
    write_text(folder / CHAPTERS, chapters(parts))
    if spoken:
        write_text(folder / SUBTITLES, subtitles(spoken, parts))
    if importlib.util.find_spec("opentimelineio"):
        made = timeline(video.stem, video, fps, float(edges[-1]), parts)
        for name, content in for_editors(made, fps).items():
            write_text(folder / name, content)


def write_page(page: Page, video: Path, folder: Path, place: Path) -> None:
    """Write `report.html`.

    Args:
        page: all but the pictures and the video's address.
        video: the file that it is about.
        folder: where the page is written.
        place: where the folder will stand: the page leads to the video from there.
    """
    pictures = list(thumbnails(video, page.duration))
    write_text(folder / PAGE, html(replace(page, pictures=pictures, video=address(video, place))))


def card(image: Frame) -> Frame:
    """Make a picture as small as a storyboard shows it: hundreds of large ones fill the memory."""
    return _fitted(image, (CARD[0] - 4, CARD[1] - 4))


def write_storyboard(pictures: list[tuple[str, Frame]], path: Path) -> None:
    """Write one picture of many: each with a line below it, at most `COLUMNS` in a row.

    Args:
        pictures: line and picture, in order.
        path: the file.
    """
    if not pictures:
        return
    width, height = CARD
    columns = min(COLUMNS, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    board = np.full((rows * (height + CAPTION), columns * width, 3), 24, np.uint8)
    for number, (line, image) in enumerate(pictures):
        top, left = number // columns * (height + CAPTION), number % columns * width
        small = card(image)
        y, x = top + (height - small.shape[0]) // 2, left + (width - small.shape[1]) // 2
        board[y : y + small.shape[0], x : x + small.shape[1]] = small
        place = (left + 8, top + height + 17)
        cv2.putText(
            board, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (225, 225, 225), 1, cv2.LINE_AA
        )
    ok, encoded = cv2.imencode(".png", cv2.cvtColor(board, cv2.COLOR_RGB2BGR))
    assert ok
    path.write_bytes(encoded.tobytes())


def _joined(parts: Sequence[Part]) -> list[tuple[int, int]]:
    """Frames of the parts; neighbours become one, so that no fade lies between them."""
    spans: list[tuple[int, int]] = []
    for part in parts:
        if spans and spans[-1][1] == part.first - 1:
            spans[-1] = (spans[-1][0], part.last)
        else:
            spans.append((part.first, part.last))
    return spans


def thumbnails(video: Path, duration: float) -> Iterator[tuple[float, bytes]]:
    """Make the pictures of a page: (seconds, JPEG file), in order.

    Raises:
        VideoError: the video cannot be decoded to its end.
    """
    aspect = pixel_aspect(video)
    for step in sample(video, fps=min(2.0, MOST_PICTURES / duration)):
        small = _fitted(square(step.image, aspect), (THUMBNAIL, 2 * THUMBNAIL))
        ok, encoded = cv2.imencode(
            ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [int(cv2.IMWRITE_JPEG_QUALITY), 72]
        )
        assert ok
        yield step.seconds, encoded.tobytes()


def _fitted(image: Frame, room: tuple[int, int]) -> Frame:
    """The picture as large as it can be inside (width, height)."""
    scale = min(room[0] / image.shape[1], room[1] / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def address(video: Path, place: Path) -> str:
    """Give the video's address from a page in the folder `place`."""
    try:
        from urllib.parse import quote

        way = os.path.relpath(video.absolute(), place.absolute()).replace(os.sep, "/")
        return quote(os.fsencode(way))  # a name need not be UTF-8
    except ValueError:  # on another drive
        return video.absolute().as_uri()
