"""Our own examples, and the draw from a fold's training videos."""

import numpy as np
import pytest

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Video
from llmvs.errors import UserError
from llmvs.extraction.examples import FIXED, draw, fixed
from llmvs.extraction.prompts import windows


def make(key: str, scores: list[float]) -> Video:
    n = len(scores)
    return Annotations(
        Video(key, key, picks=np.arange(n) * 10), 10 * n, np.array(scores, np.float32)
    )


def test_ours_are_complete() -> None:
    assert len(FIXED) == 8
    for example in FIXED:
        assert len(example.window.captions) == 7
        assert 0 <= example.window.centre < 7
        assert 0 <= example.score <= 10
        assert example.summary.endswith(".")
    assert [e.score for e in fixed(3, 7)] == [9, 1, 6]
    assert all(len(e.window.captions) == 3 for e in fixed(3, 3))


def test_draw_spreads_over_importance_and_depends_only_on_the_seed() -> None:
    train = [make(key, [0.0, 0.1, 0.5, 0.4, 0.9, 1.0]) for key in "abcdef"]
    texts = {video.key: [f"{video.key}{t}" for t in range(6)] for video in train}
    shown = draw(train, texts.__getitem__, 3, 3, seed=5)
    levels = sorted(e.score for e in shown)
    assert levels[0] in (0, 1)
    assert levels[1] in (4, 5)
    assert levels[2] in (9, 10)
    assert shown == draw(train[::-1], texts.__getitem__, 3, 3, seed=5)
    assert any(shown != draw(train, texts.__getitem__, 3, 3, seed=seed) for seed in range(6, 10))
    for example in shown:
        name, step = example.window.captions[example.window.centre]
        assert example.window == windows(texts[name], 3)[int(step)]
        assert example.score == round(10 * float(train["abcdef".index(name)].gtscore[int(step)]))
    assert len({e.window.captions[0][0] for e in shown}) == 3  # of three videos


def test_captions_that_end_early_limit_the_draw() -> None:
    train = [make("a", [0.1, 0.2, 0.3, 0.9])]
    assert all(
        draw(train, lambda key: ["x", "y"], 1, 3, seed=seed)[0].score <= 2 for seed in range(10)
    )


def test_too_few_videos() -> None:
    with pytest.raises(UserError, match=r"examples\.count=3: the fold has only 1"):
        draw([make("a", [0.5])], lambda key: ["x"], 3, 3, seed=0)
