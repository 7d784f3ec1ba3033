"""What is said around every step, from the subtitles of a video (`prompt.spoken`)."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmvs.cache.captions import Captions
from llmvs.datasets.video import Video
from llmvs.errors import UserError, VideoError
from llmvs.video.clock import frame_times
from llmvs.video.transcript import beside, read_transcript, words_around

logger = logging.getLogger(__name__)


def transcript_of(video: Video) -> Path | None:
    """The subtitles of a video: those named, else those beside its file; None: none."""
    if video.transcript is not None:
        return video.transcript
    return None if video.path is None else beside(video.path)


def with_words(captions: Captions, video: Video, window: int) -> Captions:
    """Add what is said during the `window` captions around every step; a video without subtitles,
    or with others than its own beside it, stays as it is.

    Raises:
        UserError: subtitles that were named, and cannot be read or are another video's.
        VideoError: steps whose times are not known.
    """
    found = transcript_of(video)
    if found is None:
        return captions
    times = _times(video)[captions.frames]
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    try:
        spoken = read_transcript(found, float(times[-1]) + step)
    except UserError as error:
        if video.transcript is not None:
            raise
        logger.warning("note: %s: left out", error)
        return captions
    return replace(captions, words=words_around(spoken, times.tolist(), window * step))


def _times(video: Video) -> npt.NDArray[np.float64]:
    """[n_frames] seconds of every frame."""
    if video.path is not None and video.path.is_file():
        return frame_times(video.path)
    if video.picks is not None and video.fps:
        return np.arange(int(video.picks[-1]) + 1) / video.fps
    raise VideoError(
        f"{video.key}: its subtitles need the times of its steps: put the video file where the"
        " dataset expects it, or set prompt.spoken=false"
    )
