"""What a run, `llmvs baselines` and `llmvs evaluate` print."""

import pytest

from llmvs.results.report import figures_text, run_table
from llmvs.results.schema import Result
from tests.results.toys import result

NAN = float("nan")
ROWS = {
    "This run": {"tau": 0.1234567, "rho": -0.2},
    "random": {"tau": 0.001, "rho": 0.0, "tau_sd": 0.0158, "rho_sd": 0.0194},
    "ceiling": {"tau": 0.4, "rho": 0.5},
}


def test_a_block():
    assert figures_text(
        {"paper": ROWS}, {"paper": "what it compares"}, ["A note."]
    ).splitlines() == [
        "paper: what it compares",
        "                                         tau      rho  tau: sd  rho: sd",
        "  This run                           +0.1235  -0.2000",
        "  Random                             +0.0010  +0.0000   0.0158   0.0194",
        "  Ceiling, the annotators' own mean  +0.4000  +0.5000",
        "",
        "A note.",
    ]


def test_equal_blocks_are_merged_and_f1_is_in_per_cent():
    printed = figures_text(
        {
            "paper": ROWS,
            "per_annotator": dict(ROWS),
            "f1": {"This run": {"mean": 0.5, "maximum": 1.0}},
        },
        {"paper": "x", "f1": "y"},
    )
    assert printed.splitlines()[0] == "paper = per_annotator: x"
    assert printed.splitlines()[-2:] == [
        "            mean %   max %",
        "  This run   50.00  100.00",
    ]


def test_highlights_have_columns_of_their_own():
    printed = figures_text(
        {
            "paper": ROWS,
            "map": {
                "This run": {"at_50": 0.5, "at_15": 0.25},
                "random": {"at_50": 0.5, "at_15": 0.15, "at_50_sd": 0.01, "at_15_sd": 0.02},
            },
        },
        {"map": "y"},
    )
    assert printed.splitlines()[-4:] == [
        "map: y",
        "            mAP50 %  mAP15 %  mAP50 %: sd  mAP15 %: sd",
        "  This run    50.00    25.00",
        "  Random      50.00    15.00         1.00         2.00",
    ]


def test_equal_blocks_are_merged_although_undefined():
    one, other = ({"This run": {"tau": float(word), "rho": 0.5}} for word in ("nan", "nan"))
    printed = figures_text({"paper": one, "per_annotator": other}, {"paper": "x"})
    assert printed.splitlines()[0] == "paper = per_annotator: x"


def test_undefined_is_said():
    printed = figures_text({"paper": {"This run": {"tau": NAN, "rho": NAN}}}, {})
    assert printed.splitlines()[-1] == "  This run  undefined  undefined"


def test_a_tie_broken_row_stands_under_the_row_it_repeats():
    rows = {key: {"tau": 0.1, "rho": 0.1} for key in ("captioner_zero_shot",)}
    rows |= {"captioner_zero_shot/untied": {"tau": 0.2, "rho": 0.2}}
    lines = figures_text({"paper": rows}, {}).splitlines()
    assert lines[2].split("  ")[1] == "Captioner alone, zero-shot"
    assert lines[3].split("  ")[1] == "The same, ties broken by chance"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "selection=val: epoch 7 of 20, best on held-out videos, by paper tau"),
        ({"selection_by": []}, "selection=val: epoch 7 of 20, best on held-out videos"),
        (
            {"selection": "test", "selection_by": ["paper/rho", "paper/tau"]},
            (
                "selection=test: epoch 7 of 20, best on the TEST videos, by paper rho, as published"
                " figures mostly are"
            ),
        ),
        (
            {"selection": "last", "method": {"model": "captioner", "lora": True}},
            "the captioner, fine-tuned (LoRA); selection=last: epoch 7 of 20, last epoch",
        ),
        (
            {"epochs": 0, "method": {"model": "scorer", "lora": False}},
            "the scorer alone, zero-shot: nothing is trained",
        ),
    ],
)
def test_the_lines_above_say_what_was_run(changes, line):
    printed = run_table(Result.of(result(0, 3, **changes))).splitlines()
    assert printed[:2] == [
        "summe, paper splits, fold 0, seed 3: 4 videos trained on, 1 held out, 3 tested",
        line,
    ]


def test_videos_of_other_datasets_are_counted():
    made = {"folder": "cache/tvsum", "identity": {}}
    videos = {"train": ["video_1", "tvsum/video_1", "tvsum/video_2"], "val": [], "test": []}
    printed = run_table(Result.of(result(0, 3, videos=videos, other_datasets={"tvsum": made})))
    assert "3 videos trained on (2 of tvsum), 0 held out" in printed
