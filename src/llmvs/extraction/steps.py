"""Whether the sampled steps of a video, or supplied captions, are those of its annotations."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from llmvs.datasets.video import Array, Video
from llmvs.errors import VideoError
from llmvs.video.decoders import decode
from llmvs.video.reader import Sampled, sample

logger = logging.getLogger(__name__)


def steps_of(
    video: Video, path: Path, fps: float | None, every_nth_frame: int | None
) -> Iterator[Sampled]:
    """Sample the steps of a video's file, and compare them with its annotations, if there are any.

    Raises:
        VideoError: not a readable video, or not the annotated one.
    """
    steps = sample(path, fps=fps, every_nth_frame=every_nth_frame)
    if video.picks is None:
        return steps
    whole = counted(steps) if video.counts_steps else completed(path, steps, video.picks)
    return only_picks(path, whole, video.picks)


def counted(steps: Iterable[Sampled]) -> Iterator[Sampled]:
    """The sampled steps, numbered 0, 1, 2, ... in place of the file's frames."""
    for number, step in enumerate(steps):
        yield replace(step, index=number)


def completed(path: Path, steps: Iterable[Sampled], picks: Array) -> Iterator[Sampled]:
    """The sampled steps, and the last pick where the file ends one frame before it: the frame
    before stands for it, and a note says so.

    Files of the benchmarks are encoded again on their way to people, and a frame is lost at the
    end. A file that ends earlier is left as it is (and refused by `only_picks`).
    """
    count, last = 0, int(picks[-1])
    for step in steps:
        count += 1
        yield step
    if count != len(picks) - 1:
        return
    end, image = -1, None
    for frame in decode(path):
        end = frame.frame
        if end == last - 1:
            image, seconds = frame.picture(), frame.seconds
    if end == last - 1 and image is not None:
        logger.warning(
            "note: %s: ends a frame early: frame %s stands for its last step, frame %s",
            path,
            end,
            last,
        )
        yield Sampled(last, seconds, image)


def only_picks(path: Path, steps: Iterable[Sampled], picks: Array) -> Iterator[Sampled]:
    """The sampled steps, as long as they are the annotations' picks; the video may have one step
    more at its end.

    Raises:
        VideoError: the video is not the annotated one, or sampled otherwise; names both lengths, or
            the first difference.
    """
    expected = picks.tolist()
    hint = "another video, or another extract.fps / extract.every_nth_frame"
    count, wrong = 0, ""
    for step in steps:
        if count < len(expected) and not wrong:
            if step.index == expected[count]:
                yield step
            else:
                wrong = (
                    f"step {count} is frame {step.index}, but frame {expected[count]} in the"
                    " annotations"
                )
        count += 1  # also behind a difference, so that both lengths can be named
    if count not in (len(expected), len(expected) + 1):
        raise VideoError(
            f"{path}: {count} steps are sampled, but the annotations have {len(expected)}: {hint}?"
        )
    if wrong:
        raise VideoError(f"{path}: {wrong}: {hint}?")


def check_supplied(key: str, frames: list[int], picks: Array) -> str | None:
    """Supplied captions may end early, but not be of other frames.

    Returns:
        A notice, when they end early.

    Raises:
        VideoError: more captions than steps, or of other frames.
    """
    expected = picks.tolist()
    if len(frames) > len(expected):
        raise VideoError(
            f"{key}: {len(frames)} captions are supplied, but the annotations have {len(expected)}"
            " steps"
        )
    if frames != expected[: len(frames)]:
        step = next(t for t, (a, b) in enumerate(zip(frames, expected, strict=False)) if a != b)
        raise VideoError(
            f"{key}: the caption of step {step} is of frame {frames[step]}, but of frame"
            f" {expected[step]} in the annotations"
        )
    if len(frames) < len(expected):
        return (
            f"{key}: captions end at step {len(frames) - 1} of {len(expected) - 1}: embeddings will"
            f" cover {len(frames)} steps"
        )
    return None
