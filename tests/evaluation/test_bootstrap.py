"""Intervals and paired tests against scipy's, and against cases that can be counted by hand."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from llmvs.evaluation.bootstrap import interval, paired_difference

RNG = np.random.default_rng(5)
A = RNG.normal(0.2, 0.1, (25, 3))
B = A + RNG.normal(-0.03, 0.05, (25, 3))


def test_the_interval_is_scipys():
    want = stats.bootstrap(
        (A.mean(axis=1),), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    found = interval(A, draws=20_000)
    assert found.mean == pytest.approx(A.mean())
    assert (found.low, found.high) == pytest.approx((want.low, want.high), abs=0.0015)


def test_the_paired_difference_is_near_scipys_bootstrap():
    a, b = A.mean(axis=1), B.mean(axis=1)
    found = paired_difference(A, B, draws=20_000)
    want = stats.bootstrap(
        (a, b),
        lambda x, y, axis: (x - y).mean(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=20_000,
        rng=1,
    ).confidence_interval
    assert found.mean == pytest.approx((a - b).mean())
    assert (found.low, found.high) == pytest.approx((want.low, want.high), abs=0.001)


@pytest.mark.parametrize("n", [5, 12, 16])  # 16: counted by scipy, drawn here
def test_the_p_value_is_scipys(n):
    a, b = A[:n, 0], B[:n, 0] + 0.02
    want = stats.permutation_test(
        (a, b),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        n_resamples=2**16,
    ).pvalue
    assert paired_difference(a, b, draws=20_000).p == pytest.approx(
        want, abs=1e-12 if n < 13 else 0.012
    )


def test_the_p_value_by_hand():
    differences = np.array([3.0, 1.0, 2.0])
    sums = [abs(np.dot(signs, differences)) for signs in product((1, -1), repeat=3)]
    assert (
        paired_difference(differences, np.zeros(3)).p
        == sum(value >= 6 for value in sums) / 8
        == 0.25
    )
    assert paired_difference(np.zeros(4), np.zeros(4)).p == 1


@pytest.mark.parametrize("n", [6, 11, 25])
def test_the_interval_holds_what_the_test_does_not_refuse(n):
    rng = np.random.default_rng(n)
    weights = rng.integers(1, 4, n).astype(float)
    for _ in range(60):
        values = rng.normal(0.35, 1, n)
        found = paired_difference(values, np.zeros(n), draws=500, weights=weights)
        assert (found.p <= 0.05) == (found.low > 0 or found.high < 0)
        for end, out in ((found.low, -1), (found.high, 1)):
            for step, refused in ((out, True), (-out, False)):
                moved = paired_difference(
                    values - end - step * 1e-6, np.zeros(n), draws=500, weights=weights
                )
                assert (moved.p <= 0.05) == refused


def test_five_videos_refuse_nothing():
    found = paired_difference(np.full(5, 0.3), np.zeros(5))
    assert (found.low, found.high, found.p) == (-np.inf, np.inf, 2 / 32)


def test_95_of_100_intervals_of_a_difference_hold_the_truth():
    rng = np.random.default_rng(3)
    held = sum(
        (found := paired_difference(rng.normal(1, 1, 20), np.zeros(20), draws=1000)).low
        <= 1
        <= found.high
        for _ in range(600)
    )
    assert 0.93 < held / 600 < 0.97


def test_p_is_uniform_where_nothing_differs():
    rng = np.random.default_rng(0)
    found = [
        paired_difference(rng.normal(size=(18, 2)), rng.normal(size=(18, 2)), draws=300).p
        for _ in range(300)
    ]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_95_of_100_intervals_hold_the_truth():
    rng = np.random.default_rng(2)
    held = sum(
        (found := interval(rng.normal(1, 1, (60, 2)), draws=500)).low <= 1 <= found.high
        for _ in range(400)
    )
    assert 0.91 < held / 400 < 0.98


def test_weights_count_a_video_as_often_as_folds_test_it():
    weights = np.array([2, 1, 1, 3.0])
    values = np.array([0.1, 0.5, 0.3, 0.2])
    assert interval(values, weights=weights).mean == pytest.approx(
        np.average(values, weights=weights)
    )
    assert paired_difference(values, values - 0.1, weights=weights).mean == pytest.approx(0.1)
    assert interval(np.full(4, 0.3), weights=weights).low == pytest.approx(
        0.3
    )  # a ratio: unequal weights alone make no spread


def test_seeds_are_averaged_not_counted_as_videos():
    repeated = np.repeat(A[:, :1], 40, axis=1)
    assert interval(repeated).low == pytest.approx(interval(A[:, 0]).low)
    assert paired_difference(repeated, B[:, 0]).p == paired_difference(A[:, 0], B[:, 0]).p


def test_an_undefined_video_makes_all_undefined():
    values = A.copy()
    values[3, 1] = np.nan
    found = paired_difference(values, B)
    assert all(np.isnan(number) for number in (found.mean, found.low, found.high, found.p))


@pytest.mark.parametrize("bad", [np.zeros((0, 2)), np.zeros((2, 2, 2)), 3.0])
def test_what_is_no_table(bad):
    with pytest.raises((ValueError, TypeError)):
        interval(bad)
    with pytest.raises(ValueError, match="25 videos against 24"):
        paired_difference(A, B[1:])
