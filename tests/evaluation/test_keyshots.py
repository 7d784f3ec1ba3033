"""Knapsack against brute force, shots against cases worked out by hand."""

from itertools import combinations

import numpy as np
import pytest

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Video
from llmvs.evaluation.keyshots import (
    f1,
    hold,
    knapsack,
    summarize,
    summary_of_frames,
    user_summaries,
)


def brute_force(values, weights, capacity):
    sets = (
        chosen
        for size in range(len(values) + 1)
        for chosen in combinations(range(len(values)), size)
    )
    return max(
        sum(values[i] for i in chosen)
        for chosen in sets
        if sum(weights[i] for i in chosen) <= capacity
    )


@pytest.mark.parametrize("seed", range(40))
def test_knapsack_is_exact(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 11))
    values, weights = rng.random(n), rng.integers(1, 30, n)
    capacity = int(rng.integers(0, 60))
    chosen = knapsack(values, weights, capacity)
    assert weights[chosen].sum() <= capacity
    assert values[chosen].sum() == pytest.approx(brute_force(values, weights, capacity))
    assert (np.diff(chosen) > 0).all()


def test_knapsack_takes_nothing_worthless_and_nothing_too_big():
    assert knapsack([0.0, 0.0], [1, 1], 2).tolist() == []
    assert knapsack([5.0], [3], 2).tolist() == []
    assert knapsack([], [], 10).tolist() == []


def test_scores_hold_until_the_next_pick():
    assert hold([1, 2, 3], [0, 2, 5], 7).tolist() == [1, 1, 2, 2, 2, 3, 3]
    assert hold([1, 2], [1, 3], 4).tolist() == [0, 1, 1, 2]


def test_summary_chooses_the_best_mean_within_the_budget():
    shots = np.array([[0, 9], [10, 14], [15, 29], [30, 39]])
    scores = np.repeat([0.9, 0.8, 0.1, 0.7], [10, 5, 15, 10])
    # 15 % of 40 frames are 6: only the second shot (5 frames) fits
    assert np.flatnonzero(summary_of_frames(scores, shots)).tolist() == list(range(10, 15))
    # half of them are 20: the first and the last shot are worth 1.6, the first two 1.7
    assert np.flatnonzero(summary_of_frames(scores, shots, budget=0.5)).tolist() == list(range(15))


def test_summary_rounds_the_budget_down():
    shots = np.array([[0, 2], [3, 19]])
    assert summary_of_frames(np.ones(20), shots).sum() == 3
    shots = np.array([[0, 3], [4, 19]])
    assert summary_of_frames(np.ones(20), shots).sum() == 0


def test_f1_by_hand():
    summary = np.array([1, 1, 0, 0])
    users = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]], dtype=np.uint8)
    found = f1(summary, users)
    assert found.mean == pytest.approx((1 + 2 / 3 + 0 + 0) / 4)
    assert found.maximum == 1


def test_f1_counts_in_wide_enough_numbers():
    ones = np.ones((1, 70_000), dtype=np.uint8)
    assert f1(ones[0], ones) == (1.0, 1.0)


def test_ratings_become_summaries():
    shots = np.array([[0, 2], [3, 19]])
    video = Annotations(
        Video("video_1", "x", picks=np.array([0, 10])),
        20,
        np.zeros(2, np.float32),
        shots=shots,
        user_scores=np.stack([np.repeat([5, 1], [3, 17]), np.repeat([1, 5], [3, 17])]),
    )
    # the second shot never fits, whatever it is worth
    assert user_summaries(video).sum(axis=1).tolist() == [3, 3]
    assert summarize(np.array([0.0, 1.0]), video).sum() == 0
