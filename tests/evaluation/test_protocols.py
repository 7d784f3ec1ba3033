"""Which protocols there are, and which of them a dataset's annotations allow."""

from dataclasses import replace

import numpy as np
import pytest

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.datasets.video import Video
from llmvs.errors import UserError
from llmvs.evaluation.protocols import (
    PROTOCOLS,
    by_name,
    left_out,
    protocols,
    rank_correlations,
)


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


def test_ratings_have_one_protocol_under_two_names():
    dataset, _ = make("ratings")
    assert protocols(dataset)["paper"] is protocols(dataset)["per_annotator"]


@pytest.mark.parametrize(
    ("annotation", "names"),
    [
        ("votes", ["paper", "per_annotator", "f1"]),
        ("ratings", ["paper", "per_annotator", "f1"]),
        ("replays", ["paper", "f1", "map", "authors", "authors_f1"]),
    ],
)
def test_every_kind_of_annotations_has_its_protocols_in_order(annotation, names):
    dataset, _ = make(annotation)
    assert list(protocols(dataset)) == names
    assert list(rank_correlations(dataset)) == [
        name for name in names if name in ("paper", "per_annotator", "authors")
    ]


def test_without_shots_only_the_stepwise_protocol_is_left():
    dataset, video = make("votes")
    bare = replace(dataset, annotations={"video_1": replace(video, shots=None)})
    assert list(protocols(bare)) == ["per_annotator"]
    assert left_out(bare) == {"paper": "protocol paper needs shots, which video_1 (one) lacks"}
    with pytest.raises(UserError, match="no protocol can be computed: protocol paper needs"):
        protocols(replace(bare, annotations={"video_1": replace(video, user_summary=None)}))


def test_one_video_without_shots_leaves_f1_out_of_every_fold():
    dataset, video = make("ratings")
    other = replace(video, video=replace(video.video, key="video_2"), shots=None)
    both = replace(dataset, annotations={"video_1": video, "video_2": other})
    assert list(protocols(both)) == ["paper", "per_annotator"]
    assert left_out(both) == {}


def test_one_name_means_the_same_measures_whatever_it_compares():
    for protocol in PROTOCOLS:
        assert len(protocol.measures) == len(protocol.headers) > 0
        for name in protocol.names:
            same = by_name(name)
            for attribute in ("measures", "headers", "percent", "rank_correlation"):
                assert getattr(same, attribute) == getattr(protocol, attribute)
    kinds = [(kind, name) for one in PROTOCOLS for kind in one.kinds for name in one.names]
    assert len(set(kinds)) == len(kinds)


def test_an_unknown_name_is_one_line():
    with pytest.raises(
        UserError, match="protocol 'papers': PROTOCOLS has no such one: did you mean paper"
    ):
        by_name("papers")
