"""Random, human baselines and upper bound: figures published or measured elsewhere, from the real annotations; and the
arithmetic, by hand.
"""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import kendalltau

from llmvs.evaluation.baselines import averaged, baselines, random_scores
from llmvs.evaluation.protocols import by_name, protocols
from tests.evaluation.test_protocols import make


def folds_of(dataset, kind):
    return [test for _, test in dataset.splits[kind]]


def test_tvsum(tvsum):
    rows = baselines(tvsum, folds_of(tvsum, "disjoint"))["paper"]  # every video once: all 50
    human = rows["human_pairwise"]
    assert (human["tau"], human["rho"]) == pytest.approx((0.1774, 0.2042), abs=0.0005)
    assert (rows["human_others"]["tau"], rows["human_others"]["rho"]) == pytest.approx(
        (0.314, 0.396), abs=0.001
    )
    assert (rows["ceiling"]["tau"], rows["ceiling"]["rho"]) == pytest.approx(
        (0.378, 0.473), abs=0.002
    )
    assert abs(rows["random"]["tau"]) < 0.01
    assert abs(rows["random"]["rho"]) < 0.01


@pytest.mark.parametrize(
    ("kind", "random", "ceiling"),
    [
        ("paper", (0.145, 0.162), (0.422, 0.471)),
        ("disjoint", (0.097, 0.108), (0.405, 0.452)),
    ],
)
def test_summe_paper_protocol(summe, kind, random, ceiling):
    rows = baselines(summe, folds_of(summe, kind), draws=50)["paper"]
    assert (rows["random"]["tau"], rows["random"]["rho"]) == pytest.approx(random, abs=0.008)
    assert (rows["ceiling"]["tau"], rows["ceiling"]["rho"]) == pytest.approx(ceiling, abs=0.003)
    assert 0.01 < rows["random"]["tau_sd"] < 0.03


def test_summe_others(summe):
    table = baselines(summe, folds_of(summe, "disjoint"), draws=2)
    assert (
        table["per_annotator"]["ceiling"]["tau"],
        table["per_annotator"]["ceiling"]["rho"],
    ) == pytest.approx((0.390, 0.436), abs=0.003)
    human = table["paper"]["human_pairwise"]  # the published Human row: raw segment labels
    assert (human["tau"], human["rho"]) == pytest.approx((0.2051, 0.2126), abs=0.0005)
    f1 = table["f1"]["human_others"]
    assert (100 * f1["mean"], 100 * f1["maximum"]) == pytest.approx((31.07, 54.33), abs=0.1)


def test_human_rows_by_hand():
    dataset, video = make("ratings", people=4)
    rows = baselines(dataset, [["video_1"]], draws=3)["paper"]
    people = video.user_scores[:, video.picks]
    pairs = [kendalltau(a, b).statistic for a, b in combinations(people, 2)]
    others = [
        kendalltau(people[i], np.delete(people, i, axis=0).mean(axis=0)).statistic for i in range(4)
    ]
    assert rows["human_pairwise"]["tau"] == pytest.approx(np.mean(pairs))
    assert rows["human_others"]["tau"] == pytest.approx(np.mean(others))
    assert list(rows["ceiling"]) == ["tau", "rho"]


@pytest.mark.parametrize("annotation", ["votes", "ratings"])
def test_the_ceiling_is_the_annotators_mean_whatever_the_target(annotation):
    dataset, video = make(annotation)
    people = video.user_summary if annotation == "votes" else video.user_scores
    own_mean = people[:, video.picks].mean(axis=0)
    other = replace(dataset, annotations={"video_1": replace(video, own_mean=own_mean)})
    ceilings = {
        name: rows["ceiling"] for name, rows in baselines(other, [["video_1"]], draws=2).items()
    }
    for name, protocol in protocols(dataset).items():
        assert ceilings[name] == protocol.evaluate(own_mean, video)
    target = protocols(dataset)["per_annotator"].evaluate(video.gtscore, video)
    assert ceilings["per_annotator"]["tau"] > target["tau"] + 0.1


def test_one_annotator_has_nobody_to_agree_with():
    dataset, _ = make("ratings", people=1)
    assert list(baselines(dataset, [["video_1"]], draws=3)["paper"]) == ["random", "ceiling"]


def test_folds_weigh_alike_whatever_their_size():
    found = {
        key: {"paper": {"ceiling": np.array([value, -value])}}
        for key, value in (("a", 1.0), ("b", 2.0), ("c", 6.0))
    }
    named = {"paper": by_name("paper")}
    assert averaged(found, named, [["a", "b"], ["c"]]) == {
        "paper": {"ceiling": {"tau": 3.75, "rho": -3.75}}
    }


def test_a_videos_draws_depend_on_its_key_and_the_seed_only():
    _, video = make("ratings")
    assert (random_scores(video, 3, 0) == random_scores(video, 3, 0)).all()
    assert (random_scores(video, 3, 0) == random_scores(video, 5, 0)[:3]).all()
    assert (random_scores(video, 3, 0) != random_scores(video, 3, 1)).any()
