"""F1 of summaries, worked out by hand."""

import numpy as np
import pytest

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.video import Video
from llmvs.evaluation.key_shot_f1 import KeyShotF1, f1, user_summaries


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
    assert KeyShotF1().evaluate([1.0, 0.0], video) == {"mean": 1, "maximum": 1}
    assert KeyShotF1().evaluate([0.0, 1.0], video) == {"mean": 0, "maximum": 0}
