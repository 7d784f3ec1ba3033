"""Knapsack against brute force, shots against cases worked out by hand."""

from itertools import combinations

import numpy as np
import pytest

from llmvs.evaluation.keyshots import hold, knapsack, summarize, summary_of_frames


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


def test_summarize_holds_scores_and_chooses_without_any_people():
    shots = np.array([[0, 2], [3, 19]])
    assert summarize([1.0, 0.0], [0, 10], 20, shots).sum() == 3
    # the second shot never fits, whatever it is worth
    assert summarize([0.0, 1.0], [0, 10], 20, shots).sum() == 0
    assert summarize([0.0, 1.0], [0, 10], 20, shots, budget=1).sum() == 17
