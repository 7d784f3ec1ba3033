"""A summary as one picture."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from llmvs.errors import UserError
from llmvs.summary.summarize import summarize
from tests.films import film


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    path = tmp_path_factory.mktemp("plot") / "film.mp4"
    film(path, 12, 3)
    return summarize(path, "50%")


def test_scores_chosen_shots_and_key_frames(summary, tmp_path):
    figure = summary.plot()
    *cards, curve = figure.axes
    assert_allclose(curve.lines[0].get_xydata(), np.stack([summary.steps, summary.scores], axis=1))
    shaded = [(box.get_x(), box.get_x() + box.get_width()) for box in curve.patches]
    assert_allclose(shaded, [(shot.start, shot.end) for shot in summary.chosen])
    assert len(cards) == len(summary.chosen) > 0
    figure.savefig(tmp_path / "summary.png")
    assert (tmp_path / "summary.png").stat().st_size > 10_000


def test_without_matplotlib_one_line_says_what_to_install(summary, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs matplotlib: pip install 'llmvs\[plot\]'"):
        summary.plot()
