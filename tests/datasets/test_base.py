"""A Video refuses what cannot be, and trims cleanly."""

from dataclasses import replace

import numpy as np
import pytest

from llmvs.datasets.base import Dataset
from llmvs.datasets.video import Video
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
    if "picks" in change:
        change = {"video": replace(video.video, **change)}
    with pytest.raises(UserError, match=rf"video_1 \(one\): .*{message}"):
        replace(video, **change)


BAD = [
    ("../../x", "begins with a dot"),
    ("../../" + "x" * 5000, "begins with a dot"),
    (".", "begins with a dot"),
    ("..", "begins with a dot"),
    (".hidden", "begins with a dot"),
    ("/etc/x", "holds a slash"),
    ("a/b", "holds a slash"),
    ("a\\b", "holds a slash"),
    ("a\0b", "cannot be printed"),
    ("a\nb", "cannot be printed"),
    ("a\x7fb", "cannot be printed"),
    ("a\u2028b", "cannot be printed"),
    ("caf\udce9", "cannot be printed"),
    ("", "is empty"),
    ("\N{LATIN SMALL LETTER E WITH ACUTE}" * 101, "has 202 bytes, more than 200"),
]
"""Keys that would lead out of the cache, or to no file at all, and what is said of them."""
LETTER = "\N{CYRILLIC SMALL LETTER ZHE}"
GOOD = ("video_1", "-yt_ID", "a day: one=1", f"{LETTER} 1", "x" * 200, "a.b", "50 %")


@pytest.mark.parametrize(("key", "problem"), BAD, ids=range(len(BAD)))
def test_a_key_that_cannot_be_a_files_name_is_refused(key, problem):
    with pytest.raises(UserError) as caught:
        Video(key, "one")
    line = str(caught.value)
    assert line.startswith("video 'one': the name '")
    assert problem in line
    assert line.endswith("rename the video")
    assert line.isprintable()
    assert len(line) < 250
    with pytest.raises(UserError, match="the name '"):
        Dataset(key, "votes", {}, {})


@pytest.mark.parametrize("key", GOOD)
def test_any_other_key_may_be(key):
    assert Video(key, "one").key == key
    assert Dataset(key, "votes", {}, {}).name == key


def test_a_video_among_those_of_other_datasets_keeps_a_key_of_its_own():
    _, video = make("votes")
    named = replace(video.video, key="tvsum/video_1", origin="tvsum")
    assert replace(video, video=named).trim(9).key == "tvsum/video_1"
    with pytest.raises(UserError, match="holds a slash"):
        replace(video.video, key="tvsum/a/b", origin="tvsum")


def test_trim():
    _, video = make("votes")
    short = video.trim(9)
    assert (short.n_steps, short.n_frames) == (9, 135)
    assert short.user_summary.shape[1] == 135
    assert short.shots.tolist() == [[0, 39], [40, 69], [70, 119], [120, 134]]
    assert video.trim(20) is video
    assert (short.people_mean == video.gtscore[:9]).all()
    other = replace(video, own_mean=np.arange(20.0))
    assert other.trim(9).people_mean.tolist() == list(range(9))
    with pytest.raises(ValueError, match="cannot be trimmed to 21"):
        video.trim(21)


def test_unknown_video_suggests_the_nearest():
    dataset, _ = make("votes")
    with pytest.raises(UserError, match="made has no video 'video1': did you mean video_1"):
        dataset.annotations_of("video1")
