"""Splits: the published ones are what they claim, the validation part is honest."""

import json

import pytest

from llmvs.datasets.base import Dataset
from llmvs.datasets.splits import fold, generated, published
from llmvs.errors import UserError


@pytest.mark.parametrize(("name", "videos"), [("summe", 25), ("tvsum", 50)])
def test_published_splits(name, videos):
    everything = {f"video_{i}" for i in range(1, videos + 1)}
    for splits in published(name).values():
        assert len(splits) == 5
        for train, test in splits:
            assert len(test) == videos // 5
            assert set(train) | set(test) == everything
            assert not set(train) & set(test)
    tested = [key for _, test in published(name)["disjoint"] for key in test]
    assert sorted(tested) == sorted(everything)
    assert (
        len({key for _, test in published(name)["paper"] for key in test})
        == {25: 18, 50: 34}[videos]
    )


@pytest.mark.parametrize("name", ["summe", "tvsum"])
def test_published_splits_are_the_published_ones(shared, name):
    rows = json.loads((shared / "splits" / f"pglsum_{name}.json").read_text())
    assert [set(test) for _, test in published(name)["paper"]] == [
        set(row["test_keys"]) for row in rows
    ]
    lines = (shared / "splits" / f"csta_{name}.txt").read_text().split()
    assert [set(test) for _, test in published(name)["disjoint"]] == [
        set(line.split("/")[3].split(",")) for line in lines
    ]


def test_generated_splits():
    keys = [f"video_{i}" for i in range(1, 14)]
    splits = generated(keys, "made")
    assert sorted(key for _, test in splits["disjoint"] for key in test) == sorted(keys)
    for train, test in splits["paper"]:
        assert len(test) == 3
        assert set(train) | set(test) == set(keys)
    assert generated(keys[::-1], "made") == splits
    assert generated(keys, "other") != splits
    with pytest.raises(UserError, match="4 videos are too few for 5 folds"):
        generated(keys[:4], "made")


def test_validation_part_is_carved_out_of_the_training_videos_and_depends_on_the_fold_alone():
    dataset = Dataset("summe", "votes", {}, published("summe"))
    seen = []
    for index in range(5):
        one = fold(dataset, "paper", index, 0.2)
        train, test = dataset.splits["paper"][index]
        assert set(one.train) | set(one.val) == set(train)
        assert not set(one.train) & set(one.val)
        assert (len(one.val), set(one.test)) == (4, set(test))
        assert fold(dataset, "paper", index, 0.2) == one
        seen.append(one.val)
    assert len(set(seen)) == 5
    assert fold(dataset, "paper", 0, 0.0).val == ()
    assert fold(dataset, "paper", 0, 0.0).train == tuple(dataset.splits["paper"][0][0])


def test_mistakes():
    dataset = Dataset("summe", "votes", {}, published("summe"))
    with pytest.raises(UserError, match="fold=5: summe has 5 paper folds, 0 to 4"):
        fold(dataset, "paper", 5, 0.2)
    tiny = Dataset("made", "votes", {}, {"paper": [(["a"], ["b"])], "disjoint": []})
    with pytest.raises(UserError, match="too few to hold 1 out"):
        fold(tiny, "paper", 0, 0.2)
