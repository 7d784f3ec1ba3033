"""A video as it was seen, without a file."""

from pathlib import Path

import numpy as np

from llmvs.video.footage import Footage


def seen(n_frames=300, fps=10.0, every=5, times=None, change=None, sound=None, seed=0) -> Footage:
    """`n_frames` frames, a step at every fifth, of random features."""
    rng = np.random.default_rng(seed)
    picks = np.arange(0, n_frames, every)
    features = rng.normal(size=(len(picks), 16)).astype(np.float32)
    times = np.arange(n_frames) / fps if times is None else np.asarray(times, dtype=float)
    return Footage(
        path=Path("seen.mp4"),
        times=times,
        duration=float(times[-1] + (times[-1] - times[0]) / (n_frames - 1)),
        picks=picks,
        features=features / np.linalg.norm(features, axis=1, keepdims=True),
        change=rng.random(n_frames).astype(np.float32) if change is None else change,
        sharpness=rng.random(len(picks)).astype(np.float32),
        sound=sound,
    )


def cut_at(*starts, n_frames=300):
    """Shots that begin at these frames."""
    return np.array([starts, [*(start - 1 for start in starts[1:]), n_frames - 1]]).T
