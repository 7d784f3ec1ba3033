"""What can be told apart, against simulated sets of videos and the test that tables use."""

import numpy as np
import pytest

from llmvs.evaluation.bootstrap import paired_difference
from llmvs.evaluation.power import effective, resolvable, videos_needed
from llmvs.results.experiment import VideosBySeeds
from llmvs.results.resolution import resolution_note


def share_found(difference: float, sd: float, n: int, sets: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    return float(
        np.mean(
            [
                paired_difference(rng.normal(difference, sd, n), np.zeros(n), 1000).p <= 0.05
                for _ in range(sets)
            ]
        )
    )


@pytest.mark.parametrize("n", [8, 25, 50])
def test_what_is_called_resolvable_is_found_in_80_of_100_sets(n: int) -> None:
    found = share_found(resolvable(0.05, n), 0.05, n, 1500, n)
    assert found == pytest.approx(0.8, abs=0.04)


def test_the_number_of_videos_is_the_first_that_resolves() -> None:
    needed = videos_needed(0.05, 0.02)
    assert needed is not None
    assert resolvable(0.05, needed) <= 0.02 < resolvable(0.05, needed - 1)
    assert videos_needed(0.0, 0.01) == 2
    assert videos_needed(1.0, 1e-6) is None
    assert resolvable(0.0, 25) == 0


def test_a_video_of_twice_the_weight_counts() -> None:
    assert effective(np.ones(25)) == pytest.approx(25)
    rng = np.random.default_rng(0)
    weights = np.array([2.0, 1, 1, 1, 3])
    means = rng.normal(size=(200_000, 5)) @ weights / weights.sum()
    assert 1 / means.var() == pytest.approx(effective(weights), rel=0.02)


def test_too_few_videos_are_told_nothing() -> None:
    """Of two folds of one and two videos, 1.6 videos count."""
    rows = [VideosBySeeds(np.array([[[0.1]], [[0.3]]]), np.array([0.75, 0.25]))] * 2
    assert effective(rows[0].weights) == pytest.approx(1.6)
    other = VideosBySeeds(np.array([[[0.2]], [[0.1]]]), rows[0].weights)
    assert resolution_note("paper", [other], rows[0], "x") == []
    even = [VideosBySeeds(one.values, np.array([0.5, 0.5])) for one in (rows[0], other)]
    assert "2 videos resolve" in resolution_note("paper", even[1:], even[0], "x")[0]
