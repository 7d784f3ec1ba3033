"""Scripts are pure, lawful and varied, and pictures show what scripts say: every figure, every
event, in every frame looked at.
"""

import itertools
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from llmvs.demo.world.catalogue import ACTIONS, EVENTS, EVERYWHERE, FIGURES, PEOPLE, PLACES
from llmvs.demo.world.draw import Painter, frame
from llmvs.demo.world.script import FPS, TRAINING_SEEDS, Scene, Script, script
from llmvs.demo.world.words import random_sentence, sentence, wordings

SCRIPTS = [script(seed, clip) for seed in (0, 1, TRAINING_SEEDS) for clip in range(25)]
SCENES = [scene for clip in SCRIPTS for scene in clip.scenes]


def changed(first: np.ndarray, second: np.ndarray) -> int:
    """How many pixels differ clearly."""
    return int((np.abs(first.astype(int) - second).max(axis=2) > 24).sum())


def test_scripts_are_pure() -> None:
    assert script(3, 4) == script(3, 4)
    assert script(3, 4) != script(3, 5)
    assert script(3, 4) != script(4, 4)


def test_scripts_survive_a_file() -> None:
    for clip in SCRIPTS[:5]:
        assert Script.from_json(json.loads(json.dumps(clip.to_json()))) == clip


@pytest.mark.parametrize("seconds", [(6, 9), (40, 70), (120, 120)])
def test_lengths(seconds: tuple[float, float]) -> None:
    for number in range(10):
        clip = script(5, number, seconds)
        assert seconds[0] * FPS <= clip.n_frames <= seconds[1] * FPS
        assert min(scene.n_frames for scene in clip.scenes) >= FPS
        ends = [last for _, last in clip.shots.tolist()]
        assert clip.shots[0, 0] == 0
        assert ends[-1] == clip.n_frames - 1
        assert clip.shots[1:, 0].tolist() == [end + 1 for end in ends[:-1]]


def test_locate_counts_frames_as_the_shots_do() -> None:
    clip = SCRIPTS[0]
    for scene, (first, last) in zip(clip.scenes, clip.shots.tolist(), strict=True):
        assert clip.locate(first) == (scene, 0)
        assert clip.locate(last) == (scene, scene.n_frames - 1)
    with pytest.raises(IndexError):
        clip.locate(clip.n_frames)


def test_every_scene_keeps_the_laws_of_its_place() -> None:
    for scene in SCENES:
        place = PLACES[scene.place]
        assert scene.time in place.times
        assert scene.weather in (place.weathers or ("",))
        assert 1 <= len(scene.actors) <= 3
        for actor in scene.actors:
            known = FIGURES[actor.kind][1] if actor.kind in FIGURES else EVERYWHERE + place.doings
            assert actor.action in known
            assert actor.kind in place.figures + PEOPLE or scene.event
        if scene.event:
            event = EVENTS[scene.event]
            assert scene.place in event.places
            assert scene.time in event.times
            assert not scene.weather or scene.weather in event.weathers
            assert not event.actor or (
                scene.actors[0].kind in event.actor and scene.actors[0].action == event.before
            )
            assert 0 < scene.event_frame < scene.n_frames / 2


def test_no_two_clips_share_a_scene() -> None:
    """Neither within a world, nor a demo's world with one for training."""
    for one, other in itertools.combinations(SCRIPTS, 2):
        assert not {scene.layout for scene in one.scenes} & {scene.layout for scene in other.scenes}
        assert not {scene.actors for scene in one.scenes} & {scene.actors for scene in other.scenes}


def test_clips_hold_what_happens_once_and_what_repeats() -> None:
    once = repeated = recurring = 0
    for clip in SCRIPTS:
        events = [scene.event for scene in clip.scenes if scene.event]
        shots = [
            (scene.layout, tuple((a.kind, a.colour, a.action) for a in scene.actors))
            for scene in clip.scenes
            if not scene.event
        ]
        assert events
        assert len(events) < len(shots)
        once += any(events.count(event) == 1 for event in events)
        recurring += any(events.count(event) > 1 for event in events)
        repeated += len(set(shots)) < len(shots)
        assert sum(a == b for a, b in itertools.pairwise(events)) <= len(events) // 2
    assert min(once, repeated, recurring) > 0.8 * len(SCRIPTS)


