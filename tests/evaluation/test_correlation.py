"""tau-b and rho against scipy, the field's reference, on every kind of ties."""

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from llmvs.evaluation import correlation as module
from llmvs.evaluation.correlation import Ranking, correlate, correlation

KINDS = {
    "distinct": lambda rng, n: rng.random(n),
    "ratings": lambda rng, n: rng.integers(1, 6, n),
    "votes": lambda rng, n: (rng.random(n) < 0.2).astype(np.uint8),
    "means": lambda rng, n: rng.integers(0, 2, (15, n)).mean(axis=0),
}


@pytest.mark.parametrize("x_kind", KINDS)
@pytest.mark.parametrize("y_kind", KINDS)
@pytest.mark.parametrize("n", [5, 137, 700])
def test_equals_scipy(x_kind, y_kind, n):
    rng = np.random.default_rng(n)
    for _ in range(5):
        x, y = KINDS[x_kind](rng, n), KINDS[y_kind](rng, n)
        found = correlation(x, y)
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            assert np.isnan(found.tau)
            assert np.isnan(found.rho)
            continue
        assert found.tau == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)
        assert found.rho == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)


def test_large_tables_fall_back_to_sorting(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.random(300), rng.random(300)
    by_counting = correlation(x, y)
    monkeypatch.setattr(module, "_LARGEST_TABLE", 10)
    assert correlation(x, y) == pytest.approx(by_counting, abs=1e-12)


def test_order_of_the_arguments_does_not_matter():
    rng = np.random.default_rng(1)
    x, y = rng.random(50), rng.integers(0, 3, 50)
    assert correlation(x, y) == pytest.approx(correlation(y, x))
    assert correlation(x, -y).tau == pytest.approx(-correlation(x, y).tau)


def test_constant_is_undefined_not_zero():
    assert all(np.isnan(correlation(np.zeros(9), np.arange(9))))
    assert all(np.isnan(correlation(np.arange(9), np.ones(9))))


def test_bad_input():
    with pytest.raises(ValueError, match="position 1"):
        Ranking.of([0.0, np.nan])
    with pytest.raises(ValueError, match="list of numbers"):
        Ranking.of(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="3 values against 2"):
        correlate(Ranking.of([1, 2, 3]), Ranking.of([1, 2]))
