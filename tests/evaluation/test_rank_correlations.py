"""The protocols of rank correlation against their definitions, written out with scipy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from llmvs.evaluation import rank_correlations as module
from llmvs.evaluation.correlation import correlation, mean
from llmvs.evaluation.keyshots import summarize
from llmvs.evaluation.protocols import protocols, rank_correlations
from tests.evaluation.test_protocols import make


def both(x, y):
    return {"tau": kendalltau(x, y).statistic, "rho": spearmanr(x, y).statistic}


def test_votes_paper():
    dataset, video = make("votes")
    scores = np.random.default_rng(1).random(video.n_steps).astype(np.float32)
    summary = summarize(scores, video.picks, video.n_frames, video.shots)
    expected = both(summary, video.user_summary.mean(axis=0))
    assert protocols(dataset)["paper"].evaluate(scores, video) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("annotation", ["votes", "ratings"])
def test_per_annotator(annotation):
    dataset, video = make(annotation)
    people = video.user_summary if annotation == "votes" else video.user_scores
    scores = np.random.default_rng(1).random(video.n_steps).astype(np.float32)
    rows = [both(scores, row[video.picks]) for row in people if np.ptp(row[video.picks])]
    expected = {name: np.mean([row[name] for row in rows]) for name in ("tau", "rho")}
    assert protocols(dataset)["per_annotator"].evaluate(scores, video) == pytest.approx(
        expected, abs=1e-12
    )


@pytest.mark.parametrize("annotation", ["votes", "ratings", "replays"])
def test_annotations_are_ranked_once_per_video(annotation, monkeypatch):
    dataset, video = make(annotation)
    ranked = []
    rank = module.Ranking.of
    monkeypatch.setattr(module.Ranking, "of", lambda values: ranked.append(1) or rank(values))
    for protocol in rank_correlations(dataset).values():
        compare = protocol.prepare(video)
        ranked.clear()
        for seed in range(5):
            compare(np.random.default_rng(seed).random(video.n_steps))
        assert len(ranked) == 5  # the scores alone


def test_an_annotator_without_ranking_is_left_out():
    dataset, video = make("ratings")
    scores = np.random.default_rng(2).random(video.n_steps)
    dull = np.vstack([video.user_scores, np.full(video.n_frames, 3)])
    paper = protocols(dataset)["paper"]
    assert paper.evaluate(scores, replace(video, user_scores=dull)) == paper.evaluate(scores, video)


@pytest.mark.parametrize("annotation", ["votes", "ratings"])
def test_constant_scores_are_undefined_under_every_protocol(annotation):
    dataset, video = make(annotation)
    # under `votes` every shot is then worth the same, so its summary may be defined; a summary of nothing is not
    for name, protocol in rank_correlations(dataset).items():
        assert np.isnan(protocol.evaluate(np.zeros(video.n_steps), video)["tau"]), name


def test_a_mean_with_an_undefined_member_is_undefined():
    fine, undefined = correlation([1, 2, 3, 4], [1, 3, 2, 4]), correlation([1, 2], [3, 3])
    assert np.isnan(mean([fine, undefined]).tau)
    assert mean([fine, fine]) == fine
    assert np.isnan(mean([]).rho)
