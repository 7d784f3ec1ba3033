"""Mr. HiSum's own evaluation: a case by hand, and the published procedure written out naively."""

from dataclasses import replace
from itertools import combinations

import h5py
import numpy as np
import pytest
from scipy.stats import kendalltau, rankdata, spearmanr

from llmvs.datasets import load
from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.datasets.video import Video
from llmvs.evaluation.evaluate import evaluate
from llmvs.evaluation.key_shot_f1 import KeyShotF1
from llmvs.evaluation.protocols import by_name, left_out, protocols, rank_correlations
from tests.datasets.test_mrhisum import SECONDS, SPLITS, write

SCORES = np.repeat([0.5, 0.6, 0.0], [3, 3, 14])
"""Of shots of 3, 3 and 14 seconds; 3 fit. By itself the second shot is worth more (.6 against .5),
with the second that follows it less (.45 against .525).
"""


def video(summary, gtscore=SCORES):
    shown = np.zeros((1, 20), np.uint8)
    shown[0, list(summary)] = 1
    return Annotations(
        Video("video_1", "one", picks=np.arange(20)),
        20,
        gtscore,
        user_scores=gtscore[None],
        user_summary=shown if summary else None,
        shots=np.array([[0, 2], [3, 5], [6, 19]]),
    )


def test_by_hand():
    authors, f1 = by_name("authors"), by_name("authors_f1")
    same, other, more = video([0, 1, 2]), video([3, 4, 5]), video([0, 1, 2, 10])
    assert authors.evaluate(SCORES, same) == pytest.approx({"tau": 1, "rho": 1})
    assert f1.evaluate(SCORES, same) == {"f1": 1}
    assert KeyShotF1().evaluate(SCORES, same)["mean"] == 0  # ours: nothing leaks
    assert f1.evaluate(SCORES, other) == {"f1": 0}
    assert KeyShotF1().evaluate(SCORES, other)["mean"] == 1
    # 3 seconds shown by both, 1 by gt_summary alone, 16 by neither
    phi = 3 * 16 / (3 * 17 * 4 * 16) ** 0.5
    assert authors.evaluate(SCORES, more) == pytest.approx({"tau": phi, "rho": phi})
    assert f1.evaluate(SCORES, more) == {"f1": pytest.approx(6 / 7)}


def test_without_gt_summary_that_of_gtscore_is_made_the_same_way():
    assert by_name("authors_f1").evaluate(SCORES, video([])) == {"f1": 1}
    assert by_name("authors_f1").evaluate(SCORES[::-1].copy(), video([])) == {"f1": 0}


def test_means_are_of_32_bits():
    scores = np.repeat([0.5, 0.5 + 1e-9, 0.5], [3, 3, 14])
    assert by_name("authors_f1").evaluate(scores, video([0, 1, 2])) == {"f1": 1}  # tied: the first
    assert KeyShotF1().evaluate(scores, video([3, 4, 5]))["mean"] == 1


def test_a_summary_of_nothing_is_undefined():
    values = by_name("authors").evaluate(np.zeros(20), video([0, 1, 2]))
    assert np.isnan(list(values.values())).all()
    assert by_name("authors_f1").evaluate(np.zeros(20), video([0, 1, 2])) == {"f1": 0}


def published(scores, change_points, gt_summary):
    """F1, tau and rho as the authors' code has them, without its knapsack: every set of shots is
    tried.
    """
    n = len(scores)
    worth, lengths = [], []
    for begin, end in change_points:
        seconds = [np.float32(scores[i]) for i in range(begin, min(end + 1, n))]
        worth.append(sum(map(float, seconds)) / len(seconds))
        lengths.append(end - begin)
    sets = [
        chosen
        for size in range(len(worth) + 1)
        for chosen in combinations(range(len(worth)), size)
        if sum(lengths[i] for i in chosen) <= int(np.floor(n * 0.15))
    ]
    best = max(sets, key=lambda chosen: sum(worth[i] for i in chosen))
    summary = [float(i in best) for i in range(len(worth)) for _ in range(lengths[i])]
    gt_summary = np.asarray(gt_summary, float)
    both = sum(1 for s, g in zip(summary, gt_summary, strict=True) if s and g)
    precision, recall = both / sum(summary), both / sum(gt_summary)
    return (
        2 * precision * recall / (precision + recall) if both else 0,
        kendalltau(rankdata(-gt_summary), rankdata(-np.array(summary)))[0],
        spearmanr(summary, gt_summary)[0],
    )


def test_as_the_published_procedure_on_files_of_the_published_layout(tmp_path):
    rng = np.random.default_rng(2)
    shots, shown = {}, {}  # short shots and one that never fits: one second counts
    write(tmp_path, "exclusive")
    with h5py.File(tmp_path / "mr_hisum.h5", "a") as file:
        for key, seconds in SECONDS.items():
            cuts = np.sort(rng.choice(np.arange(1, 40), 9, replace=False))
            shots[key] = np.stack([[0, *cuts], [*cuts, seconds]], axis=1)
            shown[key] = (rng.random(seconds) < 0.15).astype(np.uint8)
            for field, value in (("change_points", shots[key]), ("gt_summary", shown[key])):
                del file[f"{key}/{field}"]
                file[f"{key}/{field}"] = value
    dataset = load("mrhisum", tmp_path)
    keys = [key for part in SPLITS.values() for key in part]
    leaks = 0
    for _ in range(20):
        scores = {key: rng.random(SECONDS[key], dtype=np.float32) for key in keys}
        found = evaluate(dataset, scores, [keys])
        for key in keys:
            f1, tau, rho = published(scores[key], shots[key], shown[key])
            assert found["authors"].per_video[key] == pytest.approx(
                {"tau": tau, "rho": rho}, abs=1e-12
            )
            assert found["authors_f1"].per_video[key]["f1"] == pytest.approx(f1, abs=1e-6)
            leaks += found["f1"].per_video[key]["mean"] != pytest.approx(f1, abs=1e-6)
    assert leaks > 5  # or the test would not tell the two rules apart


def test_it_stands_behind_ours_and_chooses_no_epoch():
    dataset = Dataset("made", "replays", {"video_1": video([0, 1, 2])}, {})
    assert list(protocols(dataset)) == ["paper", "f1", "map", "authors", "authors_f1"]
    assert list(rank_correlations(dataset)) == ["paper", "authors"]
    bare = replace(dataset, annotations={"video_1": replace(video([0, 1, 2]), shots=None)})
    assert list(protocols(bare)) == ["paper", "map"]
    assert left_out(bare) == {"authors": "protocol authors needs shots, which video_1 (one) lacks"}
