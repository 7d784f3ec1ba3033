"""The soundtrack of a clip: a hum and a noise for every place, rain where it rains, signals where
an event begins.
"""

import numpy as np
import numpy.typing as npt

from llmvs.demo.world.catalogue import EVENTS, PLACES
from llmvs.demo.world.script import FPS, Scene, Script

RATE = 16000
"""Samples per second."""
Sound = npt.NDArray[np.float32]
_SCALE = (0, 2, 4, 7, 9)  # semitones: five notes that never clash
_PERIOD = 1.2
"""Seconds between two signals of an event that goes on."""


def soundtrack(script: Script) -> Sound:
    """The whole clip's sound: mono, float32 [samples] in [-1, 1] at 16 kHz, as long as its
    pictures.
    """
    rng = np.random.default_rng([script.seed, script.clip, 13])
    ends = np.round(np.cumsum([scene.n_frames for scene in script.scenes]) / FPS * RATE).astype(int)
    starts = [0, *ends[:-1]]
    return np.concatenate(
        [
            _scene(rng, scene, int(end - start))
            for scene, start, end in zip(script.scenes, starts, ends, strict=True)
        ]
    )


def pitch(place: str) -> float:
    """The frequency of a place's hum, Hz: another one for every place."""
    number = list(PLACES).index(place)
    return 196.0 * 2 ** ((_SCALE[number % 5] + 12 * (number // 5)) / 12)


def _scene(rng: np.random.Generator, scene: Scene, samples: int) -> Sound:
    t = np.arange(samples) / RATE
    hum = sum(np.sin(2 * np.pi * pitch(scene.place) * k * t) / k for k in (1, 1.5, 2))
    number = list(PLACES).index(scene.place)
    sound = 0.035 * hum * (1 + 0.4 * np.sin(2 * np.pi * 0.5 * t)) + 0.07 * _noise(
        rng, samples, 250.0 * (1 + number % 4)
    )
    if scene.weather == "rain":
        sound += 0.06 * _noise(rng, samples, 6000.0)
    if scene.event:
        for start in np.arange(scene.event_frame / FPS, scene.n_frames / FPS - 0.2, _PERIOD):
            first = int(start * RATE)
            signal = _signal(rng, scene.event)[: samples - first]
            sound[first : first + len(signal)] += signal
    edge = min(RATE // 100, samples // 2)  # so that a cut does not click
    sound[:edge] *= np.linspace(0, 1, edge)
    sound[samples - edge :] *= np.linspace(1, 0, edge)
    return np.clip(sound, -1, 1).astype(np.float32)


def _noise(rng: np.random.Generator, samples: int, top: float) -> npt.NDArray[np.float64]:
    """Noise that falls off above `top` Hz, with a standard deviation of one half."""
    whole = (
        -(-samples // RATE) * RATE
    )  # whole seconds: lengths with large prime factors are slow to transform
    spectrum = np.fft.rfft(rng.standard_normal(whole)) / (
        1 + (np.fft.rfftfreq(whole, 1 / RATE) / top) ** 2
    )
    noise = np.fft.irfft(spectrum, whole)[:samples]
    return noise * (0.5 / max(float(noise.std()), 1e-9))


def _signal(rng: np.random.Generator, event: str) -> npt.NDArray[np.float64]:
    """One second of what an event sounds like: a boom for danger, bells for a spectacle, chirps for
    play.
    """
    t = np.arange(RATE) / RATE
    family, number = EVENTS[event].family, list(EVENTS).index(event)
    if family == "danger":
        return (
            0.9 * _noise(rng, RATE, 300 + 40.0 * number)
            + 0.5 * np.sin(2 * np.pi * (60 + 3 * number) * t)
        ) * np.exp(-5 * t)
    steps = (0, 4, 7, 12) if family == "spectacle" else (0, 7, 0, 7)
    base = 660 * 2 ** (number % 7 / 12)
    notes = np.zeros_like(t)
    for i, step in enumerate(steps):
        late = np.maximum(t - 0.14 * i, 0)
        notes += np.sin(2 * np.pi * base * 2 ** (step / 12) * late) * np.exp(-7 * late)
    return 0.3 * notes
