"""Open a video file and read its header. What is opened must be a video: texts, pictures and
playlists are not.

FFmpeg reads far more than videos, a text file among them (as the screen of a terminal), and
playlists that name other files. Only formats that hold moving pictures themselves are let in.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from llmvs.errors import UserError, VideoError

FORMATS = (
    "3dostr,4xm,apng,asf,asf_o,av1,avi,avs,avs2,avs3,bink,cavsvideo,dirac,dv,dxa,evc,film_cpk,"
    "flic,flv,gif,gxf,h261,h263,h264,hevc,ivf,kux,live_flv,lmlm4,m4v,matroska,mjpeg,mov,mp4,mpeg,"
    "mpegts,mpegtsraw,mpegvideo,mtv,mv,mvi,mxf,nsv,nut,obu,ogg,pva,r3d,rm,roq,rpl,smk,smush,swf,thp,"
    "tmv,ty,vc1,vc1test,vivo,vvc,webm,wc3movie,wtv,xmv,yop,yuv4mpegpipe"
)
"""The demuxers of FFmpeg that hold moving pictures in one file of their own."""
_ENDINGS = (
    "3g2 3gp amv asf av1 avi divx dv f4v flv gif gxf h261 h263 h264 h265 hevc ivf m1v m2t "
    "m2ts m2v m4v mjpeg mjpg mk3d mkv mov mp4 mpe mpeg mpg mpv mts mxf nsv nut obu ogm ogv qt "
    "rm rmvb roq swf tod ts ty vc1 vob webm wmv wtv y4m"
)
SUFFIXES = tuple(f".{ending}" for ending in _ENDINGS.split())
"""The file name endings of videos, in lower case, by which they are found in folders."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors that only writing has."""


@dataclass(frozen=True)
class Probe:
    """What a video's header says; nothing is decoded."""

    fps: float
    """Mean frames per second."""
    n_frames: int | None
    """Frames in the video stream; None where the header does not count them."""
    seconds: float | None
    """Duration of the video stream; None where the header does not say."""
    width: int
    """Pixels, before rotation."""
    height: int
    """Pixels, before rotation."""


def probe(path: str | Path) -> Probe:
    """Read a video's header: milliseconds, whatever its length.

    Raises:
        VideoError: missing, empty, not a video, or without a video stream.
    """
    with open_video(path) as (_, stream):
        return Probe(
            mean_rate(stream), stream.frames or None, _duration(stream), stream.width, stream.height
        )


def is_video(path: Path) -> bool:
    """Tell by its name whether a file in a folder is a video; hidden files are not looked at."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def videos_in(path: Path, hidden: bool = False) -> list[Path]:
    """A file itself, or the videos of a folder in order of their names.

    Args:
        path: a file or a folder.
        hidden: give all that is called like a video, hidden ones and what is no file, too: for
            whoever names what cannot be done.

    Raises:
        UserError: no such file or folder, or a folder without videos.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder (expected a video or a folder of videos)")
    if not path.is_dir():
        return [path]
    named = [file for file in sorted(path.iterdir()) if file.suffix.lower() in SUFFIXES]
    found = [file for file in named if hidden or (is_video(file) and file.is_file())]
    if not found:
        raise UserError(f"{path}: no videos in this folder (known: {', '.join(SUFFIXES)})")
    return found


def mean_rate(stream: VideoStream) -> float:
    """Give the mean frames per second that a stream states; 0 where it states none."""
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return float(rate) if rate else 0.0


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and its first video stream; cover pictures do not count.

    Raises:
        VideoError: missing, empty, not a video, or without a video stream.
    """
    path = Path(path)
    if not path.is_file():
        what = "a folder, not a video file" if path.is_dir() else "no such video file"
        if path.exists() and not path.is_dir():
            what = "not a file that can be read from its beginning (a pipe or a device)"
        raise VideoError(f"{path}: {what}")
    with ExitStack() as stack:
        try:
            # By handle: a name may hold `:` or bytes that are not UTF-8.
            file = stack.enter_context(path.open("rb"))
            if not file.seek(0, os.SEEK_END):
                raise VideoError(f"{path}: the file is empty")
            file.seek(0)
            container = stack.enter_context(av.open(file, options={"format_whitelist": FORMATS}))
        except (av.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if isinstance(error, av.ArgumentError):
                reason = "a text, a picture or a playlist, or in a format that llmvs does not know"
            raise VideoError(f"{path}: not a readable video ({reason})") from None
        try:
            yield container, _moving(path, container)
        except (av.FFmpegError, OSError) as error:
            if error.errno in NO_ROOM:  # the block writes, and that failed
                raise
            reason = " ".join(str(error).split())
            raise VideoError(f"{path}: cannot be worked on ({reason})") from error


def _moving(path: Path, container: InputContainer) -> VideoStream:
    there = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    for stream in there:
        if stream.codec_context is not None:
            return stream
    if there:
        raise VideoError(f"{path}: its pictures are in a codec that FFmpeg does not know")
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise VideoError(f"{path}: has no video stream (only {kinds})")


def _duration(stream: VideoStream) -> float | None:
    """Seconds of the stream; Matroska files keep its end in a tag such as `00:01:02.500000000`."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = map(float, parts)
    except ValueError:
        return None
    start = float((stream.start_time or 0) * (stream.time_base or 0))
    return 3600 * hours + 60 * minutes + seconds - start
