"""Kernel Temporal Segmentation against the published table, brute force and `ruptures`; and cuts
found to the frame.
"""

import time
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from llmvs.video import shots
from llmvs.video.footage import watch
from llmvs.video.shots import find_shots, segment
from llmvs.video.writer import write

CUTS = [0, 23, 61, 74, 150, 181]


def steps(seed, n=60, dim=8, noise=0.1):
    """Steps of unit length around means that change every few steps."""
    rng = np.random.default_rng(seed)
    rows = []
    while len(rows) < n:
        mean = rng.normal(size=dim)
        rows += [mean + noise * rng.normal(size=dim) for _ in range(rng.integers(2, 9))]
    found = np.array(rows[:n])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def cost(rows):
    return float(((rows - rows.mean(axis=0)) ** 2).sum())


def published(rows, penalty, most):
    """The published algorithm: a table of all numbers of changes, then the penalty."""
    n = len(rows)
    table = {(a, b): cost(rows[a:b]) for a in range(n) for b in range(a + 1, n + 1)}
    least = [{b: (table[0, b], []) for b in range(1, n + 1)}]
    for m in range(1, most + 1):
        before = least[-1]
        least.append(
            {
                b: min((before[a][0] + table[a, b], [*before[a][1], a]) for a in range(m, b))
                for b in range(m + 1, n + 1)
            }
        )
    totals = [
        least[m][n][0] / n + (penalty * m / (2 * n) * (np.log(n / m) + 1) if m else 0)
        for m in range(most + 1)
    ]
    return least[int(np.argmin(totals))][n][1]


