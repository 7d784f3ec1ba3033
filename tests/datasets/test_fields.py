"""Fields of data files: what is certain is read, the rest is one line that names the place."""

import numpy as np
import pytest

from llmvs.datasets import fields
from llmvs.errors import UserError

PLACE = "a.h5: video_1: field"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2], [1, 2]),
        ([1.0, 2.0], [1, 2]),
        (np.array([1, 2], np.uint8), [1, 2]),
        (np.array([[1], [2]]), [1, 2]),  # a MATLAB column
        (np.array([True, False]), [1, 0]),
    ],
)
def test_whole_numbers_are_read_however_they_are_stored(value, expected):
    found = fields.whole_numbers(value, PLACE, ("steps",))
    assert found.tolist() == expected
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([0.0, 15.7], r"is 15.7 at \[1\], expected whole numbers"),
        ([1, np.nan], r"is nan at \[1\], expected finite"),
        ([1 + 2j], "holds complex numbers"),
        (["1", "2"], "holds text"),
        ([b"1"], "holds text"),
        (np.array([{}]), "holds objects"),
        ([[1, 2], [3, 4]], r"has shape \[2, 2\], expected \[steps\]"),
        ([-1], r"is -1 at \[0\], expected 0 to"),
        ([1e300], r"is 1e\+300 at \[0\], expected 0 to"),
        (np.array([2**64 - 1], np.uint64), "expected 0 to"),
        (np.zeros(2, "datetime64[s]"), "holds values of type datetime64"),
    ],
)
def test_nothing_is_changed_into_a_whole_number(value, reason):
    with pytest.raises(UserError, match=reason) as caught:
        fields.whole_numbers(value, PLACE, ("steps",))
    assert str(caught.value).startswith(PLACE)


def test_a_rating_that_8_bits_do_not_hold_is_refused_not_wrapped():
    with pytest.raises(UserError, match=r"is 257 at \[0, 1\], expected 1 to 5"):
        fields.whole_numbers([[1, 257]], PLACE, ("annotators", 2), low=1, high=5)


def test_a_vote_that_is_no_number_is_no_vote_against():
    assert fields.votes([[0, 3, 1]], PLACE, 3).tolist() == [[0, 1, 1]]
    with pytest.raises(UserError, match=r"is nan at \[0, 1\]"):
        fields.votes([[0, np.nan, 1]], PLACE, 3)
    with pytest.raises(UserError, match=r"shape \[1, 3\], expected \[annotators, 4\]"):
        fields.votes([[0, 1, 1]], PLACE, 4)


@pytest.mark.parametrize("value", [165, 165.0, [165], [[165]], np.array(165, np.uint16)])
def test_one_number_may_stand_in_an_array(value):
    assert fields.whole_number(value, PLACE) == 165


@pytest.mark.parametrize("value", [[1, 2], [], "165", 1.5, np.inf])
def test_other_things_are_no_whole_number(value):
    with pytest.raises(UserError, match="field: "):
        fields.whole_number(value, PLACE)


@pytest.mark.parametrize(
    "value", ["Bär", "Bär".encode(), np.array(["Bär"]), np.array("Bär", object)]
)
def test_text(value):
    assert fields.text(value, PLACE) == "Bär"


@pytest.mark.parametrize("value", [b"\xff\xfe", 3, ["a", "b"]])
def test_no_text(value):
    with pytest.raises(UserError, match="field: "):
        fields.text(value, PLACE)


SHOTS = [[0, 29], [30, 59], [60, 99]]


@pytest.mark.parametrize(
    "stored",
    [
        SHOTS,
        [[0, 30], [30, 60], [60, 100]],  # the end belongs to the next shot
        [[0, 29], [30, 59], [60, 120]],  # past the end, as in published files
        [[0.0, 29.0], [30.0, 59.0], [60.0, 99.0]],
    ],
)
def test_both_conventions_of_shots_are_read(stored):
    assert fields.shots(stored, PLACE, 100).tolist() == SHOTS
    assert fields.shots([[0, 100]], PLACE, 100).tolist() == [[0, 99]]


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ([[0, 29], [30, 60], [60, 99]], "shot 1 ends at frame 60 and shot 2 begins at 60"),
        ([[0, 29], [35, 59], [60, 99]], "shot 0 ends at frame 29 and shot 1 begins at 35"),
        ([[5, 29], [30, 99]], "shot 0 begins at frame 5"),
        ([[0, 29], [30, 80]], "the last shot, 1, ends at frame 80 of 100"),
        ([[0, 2], [3, 9]], r"ends at frame 9 of 100 \(in seconds\?\)"),
        ([[0, 2.5], [2.5, 100]], r"is 2.5 at \[0, 1\]"),
        ([[0, 119], [120, 140]], "shot 1 begins at frame 120, behind"),
        ([[0, 30], [30, 30], [30, 100]], "shot 1 holds no frame"),
        (np.zeros((0, 2)), "holds no shots"),
        ([0, 99], r"shape \[2\]"),
    ],
)
def test_other_shots_are_refused_by_name(stored, reason):
    with pytest.raises(UserError, match=reason) as caught:
        fields.shots(stored, PLACE, 100)
    assert str(caught.value).startswith(PLACE)
