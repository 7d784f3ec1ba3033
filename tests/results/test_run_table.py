"""Tables as text."""

from llmvs.evaluation.baselines import Figure
from llmvs.results.run_table import text_table

ROWS = {
    "This run": Figure(0.1234567, -0.2),
    "random": Figure(0.001, 0.0, 0.0158, 0.0194),
    "ceiling": Figure(0.4, 0.5),
}


def test_a_block():
    assert text_table({"paper": ROWS}, {"paper": "what it compares"}, ["A note."]).splitlines() == [
        "paper: what it compares",
        "                                         tau      rho",
        "  This run                           +0.1235  -0.2000",
        "  Random                             +0.0010  +0.0000   sd 0.0158 0.0194",
        "  Ceiling, the annotators' own mean  +0.4000  +0.5000",
        "",
        "A note.",
    ]


def test_equal_blocks_are_merged_and_f1_is_in_per_cent():
    text = text_table(
        {"paper": ROWS, "per_annotator": dict(ROWS), "f1": {"This run": Figure(0.5, 1.0)}},
        {"paper": "x", "f1": "y"},
    )
    assert text.splitlines()[0] == "paper = per_annotator: x"
    assert text.splitlines()[-2:] == [
        "             mean %    max %",
        "  This run    50.00   100.00",
    ]


def test_highlights_have_columns_of_their_own():
    text = text_table(
        {
            "paper": ROWS,
            "map": {"This run": Figure(0.5, 0.25), "random": Figure(0.5, 0.15, 0.01, 0.02)},
        },
        {"map": "y"},
    )
    assert text.splitlines()[-4:] == [
        "map: y",
        "            mAP50 %  mAP15 %",
        "  This run    50.00    25.00",
        "  Random      50.00    15.00   sd 1.00 2.00",
    ]


def test_equal_blocks_are_merged_although_undefined():
    one, other = ({"This run": Figure(float(word), 0.5)} for word in ("nan", "nan"))
    assert (
        text_table({"paper": one, "per_annotator": other}, {"paper": "x"}).splitlines()[0]
        == "paper = per_annotator: x"
    )


def test_undefined_is_said():
    assert (
        text_table({"paper": {"This run": Figure(float("nan"), float("nan"))}}, {}).splitlines()[-1]
        == "  This run undefined undefined"
    )
