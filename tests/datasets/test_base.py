"""A Video refuses what cannot be, and trims cleanly."""

from dataclasses import replace

import numpy as np
import pytest

from llmvs.errors import UserError
from tests.evaluation.test_protocols import make


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gtscore": np.zeros(3)}, "3 gtscores for 20 picks"),
        ({"gtscore": np.full(20, np.nan)}, "gtscore holds NaN"),
        ({"picks": np.zeros(20, int)}, "picks are not increasing"),
        ({"n_frames": 100}, "the last pick is frame 285, but the video has 100 frames"),
        (
            {"user_summary": np.zeros((2, 299))},
            r"user_summary has shape \(2, 299\): expected \[annotators, 300 frames\]",
        ),
        ({"shots": np.array([[0, 10], [12, 299]])}, "the shots do not cover frames 0 to 299"),
        ({"shots": np.array([[0, 10], [11, 298]])}, "the shots do not cover frames 0 to 299"),
        ({"shots": np.zeros((2, 3))}, "are not .first frame, last frame. rows"),
    ],
)
def test_refuses_what_cannot_be(change, message):
    _, video = make("votes")
    with pytest.raises(UserError, match=rf"video_1 \(one\): .*{message}"):
        replace(video, **change)


def test_trim():
    _, video = make("votes")
    short = video.trim(9)
    assert (short.n_steps, short.n_frames) == (9, 135)
    assert short.user_summary.shape[1] == 135
    assert short.shots.tolist() == [[0, 39], [40, 69], [70, 119], [120, 134]]
    assert video.trim(20) is video
    with pytest.raises(ValueError, match="cannot be trimmed to 21"):
        video.trim(21)


def test_unknown_video_suggests_the_nearest():
    dataset, _ = make("votes")
    with pytest.raises(UserError, match="made has no video 'video1': did you mean video_1"):
        dataset.video("video1")
