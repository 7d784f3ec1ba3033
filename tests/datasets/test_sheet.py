"""Tables as spreadsheets export them: read where they are certain, else one line."""

import pytest

from llmvs.datasets.scores import read_scores
from llmvs.datasets.sheet import read_sheet
from llmvs.errors import UserError

PLAIN = "video,second,anna,ben\na,0,3.5,1\na,1,4,2\n"
SHEET = {"a": {"anna": [3.5, 4.0], "ben": [1.0, 2.0]}}


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", ";").replace("3.5", "3,5"),
        PLAIN.replace(",", "\t").replace("3.5", "+3,50"),
        "sep=;\n" + PLAIN.replace(",", ";"),
        "sep=,\n" + PLAIN,
        PLAIN.replace("video,second", "Video,SECOND"),
        PLAIN.replace("second", "Seconds"),
        PLAIN.replace("second", "time").replace("a,0,", "a,0:00,").replace("a,1,", "a,0:00:01,"),
        PLAIN.replace("a,0,", "a,0:00,").replace("a,1,", "a,00:01,"),
        PLAIN.replace("a,0,", "a,0.0,").replace("a,1,", "a,1.000,"),
        PLAIN.replace("\n", ",,\n"),
        "\n\n" + PLAIN.replace("a,1", ",,,\na,1"),
        PLAIN.replace("\na,", '\n"a",').replace("3.5", '"3.5"'),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_same_scores_however_they_were_exported(tmp_path, text, encoding):
    (tmp_path / "s.csv").write_text(text, encoding=encoding, newline="")
    found = read_scores(tmp_path / "s.csv")
    assert (found.per, found.sheet) == ("second", SHEET)


def test_a_step_is_counted_and_no_time(tmp_path):
    (tmp_path / "s.csv").write_text(PLAIN.replace("second", "Step"))
    assert read_scores(tmp_path / "s.csv").per == "step"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PLAIN.replace("3.5", '"3,5"'), r"line 2: anna: '3,5' is not a number"),
        (
            PLAIN.replace(",", ";").replace("3.5", "3,5").replace(";2\n", ";2.5\n"),
            r"line 3: ben: '2\.5': other numbers of this table have ',' for a decimal point",
        ),
        (PLAIN.replace(",", ";").replace("3.5", "1.234,5"), "'1.234,5' is not a number"),
        (PLAIN.replace("3.5", "3_5"), "'3_5' is not a number"),
        (PLAIN.replace("3.5", "1e999"), "'1e999' is not a number"),
        (PLAIN.replace("3.5", "3 5"), "'3 5' is not a number"),
        (PLAIN.replace("3.5", "-"), "'-' is not a number"),
        (PLAIN.replace("a,1", "a,0:61"), "second 0:61 of a, expected second 1"),
        (PLAIN.replace("a,1", "a,1.5"), "second 1.5 of a, expected second 1"),
        (PLAIN.replace("a,1", "a,0:02"), "second 0:02 of a, expected second 1"),
        (PLAIN.replace("second", "step").replace("a,1", "a,0:01"), "step 0:01 of a, expected"),
        (PLAIN.replace("second", "time"), "line 2: '0' in the column time is not m:ss"),
        (PLAIN.replace("a,1,4,2", "a,1,4,2,9"), "line 3: 5 cells, expected 4"),
        (PLAIN.replace("ben", ""), "or one without a name"),
        (PLAIN.replace("second", "minute"), "line 1: expected the columns video, then second or"),
        ("", "found nothing"),
        ("sep=;", "line 1: expected the columns"),
    ],
)
def test_what_is_not_certain_is_one_line(tmp_path, text, reason):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(UserError, match=reason) as caught:
        read_scores(tmp_path / "s.csv")
    assert str(caught.value).startswith(str(tmp_path / "s.csv"))
    assert "\n" not in str(caught.value)


def test_bytes_of_another_encoding_are_one_line(tmp_path):
    (tmp_path / "s.csv").write_bytes(PLAIN.replace("anna", "Ren\u00e9").encode("latin-1"))
    with pytest.raises(UserError, match="not readable as CSV text"):
        read_scores(tmp_path / "s.csv")
    (tmp_path / "s.csv").write_bytes(b"\xff\xfev\0i\0")
    assert read_sheet(tmp_path / "s.csv").header == ["vi"]
    (tmp_path / "s.csv").write_bytes(b"\xff\xfev\0i\0d")
    with pytest.raises(UserError, match="not readable as CSV text"):
        read_sheet(tmp_path / "s.csv")
