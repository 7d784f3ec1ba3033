"""Lengths, times and ranges: what is read, and one line for what is not."""

import pytest

from llmvs.errors import UserError
from llmvs.summary.times import clock, length_of, range_of, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("40", 40), ("40s", 40), ("1:30", 90), ("0:00.5", 0.5), ("1:02:03", 3723), ("90:00", 5400)],
)
def test_times(text, seconds):
    assert seconds_of(text, "--keep") == seconds


@pytest.mark.parametrize("text", ["", "a", "1:60", "-3", "1:2:3:4", "1e3", "nan", "1:70:00"])
def test_no_times(text):
    with pytest.raises(UserError, match=r"--keep: .* is no time: write seconds, M:SS or H:MM:SS"):
        seconds_of(text, "--keep")


@pytest.mark.parametrize(
    ("text", "seconds"), [("15%", 30), ("100%", 200), ("0.5 %", 1), ("90s", 90), ("1:30", 90)]
)
def test_lengths(text, seconds):
    assert length_of(text, 200.0) == seconds


def test_a_share_of_an_unknown_duration_is_unknown():
    assert length_of("15%", None) is None
    assert length_of("90s", None) == 90


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0%", "--length 0%: must be above 0% and at most 100%"),
        ("101%", "must be above 0% and at most 100%"),
        ("nan%", "must be above 0%"),
        ("x%", "must be above 0%"),
        ("-5%", "must be above 0%"),
        ("0s", "--length 0s: a summary of no length"),
        ("90", "--length 90: 90 of what?"),
        ("0.15", "of what?"),
        ("long", "--length long: not a length"),
        ("", "not a length"),
    ],
)
def test_no_lengths(text, said):
    with pytest.raises(UserError) as error:
        length_of(text, 200.0)
    assert said in str(error.value)
    assert str(error.value).endswith("write a share of the video (15%) or a time (90s, 1:30)")


@pytest.mark.parametrize("text", ["0:30", "0:40-0:30", "5-5", "1-2-3", "a-b", "-", ""])
def test_no_ranges(text):
    with pytest.raises(UserError, match="--drop"):
        range_of(text, "--drop")


def test_times_for_people():
    assert [clock(s) for s in (0, 59.96, 3599.96, 7384.2)] == [
        "0:00.0",
        "1:00.0",
        "1:00:00.0",
        "2:03:04.2",
    ]
