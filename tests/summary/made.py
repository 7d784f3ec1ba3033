"""Videos of every kind, made in a moment."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 48_000
VISUAL = ("summarize", "--method", "visual")
"""A command that needs no model and says nothing of them."""


def picture(number: int, size: tuple[int, int] = (72, 96), still: bool = False) -> np.ndarray:
    """Patches of grey that drift, others every second; the upper left corner is white, the upper
    right one black, and the whole gets brighter towards the bottom.
    """
    height, width = size
    rng = np.random.default_rng(0 if still else number // 25)
    patches = np.kron(rng.integers(60, 170, (6, 8)), np.ones((height // 6 + 1, width // 8 + 1)))
    image = np.roll(patches[:height, :width], 0 if still else number, axis=1)
    image = image + np.linspace(0, 30, height)[:, None]
    image[: height // 4, : width // 4] = 235
    image[: height // 4, -(width // 4) :] = 20
    return np.repeat(image[..., None], 3, axis=2).astype(np.uint8)


def video(
    path: Path,
    n_frames: int = 150,
    rate: Fraction | int = 25,
    size: tuple[int, int] = (72, 96),
    codec: str = "libx264",
    form: str = "yuv420p",
    sound: Sequence[str] = (),
    stamps: Sequence[int] | None = None,
    still: bool = False,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
) -> Path:
    """Write a video.

    Args:
        path: the file; its ending decides the container.
        n_frames: how many.
        rate: frames per second.
        size: height and width.
        codec: of the pictures.
        form: FFmpeg's name of their format.
        sound: the layout of each track of sound: `mono`, `stereo`, `5.1`; track k is a tone of
            400 * (k + 1) Hz.
        stamps: thousandths of a second at which each frame is shown.
        still: one picture for the whole time.
        options: of the codec.
        muxer: of the container.
    """
    with av.open(str(path), "w", options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width, stream.pix_fmt = *size, form
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        tracks = [
            container.add_stream(
                "libopus" if path.suffix == ".webm" else "aac", rate=RATE, layout=layout
            )
            for layout in sound
        ]
        for number in range(n_frames):
            image = picture(number, size, still)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=form)
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        seconds = float(n_frames / rate) if stamps is None else stamps[-1] / 1000
        for number, track in enumerate(tracks):
            samples = np.arange(round(seconds * RATE))
            wave = 0.4 * np.sin(2 * np.pi * 400 * (number + 1) * samples / RATE)
            channels = track.codec_context.layout.nb_channels
            packed = track.codec_context.format.name == "flt"
            wave = np.repeat(wave[None].astype(np.float32), channels, axis=0)
            heard = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(wave.T.reshape(1, -1) if packed else wave),
                format="flt" if packed else "fltp",
                layout=track.codec_context.layout.name,
            )
            heard.sample_rate, heard.pts, heard.time_base = RATE, 0, Fraction(1, RATE)
            container.mux([*track.encode(heard), *track.encode(None)])
    return path
