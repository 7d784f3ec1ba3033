"""Scores without a model: what differs from the rest of the video, moves, and is loud.

Each part is measured in units of its own, then spread over 0 to 1 within the video:

    novelty   1 - f(t) . mean of f over the video      f: colour and layout, of length 1
    motion    brightness change per second between the frames of the step, without its largest
              (which would be a cut)
    sound     decibels of the sound's mean power

    spread(x) = (x - p5) / max(p95 - p5, least), cut to 0..1     p5, p95: percentiles of the video
    score     = 0.5 novelty + 0.5 motion                        without sound
              = 0.4 novelty + 0.4 motion + 0.2 sound            with sound

`least` keeps a video in which nothing happens from having its noise blown up.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmvs.video.footage import Footage

LEAST = {"novelty": 0.02, "motion": 10.0, "sound": 6.0}
"""The least range of each part that is spread over 0 to 1: cosine, brightness (of 255) per second,
decibels.
"""
SILENT = {"novelty": 0.5, "motion": 0.5}
WITH_SOUND = {"novelty": 0.4, "motion": 0.4, "sound": 0.2}


@dataclass(frozen=True)
class Scores:
    """The score of every step, and what it is made of."""

    scores: npt.NDArray[np.float64]
    """[T] from 0 to 1: the weighted mean of the parts."""
    parts: dict[str, npt.NDArray[np.float64]]
    """Part -> [T] from 0 to 1: `novelty`, `motion`, and `sound` where there is some."""


def visual_scores(footage: Footage) -> Scores:
    """Score every step of a video by what is seen and heard of it; the same video gets the same
    scores.
    """
    raw = {"novelty": novelty(footage.features), "motion": motion(footage)}
    if footage.sound is not None:
        raw["sound"] = footage.sound
    weights = WITH_SOUND if "sound" in raw else SILENT
    parts = {name: spread(values, LEAST[name]) for name, values in raw.items()}
    total = sum(weight * parts[name] for name, weight in weights.items())
    return Scores(np.clip(np.asarray(total, dtype=np.float64), 0, 1), parts)


def novelty(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Mean cosine distance of each step from all steps.

    Args:
        features: [T, D], of length 1.

    Returns:
        [T], from 0.
    """
    rows = features.astype(np.float64)
    return np.maximum(1 - rows @ rows.mean(axis=0), 0)


def motion(footage: Footage) -> npt.NDArray[np.float64]:
    """Change of brightness per second within each step, without the largest change between two
    frames: that of a cut. 0 of a step of one frame.

    Returns:
        [T] brightness (of 255) per second.
    """
    picks = footage.picks
    within = footage.change.astype(np.float64)
    total = np.add.reduceat(within, picks) - np.maximum.reduceat(within, picks)
    lasts = np.diff(np.append(footage.seconds, footage.duration))
    return np.maximum(total, 0) / np.maximum(lasts, 1e-3)


def spread(values: npt.NDArray[np.float64], least: float) -> npt.NDArray[np.float64]:
    """Spread a video's values over 0 to 1, between their 5th and 95th percentile.

    >>> spread(np.array([0.0, 50.0, 100.0]), least=100.0).round(2).tolist()
    [0.0, 0.45, 0.95]
    """
    low, high = np.percentile(values, [5, 95])
    return np.clip((values - low) / max(high - low, least), 0, 1)
