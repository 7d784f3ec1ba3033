"""Average precision against counting by hand, and the clips of Mr. HiSum's evaluation."""

import numpy as np
import pytest

from llmvs.evaluation.highlights import average_precision, clip_means, highlights


def counted(relevant, scores):
    """The definition, threshold by threshold."""
    total, before, area = sum(relevant), 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = [r for r, s in zip(relevant, scores, strict=True) if s >= threshold]
        recall = sum(taken) / total
        area += (recall - before) * sum(taken) / len(taken)
        before = recall
    return area


@pytest.mark.parametrize("values", [1000, 4, 1])
def test_average_precision_is_its_definition(values):
    rng = np.random.default_rng(values)
    for size in (1, 2, 7, 60):
        relevant = rng.random(size) < 0.3
        relevant[rng.integers(size)] = True
        scores = rng.integers(0, values, size) / values
        assert average_precision(relevant, scores) == pytest.approx(
            counted(relevant.tolist(), scores.tolist()), abs=1e-12
        )


def test_average_precision_by_hand():
    assert average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6]) == pytest.approx(
        (1 / 1 + 2 / 3) / 2
    )
    assert (
        average_precision([1, 0, 0, 0], [0.5] * 4) == 0.25
    )  # no order at all: the share of what is relevant
    assert np.isnan(average_precision([0, 0], [0.1, 0.2]))


def test_the_last_clip_may_be_shorter():
    assert clip_means([1, 1, 1, 1, 1, 2, 4]).tolist() == [1, 3]
    assert clip_means([3.0]).tolist() == [3]


def test_which_clips_are_relevant():
    gtscore = np.repeat(np.arange(21) / 21, 5)[
        :-2
    ]  # 21 clips: the last 10 are the better half, the last 3 are 15 %
    assert highlights(gtscore, gtscore) == (1, 1)
    ranked = np.repeat(-np.arange(21), 5)[:-2]  # worst first
    assert highlights(ranked, gtscore).at_50 == pytest.approx(
        np.mean([(i + 1) / (11 + i + 1) for i in range(10)])
    )
    assert highlights(ranked, gtscore).at_15 == pytest.approx(
        np.mean([(i + 1) / (18 + i + 1) for i in range(3)])
    )


def test_of_clips_that_tie_the_earlier_are_relevant():
    gtscore = np.zeros(20)
    assert highlights(np.repeat([4, 3, 2, 1], 5), gtscore).at_50 == 1
    assert np.isnan(highlights(gtscore, gtscore).at_15)  # 4 clips: none is 15 %
