"""Protocols against their definitions, written out with scipy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.datasets.video import Video
from llmvs.errors import UserError
from llmvs.evaluation.keyshots import summarize
from llmvs.evaluation.protocols import left_out, mean, protocols


def make(annotation, seed=0, n_frames=300, people=6):
    rng = np.random.default_rng(seed)
    picks = np.arange(0, n_frames, 15)
    edges = np.array([0, 40, 70, 120, 180, 240, n_frames])
    shots = np.stack([edges[:-1], edges[1:] - 1], axis=1)
    votes = np.repeat(rng.random((people, 6)) < 0.4, np.diff(edges), axis=1).astype(np.uint8)
    ratings = rng.integers(1, 6, (people, n_frames))
    given = {"user_summary": votes} if annotation == "votes" else {"user_scores": ratings}
    video = Annotations(
        Video("video_1", "one", picks=picks),
        n_frames,
        rng.random(len(picks)).astype(np.float32),
        shots=shots,
        **given,
    )
    return Dataset("made", annotation, {"video_1": video}, {}), video


def both(x, y):
    return kendalltau(x, y).statistic, spearmanr(x, y).statistic


def test_votes_paper():
    dataset, video = make("votes")
    scores = np.random.default_rng(1).random(video.n_steps).astype(np.float32)
    expected = both(summarize(scores, video), video.user_summary.mean(axis=0))
    assert protocols(dataset)["paper"].prepare(video)(scores) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("annotation", ["votes", "ratings"])
def test_per_annotator(annotation):
    dataset, video = make(annotation)
    people = video.user_summary if annotation == "votes" else video.user_scores
    scores = np.random.default_rng(1).random(video.n_steps).astype(np.float32)
    rows = [both(scores, row[video.picks]) for row in people if np.ptp(row[video.picks])]
    assert protocols(dataset)["per_annotator"].prepare(video)(scores) == pytest.approx(
        np.mean(rows, axis=0), abs=1e-12
    )


def test_ratings_have_one_protocol_under_two_names():
    dataset, _ = make("ratings")
    assert protocols(dataset)["paper"] is protocols(dataset)["per_annotator"]


def test_an_annotator_without_ranking_is_left_out():
    dataset, video = make("ratings")
    scores = np.random.default_rng(2).random(video.n_steps)
    dull = np.vstack([video.user_scores, np.full(video.n_frames, 3)])
    evaluate = protocols(dataset)["paper"].prepare
    assert evaluate(replace(video, user_scores=dull))(scores) == evaluate(video)(scores)


@pytest.mark.parametrize("annotation", ["votes", "ratings"])
def test_constant_scores_are_undefined_under_every_protocol(annotation):
    dataset, video = make(annotation)
    # under `votes` every shot is then worth the same, so its summary may be defined; a summary of nothing is not
    for name, protocol in protocols(dataset).items():
        scores = np.zeros(video.n_steps)
        assert np.isnan(protocol.prepare(video)(scores).tau), name


def test_a_mean_with_an_undefined_member_is_undefined():
    dataset, video = make("ratings")
    evaluate = protocols(dataset)["paper"].prepare(video)
    fine, undefined = evaluate(np.arange(video.n_steps)), evaluate(np.zeros(video.n_steps))
    assert np.isnan(mean([fine, undefined]).tau)
    assert mean([fine, fine]) == fine
    assert np.isnan(mean([]).rho)


def test_half_precision_scores_are_refused_nowhere_but_ranked_as_given():
    dataset, video = make("ratings")
    evaluate = protocols(dataset)["paper"].prepare(video)
    scores = 0.5 + np.arange(video.n_steps) * 1e-5
    assert evaluate(scores.astype(np.float32)) == evaluate(np.arange(video.n_steps))
    assert np.isnan(evaluate(scores.astype(np.float16).astype(np.float32) * 0).tau)


def test_bad_scores_are_one_line():
    dataset, video = make("ratings")
    evaluate = protocols(dataset)["paper"].prepare(video)
    with pytest.raises(
        UserError, match=r"video_1 .one.: scores of shape \(3,\), expected \[20 steps\]"
    ):
        evaluate(np.zeros(3))
    with pytest.raises(UserError, match="NaN or infinite score at step 4"):
        evaluate(np.where(np.arange(video.n_steps) == 4, np.nan, 0.5))


def test_without_shots_only_the_stepwise_protocol_is_left():
    dataset, video = make("votes")
    bare = replace(dataset, annotations={"video_1": replace(video, shots=None)})
    assert list(protocols(bare)) == ["per_annotator"]
    assert left_out(bare) == {"paper": "protocol paper needs shots, which video_1 (one) lacks"}
    with pytest.raises(UserError, match="no protocol can be computed"):
        protocols(replace(bare, annotations={"video_1": replace(video, user_summary=None)}))
