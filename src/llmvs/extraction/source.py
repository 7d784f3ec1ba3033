"""What is extracted: a video of a dataset or a file of the user's own, and whether its steps are
the annotations' picks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmvs.datasets.base import Array, Video
from llmvs.errors import UserError, VideoError
from llmvs.files import check_name, printable, shown
from llmvs.video.reader import Sampled


@dataclass(frozen=True)
class Source:
    """A video to extract: one of a dataset, or a file of the user's own."""

    key: str
    """Name of its files in the cache, unique within the dataset."""
    name: str
    """Human-readable name."""
    path: Path | None = None
    """The video file; None when captions are supplied."""
    picks: Array | None = None
    """int64 [T]: the frames that must be sampled; None: whatever the sampling gives."""
    counts_steps: bool = False
    """True where the picks count sampled steps, not the file's frames (see `Video.counts_steps`).
    """

    def __post_init__(self) -> None:
        place = shown(self.name) if self.path is None else printable(self.path)
        cure = "its files in the cache would go by it: rename the video"
        check_name(self.key, place, cure, VideoError)

    @classmethod
    def of(cls, video: Video) -> "Source":
        """The source of an annotated video, whose steps must be its picks."""
        return cls(video.key, video.name, video.path, video.picks, video.counts_steps)

    @classmethod
    def file(cls, path: Path) -> "Source":
        """The source of a video file without annotations.

        Raises:
            VideoError: nothing in the cache can be called as the file is.
        """
        return cls(path.stem, path.name, path)

    @property
    def n_steps(self) -> int | None:
        """T, where it is known without opening the video."""
        return None if self.picks is None else len(self.picks)

    @property
    def n_bytes(self) -> int:
        """Size of the video file; 0 where there is none."""
        try:
            return 0 if self.path is None else self.path.stat().st_size
        except OSError:
            return 0


def check_keys(sources: Sequence[Source]) -> None:
    """Raise a UserError when two videos would share their files in the cache."""
    seen: dict[str, Source] = {}
    for source in sources:
        if source.key in seen:
            raise UserError(
                f"{source.path} and {seen[source.key].path} would both be called {source.key}:"
                " rename one of them"
            )
        seen[source.key] = source


def counted(steps: Iterable[Sampled]) -> Iterator[Sampled]:
    """The sampled steps, numbered 0, 1, 2, ... in place of the file's frames."""
    for number, step in enumerate(steps):
        yield replace(step, index=number)


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
