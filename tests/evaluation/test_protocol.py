"""What every protocol does alike: one video's scores against plain annotations."""

from dataclasses import replace

import numpy as np
import pytest

from llmvs.errors import UserError
from llmvs.evaluation.protocols import PROTOCOLS, protocols
from tests.evaluation.test_protocols import make
from tests.evaluation.toys import Best


@pytest.mark.parametrize("annotation", ["votes", "ratings", "replays"])
def test_prepared_or_not_the_values_are_the_same_and_have_the_measures_names(annotation):
    dataset, video = make(annotation)
    for protocol in protocols(dataset).values():
        compare = protocol.prepare(video)
        for seed in (1, 2):
            scores = np.random.default_rng(seed).random(video.n_steps)
            found = protocol.evaluate(scores.tolist(), video)
            assert tuple(found) == protocol.measures
            np.testing.assert_equal(compare(scores), found)


def test_values_come_in_the_order_of_the_measures():
    class Ends(Best):
        measures = headers = ("first", "last")

        def compare_with(self, annotations):
            return lambda scores: {"last": scores[-1], "first": scores[0], "unnamed": 0}

    _, video = make("ratings")
    found = Ends().evaluate(np.arange(video.n_steps), video)
    assert list(found.items()) == [("first", 0), ("last", video.n_steps - 1)]
    assert {type(value) for value in found.values()} == {float}


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda one: f"{one.name}-{one.kinds[0]}")
def test_bad_scores_are_one_line(protocol):
    _, video = make(protocol.kinds[0])
    with pytest.raises(
        UserError, match=r"video_1 .one.: scores of shape \(3,\), expected \[20 steps\]"
    ):
        protocol.evaluate(np.zeros(3), video)
    with pytest.raises(UserError, match="NaN or infinite score at step 4"):
        protocol.evaluate(np.where(np.arange(video.n_steps) == 4, np.nan, 0.5), video)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda one: f"{one.name}-{one.kinds[0]}")
def test_what_it_needs_is_named_where_it_is_not_there(protocol):
    _, video = make(protocol.kinds[0])
    assert protocol.lacks(video) is None
    for need in protocol.needs:
        assert protocol.lacks(replace(video, **{need: None})) == need


def test_half_precision_scores_are_refused_nowhere_but_ranked_as_given():
    dataset, video = make("ratings")
    compare = protocols(dataset)["paper"].prepare(video)
    scores = 0.5 + np.arange(video.n_steps) * 1e-5
    assert compare(scores.astype(np.float32)) == compare(np.arange(video.n_steps))
    assert np.isnan(compare(scores.astype(np.float16).astype(np.float32) * 0)["tau"])
