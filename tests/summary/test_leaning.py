"""Who leans on whom, summed up for a page."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from llmvs.summary.leaning import CELLS, SHOWN, leaning


def test_those_that_are_leaned_on_most_are_others_above_their_fair_share():
    weights = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.0, 0.1, 0.9]], np.float32)
    found = leaning(weights)
    assert found.most == [[], [(2, 0.7)], []]  # a fair share is a third
    assert_allclose(found.cells, weights * 3, atol=0.005)


def test_at_most_a_few_and_the_strongest_first():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(40, 0.3), 40).astype(np.float32)
    for t, row in enumerate(leaning(weights).most):
        assert len(row) <= SHOWN
        others = {s: weights[t, s] for s in range(40) if s != t}
        want = sorted(others, key=lambda s: -others[s])[: len(row)]
        assert [s for s, _ in row] == want


@pytest.mark.parametrize("n", [1, CELLS, 5 * CELLS + 7])
def test_the_picture_is_small_and_keeps_the_whole(n):
    weights = np.full((n, n), 1 / n, np.float32)
    cells = np.array(leaning(weights).cells)
    assert cells.shape == (min(n, CELLS),) * 2
    assert_allclose(cells, 1, atol=0.01)