@pytest.mark.parametrize("penalty", [0.01, 0.1, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_changes_are_those_of_the_published_algorithm(seed, penalty):
    rows = steps(seed, 48, noise=0.05 + 0.1 * seed)
    assert segment(rows, penalty)[0].tolist() == published(rows, penalty, len(rows) - 1)


def test_brute_force():
    rows = steps(5, 11)

    def total(changes):
        edges = [0, *changes, len(rows)]
        m, n = len(changes), len(rows)
        within = sum(cost(rows[a:b]) for a, b in pairwise(edges))
        return within / n + (0.3 * m / (2 * n) * (np.log(n / m) + 1) if m else 0)

    every = [c for m in range(11) for c in combinations(range(1, 11), m)]
    assert segment(rows, 0.3)[0].tolist() == list(min(every, key=total))


@pytest.mark.parametrize("seed", range(3))
def test_ruptures_finds_the_same_for_as_many_changes(seed):
    ruptures = pytest.importorskip("ruptures")
    rows = steps(seed, 150)
    found = segment(rows, 0.2)[0].tolist()
    assert 10 < len(found) < 60
    algorithm = ruptures.KernelCPD(kernel="linear", min_size=1).fit(rows)
    assert algorithm.predict(n_bkps=len(found))[:-1] == found
    dynamic = ruptures.Dynp(model="l2", min_size=1, jump=1).fit(rows[:40])
    few = segment(rows[:40], 0.2)[0].tolist()
    assert dynamic.predict(n_bkps=len(few))[:-1] == few


@pytest.mark.parametrize("seed", range(3))
def test_changes_that_must_be(seed):
    rows = steps(seed, 14, noise=0.3)
    must = [3, 4, 11]

    def total(changes):
        m, n = len(changes), len(rows)
        within = sum(cost(rows[a:b]) for a, b in pairwise([0, *changes, n]))
        return within / n + 0.2 * m / (2 * n) * (np.log(n / m) + 1)

    others = [step for step in range(1, 14) if step not in must]
    every = [sorted([*c, *must]) for m in range(11) for c in combinations(others, m)]
    assert segment(rows, 0.2, must=must)[0].tolist() == min(every, key=total)
    assert segment(rows, 100.0, most=1, must=must)[0].tolist() == must


def test_changes_are_bounded():
    rows = steps(1)
    free = segment(rows, 0.01)[0]
    bounded = segment(rows, 0.01, most=6)[0]
    assert len(free) > 6 >= len(bounded) > 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_steps(n):
    assert segment(np.eye(4)[:n], 0.01)[0].tolist() == list(range(1, n))
    assert segment(np.ones((n, 4)) / 2, 0.01)[0].tolist() == []


def test_a_still_video_is_one_segment():
    noise = 1e-3 * np.random.default_rng(0).normal(size=(500, 8))
    assert segment(np.ones((500, 8)) / np.sqrt(8) + noise)[0].tolist() == []


def test_beyond_the_longest_changes_stand_further_apart_and_all_steps_count(monkeypatch):
    rows = np.repeat(steps(2, 40), 2, axis=0)
    exact, between = segment(rows, 0.3)
    assert between == 1
    assert len(exact) > 5
    assert set(exact % 2) == {0}
    monkeypatch.setattr(shots, "LONGEST", 60)
    apart, between = segment(rows, 0.3)
    assert between == 2
    assert apart.tolist() == exact.tolist()


def test_an_hour_takes_seconds_and_half_a_gigabyte():
    rows = steps(0, 7200, 64)
    began = time.process_time()
    changes, _ = segment(rows, most=3600)
    assert time.process_time() - began < 30
    assert 700 < len(changes) < 2400
    assert shots.LONGEST * (shots.LONGEST + 1) // 2 * 8 < 500e6


def clip(path: Path, cuts, n_frames=210, fps=25, seed=0) -> Path:
    """Patterns that drift, another at every cut."""
    rng = np.random.default_rng(seed)
    patterns = [
        np.kron(
            rng.integers(0, 90, (12, 20, 3)) + rng.integers(0, 160, 3), np.ones((16, 16, 1))
        ).astype(np.uint8)
        for _ in cuts
    ]

    def frames():
        for i in range(n_frames):
            shot = int(np.searchsorted(cuts, i, side="right")) - 1
            yield np.ascontiguousarray(np.roll(patterns[shot], i, axis=1)[:96, :160])

    write(path, frames(), fps)
    return path


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    return watch(clip(tmp_path_factory.mktemp("cuts") / "a.mp4", CUTS))


def test_cuts_are_found_to_the_frame(footage):
    found = find_shots(footage)
    assert found[:, 0].tolist() == CUTS
    assert found[:, 1].tolist() == [*(cut - 1 for cut in CUTS[1:]), 209]


def test_further_apart_places_find_the_frames_too(footage, monkeypatch):
    monkeypatch.setattr(shots, "LONGEST", 9)  # of 17 steps: a place at every second
    found = find_shots(footage)
    assert len(set(found[:, 0]) & set(CUTS)) >= 4
    assert (found[1:, 0] == found[:-1, 1] + 1).all()


def test_without_any_change_there_is_one_shot(footage):
    still = replace(
        footage,
        features=np.repeat(footage.features[:1], len(footage.features), axis=0),
        change=np.ones(210, dtype=np.float32),
    )
    assert find_shots(still).tolist() == [[0, 209]]


def test_a_hard_cut_between_alike_colours_is_found_and_a_flash_is_not(tmp_path):
    one = np.kron(np.random.default_rng(0).integers(60, 190, (6, 8)), np.ones((8, 8)))
    one = np.repeat(one[..., None], 3, axis=2).astype(np.uint8)
    other = np.ascontiguousarray(one[::-1])
    white = np.full_like(one, 250)

    def frames():
        for i in range(150):
            yield white if i in (40, 41) else other if i >= 87 else one

    write(tmp_path / "a.mp4", frames(), 25)
    footage = watch(tmp_path / "a.mp4")
    assert shots.hard_cuts(footage).tolist() == [87]
    assert find_shots(footage, penalty=100.0).tolist() == [[0, 86], [87, 149]]


def test_two_cuts_within_one_step_and_one_behind_the_last(footage):
    change = np.ones(210, dtype=np.float32)
    change[[0, 101, 110, 205]] = 0, 50, 60, 70
    still = replace(
        footage,
        features=np.repeat(footage.features[:1], len(footage.features), axis=0),
        change=change,
    )
    assert find_shots(still)[:, 0].tolist() == [0, 101, 110, 205]
