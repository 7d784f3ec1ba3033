"""Judging a file of scores: what is accepted, what is refused, and that a ceiling is a ceiling."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from llmvs.datasets.base import Dataset
from llmvs.errors import UserError
from llmvs.evaluation.baselines import baselines
from llmvs.evaluation.judging import covered, judge, judge_untied, read_scores
from llmvs.files import write_json
from tests.evaluation.test_protocols import make


def named(annotations, number):
    video = replace(annotations.video, key=f"video_{number}", name=f"name {number}")
    return replace(annotations, video=video)


@pytest.fixture
def dataset():
    videos = {f"video_{i}": named(make("votes", seed=i)[1], i) for i in (1, 2, 3)}
    return Dataset("made", "votes", videos, {})


def test_gtscore_as_scores_is_the_ceiling(dataset):
    tests = [["video_1", "video_2"], ["video_3"]]
    judged = judge(
        dataset, {key: video.gtscore for key, video in dataset.annotations.items()}, tests
    )
    floors = baselines(dataset, tests, draws=2)
    for name, result in judged.items():
        assert result.figure == floors[name]["ceiling"]
        assert set(result.per_video) == set(dataset.videos)
        assert result.undefined == []


def test_undefined_is_named_and_never_averaged_away(dataset):
    scores = {key: video.gtscore for key, video in dataset.annotations.items()} | {
        "video_2": np.zeros(20)
    }
    judged = judge(dataset, scores, [["video_1", "video_2"]])["per_annotator"]
    assert np.isnan(judged.figure.first)
    assert judged.undefined == ["video_2"]


def test_broken_ties_are_worth_their_expected_tau():
    """Oracle: a broken tie is in favour as often as against, so tau loses what tau-b's denominator
    had left out.
    """
    video = named(make("ratings", seed=4)[1], 1)
    dataset = Dataset("made", "ratings", {"video_1": video}, {})
    coarse = np.round(video.user_scores.mean(axis=0)[video.picks])
    tied, broken = (
        way(dataset, {"video_1": coarse}, [["video_1"]])["per_annotator"].figure
        for way in (judge, lambda *given: judge_untied(*given, draws=400))
    )
    counts = np.unique(coarse, return_counts=True)[1]
    pairs, ties = len(coarse) * (len(coarse) - 1) / 2, (counts * (counts - 1) / 2).sum()
    assert tied.first > 0.2
    assert ties > 0.3 * pairs
    assert broken.first == pytest.approx(tied.first * np.sqrt((pairs - ties) / pairs), abs=0.01)
    assert broken.second < tied.second


def test_scores_without_ties_are_judged_as_they_are(dataset):
    scores = {
        key: np.random.default_rng(i).permutation(video.n_steps) / 100
        for i, (key, video) in enumerate(dataset.annotations.items())
    }
    expected = judge(dataset, scores, [sorted(scores)])
    for name, found in judge_untied(dataset, scores, [sorted(scores)], draws=3).items():
        assert found.per_video == {
            key: pytest.approx(pair) for key, pair in expected[name].per_video.items()
        }


def test_constant_scores_stay_undefined_when_ties_are_broken(dataset):
    scores = {key: np.ones(video.n_steps) for key, video in dataset.annotations.items()}
    assert np.isnan(judge_untied(dataset, scores, [sorted(scores)])["per_annotator"].figure.first)


def test_reads_json_and_h5_by_key_and_name(dataset, tmp_path):
    values = {"video_1": [i / 20 for i in range(20)], "name 2": [0.5] * 20}
    write_json(tmp_path / "s.json", values)
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["video_1"] = values["video_1"]
        file.create_group("name 2")["scores"] = values["name 2"]
    for name in ("s.json", "s.h5"):
        found = read_scores(tmp_path / name, dataset)
        assert set(found) == {"video_1", "video_2"}
        assert found["video_1"] == pytest.approx(values["video_1"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"video_9": [0.0] * 20}, "no video 'video_9'"),
        ({"video_1": [0.0] * 19}, r"video_1: has shape \[19\], expected \[20\]"),
        ({"video_1": [None] + [0.0] * 19}, "'None' at step 0 is not a number"),
        ({"video_1": "abc"}, "video_1: holds text, expected numbers"),
        ({"video_1": [[1, 2], 3]}, r"'\[1, 2\]' at step 0 is not a number"),
        ({"video_1": ["0.5"] * 20}, "'0.5' at step 0 is not a number"),
        (
            {"video_1": [0.0] * 20, "name 1": [0.0] * 20},
            "video_1 and name 1 are the same video",
        ),
        ({}, "scores of at least one video"),
        ([1, 2], "scores of at least one video"),
    ],
)
def test_bad_files_are_one_line(dataset, tmp_path, content, message):
    write_json(tmp_path / "s.json", content)
    with pytest.raises(UserError, match=message):
        read_scores(tmp_path / "s.json", dataset)


def test_scores_keep_their_64_bits_and_are_ranked_by_them(dataset, tmp_path):
    n_steps = dataset.annotations["video_1"].n_steps
    fine = 0.5 + np.arange(n_steps) * 1e-12  # one number in 32 bits
    write_json(tmp_path / "s.json", {"video_1": fine.tolist()})
    scores = read_scores(tmp_path / "s.json", dataset)
    assert (scores["video_1"] == fine).all()
    found = judge(dataset, scores, [["video_1"]])["per_annotator"]
    coarse = judge(dataset, {"video_1": np.arange(n_steps)}, [["video_1"]])["per_annotator"]
    assert found.per_video == coarse.per_video
    assert np.isfinite(found.figure.first)


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (np.ones(20, complex), "video_1: holds complex numbers"),
        (np.full(20, np.inf), r"video_1: is inf at \[0\], expected finite"),
        (h5py.SoftLink("/elsewhere"), "video_1 is a link elsewhere"),
        (h5py.Empty("f8"), "video_1 is empty"),
    ],
)
def test_bad_h5_scores_are_one_line(dataset, tmp_path, stored, reason):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["video_1"] = stored
    with pytest.raises(UserError, match=reason):
        read_scores(tmp_path / "s.h5", dataset)


def test_unreadable_files(dataset, tmp_path):
    (tmp_path / "s.h5").write_text("not h5")
    with pytest.raises(UserError, match=r"s\.h5: not readable"):
        read_scores(tmp_path / "s.h5", dataset)
    with pytest.raises(UserError, match=r"none\.json: no such file"):
        read_scores(tmp_path / "none.json", dataset)


def test_covered_folds():
    assert covered([["a", "b"], ["c"], ["a", "d"]], ["a", "b", "d"]) == [0, 2]
