"""The choice of shots: the best that fits, what is kept and dropped, and one line for what cannot
be.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from llmvs.errors import UserError, VideoError
from llmvs.summary.choice import WORTH, Wishes, choose, covered
from tests.video.seen import cut_at, seen

SHOTS = cut_at(0, 35, 60, 90, 120, 155, 180, 220, 250, 280)


def scores(footage, seed=1):
    return np.random.default_rng(seed).random(len(footage.picks))


def sizes(choice):
    return choice.shots[:, 1] - choice.shots[:, 0] + 1


def frames_of(choice, n_frames=300):
    inside = np.zeros(n_frames, dtype=bool)
    for first, last in choice.shots[choice.chosen]:
        inside[first : last + 1] = True
    return inside


def covers(choice, n_frames=300):
    firsts, lasts = choice.shots.T
    return firsts[0] == 0 and lasts[-1] == n_frames - 1 and (firsts[1:] == lasts[:-1] + 1).all()


@pytest.mark.parametrize("length", ["10%", "35%", "9s", "0:20", "100%"])
def test_no_other_choice_is_worth_more(length):
    footage = seen()
    choice = choose(footage, scores(footage), SHOTS, Wishes(length))
    assert covers(choice)
    room = {"10%": 30, "35%": 105, "9s": 90, "0:20": 200, "100%": 300}[length]
    assert sizes(choice)[choice.chosen].sum() <= room
    values = choice.values + WORTH
    best = (
        max(
            sum(values[list(mask)])
            for picked in product([False, True], repeat=len(values))
            if sizes(choice)[mask := np.array(picked)].sum() <= room
        )
        if len(values) <= 14
        else None
    )
    assert best is None or values[choice.chosen].sum() == pytest.approx(best)


def test_a_shot_is_worth_the_mean_of_its_frames():
    footage = seen()
    given = scores(footage)
    choice = choose(footage, given, SHOTS, Wishes("30%"))
    held = np.repeat(given, 5)
    for (first, last), value in zip(choice.shots, choice.values, strict=True):
        assert value == pytest.approx(held[first : last + 1].mean())


def test_a_short_shot_joins_the_neighbour_behind_the_softer_cut():
    change = np.zeros(300, dtype=np.float32)
    change[[100, 104, 200]] = 9, 5, 1
    footage = seen(change=change)
    choice = choose(footage, scores(footage), cut_at(0, 100, 104, 200), Wishes("100%"))
    assert {0, 100, 200} <= set(choice.shots[:, 0])
    assert 104 not in choice.shots[:, 0]
    assert (sizes(choice) >= 15).all()
    change[100] = 4
    other = choose(footage, scores(footage), cut_at(0, 100, 104, 200), Wishes("100%"))
    assert 104 in other.shots[:, 0]
    assert 100 not in other.shots[:, 0]


def test_one_long_shot_is_divided_so_that_a_part_fits():
    footage = seen()
    given = np.zeros(60)
    given[40:44] = 1  # frames 200 to 219
    choice = choose(footage, given, cut_at(0), Wishes("15%"))
    assert covers(choice)
    assert 30 <= sizes(choice)[choice.chosen].sum() <= 45
    assert frames_of(choice)[200:220].mean() >= 0.75
    assert (sizes(choice) >= 15).all()


@pytest.mark.parametrize("length", ["1s", "0.4s", "2%"])
def test_a_summary_shorter_than_the_shortest_shot(length):
    footage = seen()
    choice = choose(footage, scores(footage), SHOTS, Wishes(length))
    room = {"1s": 10, "0.4s": 4, "2%": 6}[length]
    assert 0 < sizes(choice)[choice.chosen].sum() <= room


def test_a_share_of_three_frames_is_one_frame():
    footage = seen(3, every=1)
    choice = choose(footage, np.array([0.0, 1.0, 0.0]), cut_at(0, n_frames=3), Wishes("15%"))
    assert frames_of(choice, 3).tolist() == [False, True, False]


def test_where_nothing_has_a_score_the_summary_is_not_empty():
    footage = seen()
    choice = choose(footage, np.zeros(60), SHOTS, Wishes("15%"))
    assert sizes(choice)[choice.chosen].sum() >= 30


def test_kept_ranges_are_in_it_and_dropped_ones_are_not():
    footage = seen()
    given = scores(footage)
    wishes = Wishes("50%", keep=((1.0, 2.5), (28.0, 30.4)), drop=((4.0, 9.0), (20.0, 20.5)))
    choice = choose(footage, given, SHOTS, wishes)
    inside = frames_of(choice)
    assert inside[10:25].all()
    assert inside[280:300].all()
    assert not inside[40:90].any()
    assert not inside[200:205].any()
    assert covers(choice)
    assert 100 < inside.sum() <= 150
    assert {10, 25, 280, 40, 90, 200, 205} <= set(choice.shots[:, 0])


def test_a_kept_range_of_the_whole_length_is_the_summary():
    footage = seen()
    choice = choose(footage, scores(footage), SHOTS, Wishes("3s", keep=((5.0, 8.0),)))
    assert np.flatnonzero(frames_of(choice)).tolist() == list(range(50, 80))


def test_top_passes_over_what_does_not_fit():
    footage = seen()
    given = np.zeros(60)
    given[:10], given[20:30], given[40:50] = 1.0, 0.9, 0.8
    shots = cut_at(0, 50, 100, 150, 200, 250)
    top = choose(footage, given, shots, Wishes("12s", "top"))
    assert frames_of(top)[:50].all()
    assert frames_of(top)[100:150].all()
    assert frames_of(top).sum() == 100


def test_by_steps_takes_short_pieces():
    footage = seen()
    given = np.zeros(60)
    given[[3, 4, 5, 30, 31, 32]] = 1
    choice = choose(footage, given, SHOTS, Wishes("10%", "steps"))
    assert set(sizes(choice)) == {15}
    assert np.flatnonzero(frames_of(choice)).tolist() == [*range(15, 30), *range(150, 165)]
    single = choose(footage, given, SHOTS, Wishes("10%", "steps", shortest=0))
    assert set(sizes(single)) == {5}


@pytest.mark.parametrize("by", ["shots", "steps", "top"])
@pytest.mark.parametrize("shortest", [1.5, 0.0, 4.0])
def test_whatever_the_length_something_is_chosen_and_no_more(by, shortest):
    uneven = np.random.default_rng(2).choice([0.03, 0.04, 0.2], 325)
    for footage in (
        seen(325, fps=25, every=12),
        seen(325, every=12, times=np.append(0, np.cumsum(uneven)[:-1])),
    ):
        shots = cut_at(0, 70, 81, 200, 290, n_frames=325)
        for percent in (*range(1, 20), 33, 50, 77, 100):
            wishes = Wishes(f"{percent}%", by, shortest=shortest)
            choice = choose(footage, scores(footage), shots, wishes)
            assert covers(choice, 325)
            chosen = choice.shots[choice.chosen]
            lasts = sum(footage.edges[last + 1] - footage.edges[first] for first, last in chosen)
            assert 0 < lasts <= percent / 100 * footage.duration * 1.01 + 0.05


def test_steps_that_outlast_the_summary_are_single_ones():
    footage = seen()  # a step lasts half a second
    choice = choose(footage, scores(footage), SHOTS, Wishes("0.8s", "steps"))
    assert set(sizes(choice)) == {5}
    assert choice.chosen.sum() == 1
    assert choice.values[choice.chosen] == choice.values.max()


def test_a_summary_in_which_no_frame_fits_is_one_line():
    for by in ("shots", "steps", "top"):
        with pytest.raises(VideoError) as error:
            choose(seen(), scores(seen()), SHOTS, Wishes("0.05s", by))
        assert str(error.value) == (
            "seen.mp4: no piece of it fits in --length 0.05s (0.05 seconds): ask for more"
        )


def test_uneven_time_stamps_count_by_time():
    gaps = np.tile([0.03, 0.03, 0.24], 100)  # 10 frames a second in the mean
    footage = seen(times=np.append(0, np.cumsum(gaps)[:-1]))
    choice = choose(footage, scores(footage), SHOTS, Wishes("6s"))
    edges = footage.edges
    lasts = sum(edges[last + 1] - edges[first] for first, last in choice.shots[choice.chosen])
    assert 3 < lasts <= 6 + 0.05


def test_long_videos_count_in_several_frames(monkeypatch):
    footage = seen()
    fine = choose(footage, scores(footage), SHOTS, Wishes("30%"))
    monkeypatch.setattr("llmvs.summary.choice.CELLS", 200)
    coarse = choose(footage, scores(footage), SHOTS, Wishes("30%"))
    assert 45 <= frames_of(coarse).sum() <= 90
    assert coarse.values[coarse.chosen].sum() <= fine.values[fine.chosen].sum()


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"length": "31s"}, "seen.mp4: --length 31s is longer than the video (0:30.0)"),
        ({"keep": ((25, 40),)}, "--keep 0:25.0-0:40.0 reaches beyond the end of the video"),
        ({"drop": ((30, 31),)}, "--drop 0:30.0-0:31.0 reaches beyond the end of the video"),
        ({"keep": ((0, 5),)}, "--keep holds 5.0 seconds, more than the summary's 4.5"),
        ({"keep": ((0, 3), (10, 12))}, "--keep holds 5.0 seconds"),
        ({"drop": ((0, 20), (15, 30))}, "--drop leaves nothing of the video"),
    ],
)
def test_wishes_that_do_not_fit_the_video(wishes, said):
    footage = seen()
    with pytest.raises(VideoError) as error:
        choose(footage, scores(footage), SHOTS, Wishes(**wishes))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"length": "0"}, "--length 0"),
        ({"by": "shot"}, "--by shot: no such way: did you mean shots?"),
        ({"shortest": -1.0}, "shortest=-1.0"),
        (
            {"keep": ((0, 5),), "drop": ((4, 6),)},
            "--keep 0:00.0-0:05.0 and --drop 0:04.0-0:06.0 overlap",
        ),
    ],
)
def test_wishes_that_make_no_sense(wishes, said):
    with pytest.raises(UserError) as error:
        Wishes(**wishes)
    assert said in str(error.value)


def test_touching_ranges_do_not_overlap():
    Wishes(keep=((0, 5),), drop=((5, 6),))
    assert covered(((0, 5), (5, 6)), 30) == 6


def test_steps_that_begin_late():
    footage = seen()
    late = replace(footage, picks=footage.picks[2:], features=footage.features[2:])
    choice = choose(late, np.full(58, 0.5), SHOTS, Wishes("30%"))
    assert choice.values.tolist() == pytest.approx([0.5] * len(choice.values))