def test_everything_in_the_catalogue_occurs() -> None:
    assert {scene.place for scene in SCENES} == set(PLACES)
    assert {scene.event for scene in SCENES} == {None, *EVENTS}
    assert {actor.action for scene in SCENES for actor in scene.actors} == set(ACTIONS)
    assert {actor.kind for scene in SCENES for actor in scene.actors} == {*PEOPLE, *FIGURES}


def test_every_sentence_names_every_fact() -> None:
    for scene in SCENES[::7]:
        for number in (0, scene.n_frames - 1):
            moment = scene.moment(number)
            assert (moment.event is not None) == bool(scene.event and number)
            for text in wordings(moment):
                assert text[0].isupper()
                assert text.endswith(".")
                assert "{" not in text
                assert PLACES[moment.place].phrase in text[0].lower() + text[1:]
                for kind, colour, _ in moment.actors:
                    assert f"{kind} in a {colour}" in text or f"{colour} {kind}" in text.lower()


def test_sentences_tell_moments_apart() -> None:
    moments = {scene.moment(number) for scene in SCENES for number in (0, scene.n_frames - 1)}
    assert len({sentence(moment) for moment in moments}) == len(moments)


def test_random_sentences_use_all_wordings() -> None:
    moment = SCENES[0].moment(0)
    rng = np.random.default_rng(0)
    assert {random_sentence(moment, rng) for _ in range(60)} == set(wordings(moment))
    assert len(wordings(moment)) >= 3


def test_frames_are_pure() -> None:
    clip = SCRIPTS[1]
    number = clip.n_frames // 3
    scene, inside = clip.locate(number)
    painter = Painter(scene)
    painter.frame(0)
    assert painter.frame(inside).shape == (180, 320, 3)
    np.testing.assert_array_equal(painter.frame(inside), frame(clip, number))


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_seen_in_every_frame_in_which_it_is_named(name: str) -> None:
    scene = next(scene for scene in SCENES if scene.event == name)
    with_event, never = Painter(scene), Painter(replace(scene, event_frame=10**6))
    for number in np.linspace(scene.event_frame + 2, scene.n_frames - 1, 9).astype(int).tolist():
        assert changed(with_event.frame(number), never.frame(number)) > 100, number


def test_every_figure_is_seen_in_every_frame() -> None:
    for scene in [scene for scene in SCENES if not scene.event][::12]:
        whole = Painter(scene)
        for i in range(len(scene.actors)):
            without = Painter(replace(scene, actors=scene.actors[:i] + scene.actors[i + 1 :]))
            for number in (0, scene.n_frames // 2, scene.n_frames - 1):
                assert changed(whole.frame(number), without.frame(number)) > 60, (scene, i, number)


def test_figures_stay_in_the_picture() -> None:
    """The changed pixels do not touch the picture's sides, whatever the camera does."""
    for scene in [scene for scene in SCENES if not scene.event and scene.camera != "still"][::15]:
        for number in (0, scene.n_frames - 1):
            empty = Painter(replace(scene, actors=())).frame(number)
            apart = np.abs(Painter(scene).frame(number).astype(int) - empty).max(axis=2) > 24
            assert not apart[:, [0, -1]].any(), scene


def test_places_and_times_look_different() -> None:
    """A thumbnail's nearest neighbour among other layouts shows the same place and time."""

    def thumbnail(place: str, time: str, layout: int) -> np.ndarray:
        scene = Scene(
            place,
            time,
            "clear" if PLACES[place].weathers else "",
            layout,
            (),
            None,
            0,
            200,
            "still",
            48,
        )
        return cv2.resize(Painter(scene).frame(0), (16, 9), interpolation=cv2.INTER_AREA).astype(
            float
        )

    names = [(place, time) for place, kind in PLACES.items() for time in kind.times]
    seen, other = ([thumbnail(*name, layout) for name in names] for layout in (1, 2))
    hits = sum(
        int(np.argmin([((picture - known) ** 2).mean() for known in other])) == i
        for i, picture in enumerate(seen)
    )
    assert hits >= 0.8 * len(names)
