"""Evaluating scores: an upper bound is one, what is undefined is named, ties are broken by chance."""

from dataclasses import replace

import numpy as np
import pytest

from llmvs.datasets.base import Dataset
from llmvs.evaluation.baselines import baselines
from llmvs.evaluation.evaluate import covered, evaluate, evaluate_untied
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
    evaluated = evaluate(
        dataset, {key: video.gtscore for key, video in dataset.annotations.items()}, tests
    )
    floors = baselines(dataset, tests, draws=2)
    for name, result in evaluated.items():
        assert result.mean == floors[name]["ceiling"]
        assert set(result.per_video) == set(dataset.videos)
        assert result.undefined == []


def test_undefined_is_named_and_never_averaged_away(dataset):
    scores = {key: video.gtscore for key, video in dataset.annotations.items()} | {
        "video_2": np.zeros(20)
    }
    evaluated = evaluate(dataset, scores, [["video_1", "video_2"]])["per_annotator"]
    assert np.isnan(evaluated.mean["tau"])
    assert evaluated.undefined == ["video_2"]


def test_broken_ties_are_worth_their_expected_tau():
    """Oracle: a broken tie is in favour as often as against, so tau loses what tau-b's denominator
    had left out.
    """
    video = named(make("ratings", seed=4)[1], 1)
    dataset = Dataset("made", "ratings", {"video_1": video}, {})
    coarse = np.round(video.user_scores.mean(axis=0)[video.picks])
    tied, broken = (
        way(dataset, {"video_1": coarse}, [["video_1"]])["per_annotator"].mean
        for way in (evaluate, lambda *given: evaluate_untied(*given, draws=400))
    )
    counts = np.unique(coarse, return_counts=True)[1]
    pairs, ties = len(coarse) * (len(coarse) - 1) / 2, (counts * (counts - 1) / 2).sum()
    assert tied["tau"] > 0.2
    assert ties > 0.3 * pairs
    assert broken["tau"] == pytest.approx(tied["tau"] * np.sqrt((pairs - ties) / pairs), abs=0.01)
    assert broken["rho"] < tied["rho"]


def test_scores_without_ties_are_evaluated_as_they_are(dataset):
    scores = {
        key: np.random.default_rng(i).permutation(video.n_steps) / 100
        for i, (key, video) in enumerate(dataset.annotations.items())
    }
    expected = evaluate(dataset, scores, [sorted(scores)])
    for name, found in evaluate_untied(dataset, scores, [sorted(scores)], draws=3).items():
        assert found.per_video == {
            key: pytest.approx(pair) for key, pair in expected[name].per_video.items()
        }


def test_constant_scores_stay_undefined_when_ties_are_broken(dataset):
    scores = {key: np.ones(video.n_steps) for key, video in dataset.annotations.items()}
    assert np.isnan(evaluate_untied(dataset, scores, [sorted(scores)])["per_annotator"].mean["tau"])


def test_covered_folds():
    assert covered([["a", "b"], ["c"], ["a", "d"]], ["a", "b", "d"]) == [0, 2]
