"""A page about a summary: one file, without anything from outside, made for looking."""

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files

from llmvs.summary.leaning import Leaning

MOST_PICTURES = 600
"""Pictures in a page; of longer videos every second, third, ... step has one."""


@dataclass(frozen=True)
class PageShot:
    """A shot as the page shows it."""

    start: float
    """Seconds."""
    end: float
    """Seconds; where the next shot starts."""
    size: int
    """Length in ticks, the unit in which the choice counts."""
    value: float
    """What it is worth to the choice."""
    chosen: bool
    kept: bool = False
    """In the summary whatever its length."""
    dropped: bool = False
    """Not in it, whatever its length."""


@dataclass(frozen=True)
class Page:
    """What a page is about."""

    title: str
    about: str
    """One line below the title: method, length, where the video comes from."""
    duration: float
    """Of the video, in seconds."""
    ticks: int
    """The same in ticks."""
    percent: float
    """Length of the summary that was asked for."""
    times: Sequence[float]
    """[T] seconds of the steps."""
    scores: Sequence[float]
    """[T] drawn from their lowest to their highest: only their order counts."""
    shots: Sequence[PageShot]
    pictures: Sequence[tuple[float, bytes]] = ()
    """Seconds and JPEG file of the pictures, in order; at most `MOST_PICTURES` are shown."""
    video: str | None = None
    """The video's address relative to the page; None: the pictures alone."""
    captions: Sequence[str] | None = None
    """[T]"""
    words: Sequence[str] | None = None
    """[T] what is said around every step."""
    answers: Sequence[str] | None = None
    """[T] what a language model answered."""
    people: Sequence[Sequence[float]] = field(default_factory=list)
    """Annotators' own scores, each [T] in [0, 1]."""
    consensus: Sequence[float] | None = None
    """[T] their mean."""
    leaning: Leaning | None = None
    """What every step's score leaned on; None: not known."""
    back: str | None = None
    """Address of a page that leads to this one."""


def html(page: Page) -> str:
    """Write the page.

    Raises:
        ValueError: lists of other lengths than there are steps, or numbers that are not finite.
    """
    for name in ("scores", "captions", "words", "answers", "consensus"):
        values = getattr(page, name)
        if values is not None and len(values) != len(page.times):
            raise ValueError(f"{name}: {len(values)} of {len(page.times)} steps")
    if page.leaning is not None and len(page.leaning.most) != len(page.times):
        raise ValueError(f"leaning: {len(page.leaning.most)} of {len(page.times)} steps")
    every = max(1, math.ceil(len(page.pictures) / MOST_PICTURES))
    content = asdict(page) | {
        "times": [round(float(one), 3) for one in page.times],
        "scores": [round(float(one), 6) for one in page.scores],
        "consensus": None
        if page.consensus is None
        else [round(float(one), 3) for one in page.consensus],
        "people": [[round(float(one), 3) for one in row] for row in page.people],
        "pictures": [
            [round(seconds, 3), f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"]
            for seconds, content in page.pictures[::every]
        ],
    }
    # Inside a script element `<` could end it; JSON may spell it otherwise.
    text = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    room = files("llmvs.summary")
    template = room.joinpath("page.html").read_text(encoding="utf-8")
    script = room.joinpath("knapsack.js").read_text(encoding="utf-8")
    return template.replace("__KNAPSACK__", script).replace("__DATA__", text)
