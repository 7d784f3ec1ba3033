"""Read a video once, front to back, and keep the frames that were asked for."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmvs.errors import VideoError
from llmvs.video.clock import frame_times, nearest, timeline
from llmvs.video.container import Probe, probe
from llmvs.video.decoders import Decoded, DecoderName, Frame, decode

CLOCK = 1e-4
"""Seconds by which two readings of one time stamp may differ."""


@dataclass(frozen=True)
class Sampled:
    """One step of a video."""

    index: int
    """Frame index in the order of showing, from 0."""
    seconds: float
    """Time stamp, counted from the start of the video stream."""
    image: Frame
    """uint8 [H, W, 3], RGB, upright."""


def sample(
    path: str | Path,
    fps: float | None = None,
    every_nth_frame: int | None = None,
    decoder: DecoderName | None = None,
) -> Iterator[Sampled]:
    """Give the sampled frames of a video, in order of time; memory holds one frame at a time.

    Args:
        path: the video file.
        fps: steps per second. Step k is the frame whose time stamp is nearest to k / fps; a frame
            that is nearest to several of these times (a frozen picture, or `fps` above the video's
            own rate) comes once.
        every_nth_frame: frames 0, n, 2n, ... instead. Exactly one of the two is given.
        decoder: None: whichever can decode the video; both give the same steps.

    Raises:
        VideoError: the file cannot be opened, holds no frame, or decoding ends early: it misses
            more than 2 frames, and more than a second or 2 %, of what the header states.
        ValueError: both or neither of `fps` and `every_nth_frame`, or one that is not positive.
    """
    for frame, is_step in scan(path, fps, every_nth_frame, decoder):
        if is_step:
            image = frame.picture()
            if image is None:
                _check_length(Path(path), frame.frame + 1, frame.seconds, probe(path))
                return
            yield Sampled(frame.frame, frame.seconds, image)


def scan(
    path: str | Path,
    fps: float | None = None,
    every_nth_frame: int | None = None,
    decoder: DecoderName | None = None,
) -> Iterator[tuple[Decoded, bool]]:
    """Give every frame of a video, and whether `sample` would take it as a step.

    For what looks at all frames and at the steps more closely, in one pass.

    Args:
        path: the video file.
        fps: steps per second, as in `sample`.
        every_nth_frame: as in `sample`.
        decoder: as in `sample`.

    Raises:
        VideoError: as in `sample`.
        ValueError: as in `sample`.
    """
    path = Path(path)
    if (fps is None) == (every_nth_frame is None) or (fps or every_nth_frame or 0) <= 0:
        raise ValueError(
            f"fps={fps}, every_nth_frame={every_nth_frame}: give one of them, positive"
        )
    head = probe(path)
    wanted = None
    if fps:
        times, begins_again = timeline(path)
        wanted = deque(nearest(times, fps))
        decoder = decoder or ("pyav" if begins_again else None)
    n_decoded, seconds = 0, 0.0
    for frame in decode(path, decoder):
        n_decoded, seconds = frame.frame + 1, frame.seconds
        if wanted is None:
            take = frame.frame % (every_nth_frame or 1) == 0
        else:
            take = bool(wanted) and seconds > wanted[0] - CLOCK
            while take and wanted and wanted[0] < seconds + CLOCK:
                wanted.popleft()
        yield frame, take
    _check_length(path, n_decoded, seconds, head)


def _check_length(path: Path, n_decoded: int, last: float, head: Probe) -> None:
    """Compare what was decoded (frames, time stamp of the last one) with the header."""
    if n_decoded == 0:
        raise VideoError(
            f"{path}: no frame can be decoded: the file is damaged, or its codec is unknown to both"
            " OpenCV and PyAV"
        )
    if head.n_frames is not None:
        found = f"{n_decoded} of {head.n_frames} frames"
        short = _lacks_frames(head.n_frames, n_decoded, head)
        if short and head.seconds is not None and not _ends_early(last, head):
            # A trimmed file still counts the frames that it tells players not to show.
            short = _lacks_frames(len(frame_times(path)), n_decoded, head)
    elif head.seconds is not None and head.fps:
        found = f"{n_decoded} frames ({last:.1f} of {head.seconds:.1f} seconds)"
        short = _ends_early(last, head)
    else:
        return
    if short:
        raise VideoError(
            f"{path}: damaged: only {found} can be decoded: repair the file or leave it out"
        )


def _lacks_frames(expected: int, n_decoded: int, head: Probe) -> bool:
    return expected - n_decoded > max(2, min(head.fps, 0.02 * expected))


def _ends_early(last: float, head: Probe) -> bool:
    """Whether the last frame comes long before the end that the header states."""
    assert head.seconds is not None
    return not head.fps or head.seconds - last > max(3 / head.fps, min(1, 0.02 * head.seconds))
