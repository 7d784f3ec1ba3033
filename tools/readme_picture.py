"""Make README's first picture: a summary that plays beside the scores that chose it.

    python tools/readme_picture.py [VIDEO] [OUT]

By default `data/demo/video_6.mp4` (`make train` draws it; the demo's head has not seen it) and
`docs/images/summary.webp`. The scores are the whole method's: captions, scorer, trained head.
"""

import sys
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np

from llmvs.summary.plot import draw_scores
from llmvs.summary.preview import animated
from llmvs.summary.result import Summary
from llmvs.summary.summarize import summarize
from llmvs.video.decoders import Frame
from llmvs.video.pictures import pictures

mpl.use("Agg")
from matplotlib import pyplot as plt

VIDEO, OUT = Path("data/demo/video_6.mp4"), Path("docs/images/summary.webp")
WIDTH, HEIGHT, SCREEN = 960, 300, 400
"""Pixels: of the picture, and of the video in it."""
MOMENTS = 28
"""How many pictures the animation has, evenly spread over the summary."""


def main(arguments: list[str]) -> None:
    """Summarize the video, and write the animation."""
    video, out = (Path(one) for one in [*arguments, VIDEO, OUT][:2]) if arguments else (VIDEO, OUT)
    summary = summarize(video, "15%", model="demo")
    frames = _moments(summary)
    shown = dict(pictures(video, sorted(set(frames)), summary.times))
    board = [_beside(shown[frame], summary, frame) for frame in frames]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(animated(board, 60))
    print(f"{out}: {len(board)} pictures, {out.stat().st_size / 1000:.0f} kB")


def _moments(summary: Summary) -> list[int]:
    """Frames of the summary, evenly spread."""
    inside = np.concatenate([np.arange(one.first, one.last + 1) for one in summary.chosen])
    return [int(inside[i]) for i in np.linspace(0, len(inside) - 1, MOMENTS).astype(int)]


def _beside(image: Frame, summary: Summary, frame: int) -> Frame:
    """The video's picture at the left; scores, the place among them and a caption at the right."""
    board = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    height = round(SCREEN * image.shape[0] / image.shape[1])
    top = (HEIGHT - height) // 2
    board[top : top + height, 12 : 12 + SCREEN] = cv2.resize(
        image, (SCREEN, height), interpolation=cv2.INTER_AREA
    )
    curve = _curve(summary, float(summary.times[frame]), WIDTH - SCREEN - 24, HEIGHT)
    board[:, SCREEN + 24 :] = curve
    return board


def _curve(summary: Summary, now: float, width: int, height: int) -> Frame:
    """Scores over time, chosen shots shaded, a line at `now`, and what the captioner saw there."""
    step = int(np.argmin(np.abs(summary.steps - now)))
    figure = plt.figure(figsize=(width / 100, height / 100), dpi=100)
    axes = figure.add_axes((0.09, 0.3, 0.88, 0.6))
    draw_scores(summary.curve, axes)
    axes.axvline(now, color="#c2620a", lw=2)
    axes.tick_params(labelsize=8)
    figure.text(
        0.02, 0.04, _lines(summary.captions[step]), fontsize=8, color="#444444", va="bottom"
    )
    figure.canvas.draw()
    picture = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]
    plt.close(figure)
    return picture


def _lines(caption: str, most: int = 84) -> str:
    """A caption over two lines."""
    words, first = caption.split(), ""
    while words and len(first) + len(words[0]) < most:
        first += f"{words.pop(0)} "
    return f"{first}\n{' '.join(words)}"


if __name__ == "__main__":
    main(sys.argv[1:])
