"""The steps of a file held against those of its annotations."""

import numpy as np
import pytest

from llmvs.datasets.video import Video
from llmvs.errors import VideoError
from llmvs.extraction.steps import steps_of
from tests.films import film

PICKS = np.arange(0, 21, 5)
"""Of 21 frames; the last step is the last frame."""


def steps(path, picks=PICKS, **changes):
    return list(steps_of(Video("v", "v", path, picks, **changes), path, None, 5))


def test_a_file_that_ends_one_frame_early_shows_its_last_frame_and_says_so(tmp_path, capsys):
    path = film(tmp_path / "v.mp4", 2)  # frames 0 to 19
    found = steps(path)
    assert [step.index for step in found] == PICKS.tolist()
    frames = list(steps_of(Video("v", "v", path), path, None, 1))
    assert (found[-1].image == frames[19].image).all()
    assert found[-1].seconds == pytest.approx(1.9)
    said = capsys.readouterr().err
    assert said.count("ends a frame early: frame 19 stands for its last step, frame 20") == 1


def test_a_whole_file_is_read_as_it_is(tmp_path, capsys):
    path = film(tmp_path / "v.mp4", 2.5)
    assert [step.index for step in steps(path)] == PICKS.tolist()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("picks", [[0, 5, 10, 15, 21], [0, 5, 10, 15, 20, 25], [0, 5, 10, 15, 18]])
def test_more_than_a_frame_is_refused(tmp_path, picks):
    path = film(tmp_path / "v.mp4", 2)
    with pytest.raises(VideoError, match=r"v\.mp4: .* in the annotations|the annotations have"):
        steps(path, np.array(picks))


def test_where_a_step_is_a_second_none_is_made_up(tmp_path):
    path = film(tmp_path / "v.mp4", 2)
    with pytest.raises(VideoError, match="4 steps are sampled, but the annotations have 5"):
        steps(path, np.arange(5), counts_steps=True)
    found = steps(path, np.arange(4), counts_steps=True)
    assert [step.index for step in found] == [0, 1, 2, 3]
