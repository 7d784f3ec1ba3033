"""The caption stage around its model: what is asked, in which order, how errors travel."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from llmvs.cache.captions import Captions
from llmvs.errors import VideoError
from llmvs.extraction.ahead import ahead
from llmvs.extraction.caption_steps import caption_steps
from llmvs.video.reader import Sampled


def test_identical_frames_are_captioned_once() -> None:
    asked = []

    class Namer:
        def prepare(self, frames):
            return [int(frame[0, 0, 0]) for frame in frames]

        def __call__(self, prepared):
            asked.extend(prepared)
            return [f"picture {value}" for value in prepared], torch.tensor(prepared)[:, None]

    values = [1, 1, 2, 1, 3, 3, 2]
    steps = [
        Sampled(i, i / 2, np.full((2, 2, 3), value, np.uint8)) for i, value in enumerate(values)
    ]
    frames, texts, features = caption_steps(steps, Namer(), 3)
    assert asked == [1, 2, 3]
    assert Captions(frames, texts) == Captions(
        list(range(7)), [f"picture {value}" for value in values]
    )
    assert features[:, 0].tolist() == values


def test_an_error_of_the_reader_arrives_and_no_thread_stays() -> None:
    def steps() -> Iterator[Sampled]:
        yield Sampled(0, 0.0, np.zeros((2, 2, 3), np.uint8))
        raise VideoError("clip.mp4: damaged")

    class Idle:
        def prepare(self, frames):
            return len(frames)

        def __call__(self, prepared):
            return [""] * prepared, torch.zeros(prepared, 0)

    threads = threading.active_count()
    with pytest.raises(VideoError, match="damaged"):
        caption_steps(steps(), Idle(), 1)
    assert threading.active_count() == threads


def test_ahead_keeps_the_order_and_works_ahead_but_not_far() -> None:
    made = []

    def items() -> Iterator[int]:
        for i in range(100):
            made.append(i)
            yield i

    found = ahead(items(), depth=3)
    assert next(found) == 0
    deadline = time.monotonic() + 5
    while len(made) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(made) == 5  # one taken, three ready, one in hand
    assert list(found) == list(range(1, 100))


def test_ahead_stops_with_its_consumer() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    found = ahead(items())
    next(found)
    found.close()
    assert closed.wait(5)
