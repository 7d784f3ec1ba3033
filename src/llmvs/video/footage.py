"""Look at a whole video once: colour and layout of every step, change of every frame, sound.

Memory holds one frame at a time, and per step a few hundred numbers: an hour at 2 steps a second is
7 MB.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from llmvs.errors import VideoError
from llmvs.video.clock import mean_gap
from llmvs.video.container import probe
from llmvs.video.decoders import Decoded, Frame
from llmvs.video.reader import scan
from llmvs.video.sound import loudness

FPS = 2.0
"""Steps per second."""
GRID = 8
"""Rows and columns of the picture whose mean colours are a part of a feature."""
HUES, BRIGHTNESSES, GREYS = 12, 3, 6
"""Bins of the histogram: of coloured pixels by hue and brightness, of grey ones by brightness."""
SIZE = (64, 36)
"""Width and height to which a picture is made smaller before it is described."""


@dataclass(frozen=True)
class Footage:
    """What was seen of a video: the only thing that scores, shots and the choice are made from."""

    path: Path
    times: npt.NDArray[np.float64]
    """[n_frames] seconds at which each frame is shown, from the start of the stream, increasing."""
    duration: float
    """Seconds: when the last frame ends, by the mean gap between frames."""
    picks: npt.NDArray[np.int64]
    """[T] frame index of every step, increasing."""
    features: npt.NDArray[np.float32]
    """[T, D] colour and layout of every step, of length 1."""
    change: npt.NDArray[np.float32]
    """[n_frames] mean absolute difference of each frame's brightness (0 to 255) from the frame
    before; 0 of the first.
    """
    sharpness: npt.NDArray[np.float32]
    """[T] variance of the Laplacian of every step's picture: higher is sharper."""
    sound: npt.NDArray[np.float64] | None
    """[T] decibels below full scale (`llmvs.video.sound`); None without sound."""

    @property
    def seconds(self) -> npt.NDArray[np.float64]:
        """[T] seconds at which each step is shown."""
        return self.times[self.picks]

    @property
    def fps(self) -> float:
        """Mean frames per second."""
        return len(self.times) / (self.duration - float(self.times[0]))

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """[n_frames + 1] seconds at which each frame begins, and the last one ends."""
        return np.append(self.times, self.duration)


def watch(
    path: str | Path,
    fps: float = FPS,
    picks: npt.NDArray[np.int64] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Footage:
    """Look at a video, front to back.

    Args:
        path: any file that FFmpeg can decode.
        fps: steps per second, sampled by time.
        picks: [T] frame index of every step instead, increasing: a data set's. Where the file ends
            one frame before the last pick, its last frame is that step.
        progress: called with the seconds of video seen so far.

    Raises:
        VideoError: the file cannot be read to its end, or ends before the last pick.
    """
    path = Path(path)
    asked = None if picks is None else {int(pick) for pick in picks}
    seen = _Seen()
    frames = scan(path, fps=fps, decoder="pyav") if asked is None else scan(path, None, 1, "pyav")
    for frame, is_step in frames:
        seen.add(frame, is_step if asked is None else frame.frame in asked)
        if progress is not None and is_step:
            progress(frame.seconds)
    if picks is not None and len(seen.picks) == len(picks) - 1 and len(seen.times) == picks[-1]:
        seen.describe(seen.last, int(picks[-1]) - 1)
    if picks is not None and len(seen.picks) != len(picks):
        raise VideoError(
            f"{path}: has {len(seen.times)} frames, but the last step is frame {picks[-1]}: is it"
            " the annotated video?"
        )
    return _footage(path, seen)


def _footage(path: Path, seen: "_Seen") -> Footage:
    times = np.maximum.accumulate(np.array(seen.times))
    picks = np.array(seen.picks, dtype=np.int64)
    end = float(times[-1]) + (mean_gap(times) or 1 / (probe(path).fps or 25))
    return Footage(
        path=path,
        times=times,
        duration=end,
        picks=picks,
        features=np.stack(seen.features),
        change=np.array(seen.change, dtype=np.float32),
        sharpness=np.array(seen.sharpness, dtype=np.float32),
        sound=loudness(path, times[picks], end),
    )


class _Seen:
    """What has been seen so far."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.change: list[float] = []
        self.picks: list[int] = []
        self.features: list[npt.NDArray[np.float32]] = []
        self.sharpness: list[float] = []
        self.last: Decoded | None = None
        self._grey: npt.NDArray[np.float32] | None = None

    def add(self, frame: Decoded, is_step: bool) -> None:
        """See one frame."""
        small = frame.luma()
        grey = self._grey if small is None else small.astype(np.float32)
        moved = self._grey is not None and grey is not None
        self.change.append(float(np.abs(grey - self._grey).mean()) if moved else 0.0)  # type: ignore[operator]
        self._grey, self.last = grey, frame
        self.times.append(frame.seconds)
        if is_step:
            self.describe(frame, frame.frame)

    def describe(self, frame: Decoded | None, index: int) -> None:
        """Look at a step more closely."""
        image = None if frame is None else frame.picture()
        if image is not None:
            self.picks.append(index)
            self.features.append(colour_and_layout(image))
            self.sharpness.append(sharpness(image))


def colour_and_layout(image: Frame) -> npt.NDArray[np.float32]:
    """Describe a picture by the mean colours of a grid and a histogram of its colours.

    The grid is in CIE Lab, in hundredths, and weighs as the root of its mean square. The histogram
    has soft bins, and its roots are taken, so that the distance of two is Hellinger's.

    Args:
        image: uint8 [H, W, 3], RGB.

    Returns:
        float32 [D], of length 1; D = 8 * 8 * 3 + 12 * 3 + 6 = 234.
    """
    small = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(
        255
    )
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    grid = cv2.resize(lab, (GRID, GRID), interpolation=cv2.INTER_AREA).ravel() / (100 * GRID)
    feature = np.concatenate([grid, np.sqrt(_histogram(small))])
    return np.asarray(feature / np.linalg.norm(feature), dtype=np.float32)


def _histogram(picture: npt.NDArray) -> npt.NDArray[np.float64]:
    """Shares of the pixels in each bin; a pixel between two bins counts in both, and one of half a
    colour as half coloured, half grey.
    """
    hue, saturation, value = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV))
    coloured = np.clip(4 * (saturation * value).ravel() - 0.2, 0, 1)
    around = hue.ravel() / 360 * HUES
    below = np.floor(around).astype(int)
    bins = np.zeros(HUES * BRIGHTNESSES + GREYS)
    for bright, share in _soft(value.ravel(), BRIGHTNESSES):
        for turn, part in ((below, 1 - (around - below)), (below + 1, around - below)):
            place = turn % HUES * BRIGHTNESSES + bright
            bins += np.bincount(place, coloured * share * part, len(bins))
    for bright, share in _soft(value.ravel(), GREYS):
        place = HUES * BRIGHTNESSES + bright
        bins += np.bincount(place, (1 - coloured) * share, len(bins))
    return bins / coloured.size


def _soft(value: npt.NDArray, bins: int) -> list[tuple[npt.NDArray[np.int64], npt.NDArray]]:
    """The two bins between whose centres each value from 0 to 1 lies, and its shares of them."""
    place = np.clip(value, 0, 1) * (bins - 1)
    below = np.minimum(place.astype(np.int64), bins - 2)
    return [(below, 1 - (place - below)), (below + 1, place - below)]


def sharpness(image: Frame) -> float:
    """Variance of the Laplacian of a picture's brightness, 320 pixels wide."""
    height = max(1, round(320 * image.shape[0] / image.shape[1]))
    small = cv2.resize(image, (320, height), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
