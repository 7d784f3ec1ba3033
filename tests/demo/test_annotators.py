"""The importance formula on scripts made by hand, and what the annotators make of it: agreement as
among real people.
"""

import itertools

import numpy as np
import pytest
from scipy.stats import kendalltau

from llmvs.demo import annotators
from llmvs.demo.world.script import Actor, Scene, Script, script


def scene(
    place: str = "park",
    action: str = "waits",
    event: str | None = None,
    frames: int = 96,
    kind: str = "man",
) -> Scene:
    actors = (Actor(kind, "red", action, 200, 160, 1, 0.0),)
    return Scene(place, "day", "clear", 1, actors, event, 24 if event else 0, 200, "still", frames)


def importance(*scenes: Scene) -> list[np.ndarray]:
    """The importance of every frame, scene by scene."""
    clip = Script(0, 0, scenes)
    return np.split(annotators.importance(clip), np.cumsum([s.n_frames for s in scenes])[:-1])


def agreement(clips: list[Script]) -> float:
    """Mean pairwise tau-b at two steps per second, averaged over clips (scipy)."""
    means = []
    for clip in clips:
        scores = annotators.spread(annotators.ratings(clip), clip.n_frames)[:, ::12]
        means.append(
            np.mean([kendalltau(a, b).statistic for a, b in itertools.combinations(scores, 2)])
        )
    return float(np.mean(means))


def test_the_formula_by_hand() -> None:
    """An idle scene, a lively one twice, an event once: worked out on paper from the docstring."""
    idle, first, event, second = importance(
        scene("farm"),
        scene(action="dances"),
        scene("desert", event="rocks"),
        scene(action="dances"),
    )
    root = 2**0.5
    assert idle == pytest.approx(0.3 * 1)  # the only scene of its place; nothing happens
    assert first == pytest.approx(
        0.5 * 0.9 / root + 0.3 / root
    )  # first of two of this place and this doing
    assert second == pytest.approx(0.6 * (0.5 * 0.9 / root + 0.3 / root))  # second of two
    assert event[:24] == pytest.approx(0.3)
    assert event[24:] == pytest.approx(1.0 + 0.3)


def test_what_repeats_counts_less_than_what_happens_once() -> None:
    once = importance(scene(event="balloons"), scene("farm"), scene("desert"))[0][-1]
    first, second, third = (values[-1] for values in importance(*[scene(event="balloons")] * 3))
    assert once > first > second > third


def test_taste_weighs_the_terms() -> None:
    clip = Script(0, 0, (scene(event="balloons"), scene("farm", "runs", kind="dog")))
    plain = annotators.importance(clip)
    assert annotators.importance(clip, {"spectacle": 2.0})[-97] == pytest.approx(plain[95] + 1.0)
    assert annotators.importance(clip, {"danger": 2.0}) == pytest.approx(plain)
    assert annotators.importance(clip, {"animals": 2.0})[-1] == pytest.approx(plain[-1] + 0.5 * 0.6)


def test_ratings_are_pieces_of_two_seconds() -> None:
    clip = script(0, 0)
    pieces = annotators.ratings(clip)
    assert pieces.shape == (12, round(clip.n_frames / 48))
    assert set(np.unique(pieces)) == {1, 2, 3, 4, 5}
    frames = annotators.spread(pieces, clip.n_frames)
    assert frames.shape == (12, clip.n_frames)
    np.testing.assert_array_equal(frames[:, : 48 * (pieces.shape[1] - 1) : 48], pieces[:, :-1])
    assert (np.flatnonzero(np.diff(frames.astype(int)).any(axis=0)) % 48 == 47).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_people_agree_as_much_as_real_ones(seed: int) -> None:
    """Real benchmarks: .177 (TVSum) to .205 (SumMe)."""
    assert 0.15 < agreement([script(seed, clip) for clip in range(15)]) < 0.35


def test_people_agree_on_short_clips_too() -> None:
    assert 0.1 < agreement([script(0, clip, (6, 9)) for clip in range(10)]) < 0.6


def test_people_follow_importance_and_differ() -> None:
    clips = [script(0, clip) for clip in range(10)]
    follow = [
        kendalltau(annotators.importance(clip)[::12], scores[::12]).statistic
        for clip in clips
        for scores in annotators.spread(annotators.ratings(clip), clip.n_frames)
    ]
    assert 0.25 < np.mean(follow) < 0.5
    for clip in clips:
        pieces = annotators.ratings(clip)
        assert len(np.unique(pieces, axis=0)) == len(pieces)
        assert (pieces.min(axis=1) < pieces.max(axis=1)).all()
        np.testing.assert_array_equal(pieces, annotators.ratings(clip))


def test_nobody_is_constant_on_the_shortest_clips() -> None:
    for clip in range(30):
        pieces = annotators.ratings(script(4, clip, (6, 7)))
        assert (pieces.min(axis=1) < pieces.max(axis=1)).all()
