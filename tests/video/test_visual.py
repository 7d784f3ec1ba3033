"""Scores without a model: each part by hand, and together."""

from dataclasses import replace

import numpy as np
import pytest

from llmvs.video.visual import LEAST, motion, novelty, spread, visual_scores
from tests.video.seen import seen


def test_novelty_is_the_mean_cosine_distance():
    rows = seen().features
    by_hand = [np.mean([1 - a @ b for b in rows.astype(float)]) for a in rows.astype(float)]
    assert novelty(rows) == pytest.approx(np.maximum(by_hand, 0))
    one_differs = np.tile([1.0, 0.0], (9, 1)).astype(np.float32)
    one_differs[4] = 0, 1
    assert novelty(one_differs).argmax() == 4
    assert novelty(one_differs)[4] == pytest.approx(8 / 9)


def test_motion_leaves_the_cut_out():
    change = np.zeros(300, dtype=np.float32)
    change[100:105] = 2, 2, 90, 2, 2  # a cut within step 20
    change[200:205] = 2
    found = motion(seen(change=change))
    assert found[20] == pytest.approx(8 / 0.5)
    assert found[40] == pytest.approx(8 / 0.5)
    assert np.delete(found, [20, 40]).max() == 0


def test_spread():
    assert spread(np.linspace(0, 100, 101), 1).min() == 0
    assert spread(np.linspace(0, 100, 101), 1)[50] == pytest.approx(0.5)
    assert spread(np.linspace(0, 100, 101), 1)[-1] == 1
    assert spread(np.array([5.0, 5.0]), 1).tolist() == [0, 0]
    noise = spread(np.array([5.0, 5.001] * 9), 1)
    assert noise.max() < 0.01


def test_the_score_is_the_weighted_mean_of_its_parts():
    silent = visual_scores(seen())
    assert set(silent.parts) == {"novelty", "motion"}
    assert silent.scores == pytest.approx(
        0.5 * silent.parts["novelty"] + 0.5 * silent.parts["motion"]
    )
    loud = visual_scores(seen(sound=np.linspace(-50, -10, 60)))
    assert loud.scores == pytest.approx(
        0.4 * loud.parts["novelty"] + 0.4 * loud.parts["motion"] + 0.2 * loud.parts["sound"]
    )
    for scored in (silent, loud):
        assert 0 <= scored.scores.min() < scored.scores.max() <= 1


def test_a_still_and_silent_video_scores_nothing():
    footage = seen(change=np.zeros(300, dtype=np.float32), sound=np.full(60, -60.0))
    still = replace(footage, features=np.tile(footage.features[:1], (60, 1)))
    assert visual_scores(still).scores.max() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("n", [1, 2])
def test_one_step(n):
    scored = visual_scores(seen(n * 5, sound=np.full(n, -20.0)))
    assert scored.scores.shape == (n,)
    assert np.isfinite(scored.scores).all()


def test_every_part_has_a_least_range():
    assert set(LEAST) == {"novelty", "motion", "sound"}
