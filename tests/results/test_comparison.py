"""Figures from results against numpy; what may stand in one table, and what is marked."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmvs.cli import main
from llmvs.errors import UserError
from llmvs.evaluation.bootstrap import paired_difference
from llmvs.experiments.crossval import summary
from llmvs.results.comparison import comparison, rule_tables
from llmvs.results.experiment import experiment, read_experiment
from llmvs.results.notes import Contender
from llmvs.results.published import (
    published,
    published_by_others,
    published_name,
    published_names,
)
from llmvs.results.tables import text
from tests.evaluation.toys import Best, register
from tests.results.toys import TESTS, format_2, result, results, write_results


def rows(*shifts: float, **changes: Any) -> list[Contender]:
    return [
        Contender(
            f"row {i}", experiment(f"summe-{i}", results(shift, **changes)), "mlp" if i else "llmvs"
        )
        for i, shift in enumerate(shifts)
    ]


def cell(table: Any, row: str, column: str) -> Any:
    names = [one.name for one in table.columns]
    return next(cells for cells in table.rows if cells[0] == row)[names.index(column)]


def test_means_are_over_videos_then_folds() -> None:
    found = experiment("a", results())
    means = np.array(
        [
            [
                np.mean(
                    [
                        found.runs[fold, seed].per_video["val"]["paper"][key][0]
                        for key in TESTS[fold]
                    ]
                )
                for seed in range(3)
            ]
            for fold in TESTS
        ]
    )
    figures = found.row("val", "paper")
    assert figures.weights.sum() == pytest.approx(1)
    assert figures.mean(0).mean == pytest.approx(means.mean())
    assert figures.sd(0) == pytest.approx(means.mean(axis=0).std(ddof=1))
    assert experiment("b", [result(0, 7)]).row("val", "paper").sd(0) is None


def test_random_has_the_deviation_of_one_draw_of_all_videos() -> None:
    rng = np.random.default_rng(0)
    draws = {key: rng.normal(0.1, 0.03, 20_000) for test in TESTS.values() for key in test}
    whole = np.mean(
        [np.mean([draws[key] for key in test], axis=0) for test in TESTS.values()], axis=0
    )
    baseline = experiment("a", results()).baseline("random", "paper")
    assert baseline is not None
    assert baseline.sd(0) == pytest.approx(whole.std(), rel=0.02)
    found = baseline.mean(0)
    assert (found.low, found.high) == pytest.approx(
        tuple(np.quantile(whole, [0.025, 0.975])), abs=0.002
    )


def test_a_comparison_pairs_the_videos() -> None:
    given = rows(0.0, -0.02)
    table = comparison(given)[0]
    a, b = (row.experiment.row("val", "paper") for row in given)
    want = paired_difference(b.values[:, :, 0], a.values[:, :, 0], weights=a.weights)
    assert cell(table, "row 1", "difference") == want.mean == pytest.approx(-0.02)
    assert cell(table, "row 1", "difference: 95 %") == (want.low, want.high)
    assert cell(table, "row 1", "p") == want.p
    assert cell(table, "row 0", "p") is None
    assert cell(table, "row 1", "published tau") == 0.182
    assert cell(table, "row 0", "published rho") == 0.282
    assert cell(table, "Random", "tau") == pytest.approx(0.1)
    assert "row 1: LLMVS, ablation of the aggregator" in table.notes[-1]
    assert cell(
        comparison(given, reference="row 1", rule="test")[0], "row 0", "difference"
    ) == pytest.approx(0.02)
    assert (
        comparison(rows(0, 0, dataset="demo", heading="demo"))[0].columns[-1].name == "p"
    )  # nothing is published there


def test_a_table_says_by_what_its_epochs_were_chosen() -> None:
    alike = [Contender(name, experiment(name, results())) for name in ("a", "b")]
    table = comparison(alike)[0]
    assert table.notes[0] == "Epoch: val: best on held-out videos, by paper tau."
    assert [cell(table, name, "epoch") for name in ("a", "b")] == ["val", "val"]
    assert table.heading.endswith("epoch: val (best on held-out videos, by paper tau)")
    assert table.about["by"] == "paper tau"
    other = Contender("b", experiment("b", results(selection_by=["loss"])))
    table = comparison([alike[0], other])[0]
    assert table.notes[0] == (
        "Epoch: val: best on held-out videos, by paper tau; val: best on held-out videos, by loss."
    )
    assert [cell(table, n, "epoch") for n in ("a", "b")] == ["val by paper tau", "val by loss"]
    assert table.heading.endswith("epoch: val (best on held-out videos, by paper tau or loss)")
    frozen = Contender("b", experiment("b", results(epochs=0, selection_by=["loss"])))
    assert comparison([alike[0], frozen])[0].about["by"] == "paper tau"
    last = comparison(alike, rule="last")[0]
    assert last.heading.endswith("epoch: last (last epoch)")
    assert "by" not in last.about


def test_what_other_criteria_choose_are_rows_below_their_rule() -> None:
    documents = results(selection_by=["paper/tau", "loss"])
    for one in documents:
        one["per_video"]["val-by-loss"] = one["per_video"]["test"]
    found = experiment("a", documents)
    assert found.rows[:3] == ["last", "val", "val-by-loss"]
    table = rule_tables(found)[0]
    assert cell(table, "best on held-out videos, by loss", "tau") == pytest.approx(
        cell(table, "best on the TEST videos", "tau")
    )
    assert table.notes[0].endswith("only chose the epoch of `val`. Best means: by paper tau.")


def with_best(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same results with a protocol of one measure beside the others."""
    for one in documents:
        tested = one["videos"]["test"]
        one["titles"]["best"] = Best.title
        one["protocols"]["best"] = {"This run": {"importance": 0.5}}
        for rule, shift in (("last", 0.0), ("val", 0.1), ("test", 0.3)):
            one["per_video"][rule]["best"] = {key: [0.5 + shift] for key in tested}
        one["baselines"]["random"]["best"] = {key: [0.4, 0.05] for key in tested}
        one["baselines"]["ceiling"]["best"] = {key: [0.9] for key in tested}
    return documents


def test_a_registered_protocol_of_one_measure_has_its_tables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch, Best())
    found = experiment("a", with_best(results()))
    table = rule_tables(found)[-1]
    assert table.title == f"best: {Best.title}"
    names = ["", "importance %", "importance %: 95 %", "importance %: sd"]
    assert [column.name for column in table.columns] == names
    assert cell(table, "best on held-out videos", "importance %") == pytest.approx(0.6)
    assert cell(table, "TEST choice minus held-out choice", "importance %") == pytest.approx(0.2)
    assert cell(table, "Random", "importance %: sd") == pytest.approx(
        0.05 * np.linalg.norm(found.row("val", "best").weights)
    )
    assert "60.0" in text([table])
    beside = comparison([Contender("one", found), Contender("two", found)])[-1]
    assert [column.name for column in beside.columns][2:5] == names[1:]
    assert cell(beside, "two", "difference") == 0
    assert summary(found)["protocols"]["best"]["ceiling"]["importance"]["mean"] == pytest.approx(
        0.9
    )


def test_rules_stand_side_by_side() -> None:
    tables = rule_tables(experiment("a", results()))
    assert [table.name for table in tables] == ["paper", "per_annotator"]
    table = tables[0]
    gap = cell(table, "best on the TEST videos", "tau") - cell(
        table, "best on held-out videos", "tau"
    )
    assert cell(table, "TEST choice minus held-out choice", "tau") == pytest.approx(gap)
    assert "each on 4 videos; 1 more of each fold's training videos were held out" in table.notes[0]


def test_an_undefined_video_shows() -> None:
    documents = results()
    documents[0]["per_video"]["val"]["paper"]["video_1"] = [None, None]
    table = rule_tables(experiment("a", documents))[0]
    assert np.isnan(cell(table, "best on held-out videos", "tau"))
    assert "undefined" in text([table])
    assert np.isfinite(cell(table, "last epoch", "tau"))


def test_a_row_without_training_has_its_only_rule() -> None:
    documents = results(selection="last", epochs=0)
    for one in documents:
        one["per_video"] = {"last": one["per_video"]["last"]}
    alone = Contender("alone", experiment("summe-zeroshot_scorer", documents))
    table = comparison([*rows(0.0), alone])[0]
    assert (cell(table, "row 0", "epoch"), cell(table, "alone", "epoch")) == ("val", "")
    for one in documents:
        one["per_video"]["test"] = one["per_video"]["last"]
    with pytest.raises(
        UserError,
        match="--rule val: summe-1 has only last, test: held-out videos need selection=val",
    ):
        comparison([Contender("b", experiment("summe-1", documents))], rule="val")


def test_a_model_by_itself_is_also_shown_with_its_ties_broken() -> None:
    trained, frozen = results(), results(epochs=0)
    for one in (*trained, *frozen):
        last = one["per_video"]["last"]
        broken = {name: {key: [0.1, 0.2] for key in found} for name, found in last.items()}
        if one["epochs"]:
            one["per_video"] |= {"zero_shot": last, "zero_shot/untied": broken}
        else:
            one["per_video"]["val/untied"] = broken
    shown = [
        Contender("head", experiment("summe-head", trained)),
        Contender("LLM", experiment("summe-llm", frozen)),
    ]
    table = comparison(shown)[0]
    assert [row[0] for row in table.rows][:3] == ["head", "LLM", "LLM, ties broken by chance"]
    assert cell(table, "LLM, ties broken by chance", "tau") == pytest.approx(0.1)
    assert cell(table, "LLM, ties broken by chance", "difference") == pytest.approx(
        0.1 - cell(table, "head", "tau")
    )
    by_rule = rule_tables(shown[0].experiment)[0]
    assert [row[0] for row in by_rule.rows][3:5] == [
        "LLM alone, zero-shot",
        "The same, ties broken by chance",
    ]
    assert cell(by_rule, "The same, ties broken by chance", "rho") == pytest.approx(0.2)


def test_a_captioners_own_numbers_stand_beside_its_fine_tuning() -> None:
    """A fine-tuned captioner's run of format 2, as `llmvs train` wrote it."""
    documents = [
        format_2(one)
        for one in results(selection="last", method={"model": "captioner", "lora": True})
    ]
    for one in documents:
        last = one["per_video"]["last"]
        one["per_video"] = {
            "last": last,
            "captioner_zero_shot": {
                name: {key: [0.3, 0.4] for key in found} for name, found in last.items()
            },
            "untied": {name: {key: [0.1, 0.2] for key in found} for name, found in last.items()},
        }
    table = rule_tables(experiment("summe-lora", documents))[0]
    assert [row[0] for row in table.rows][:3] == [
        "last epoch",
        "Captioner alone, zero-shot",
        "The same, ties broken by chance",
    ]
    assert cell(table, "Captioner alone, zero-shot", "tau") == pytest.approx(0.3)
    assert cell(table, "The same, ties broken by chance", "tau") == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "tvsum"}, "not the same dataset: summe and tvsum"),
        ({"splits": "disjoint"}, "not the same splits: paper and disjoint"),
        ({"protocols": {"paper": {}}}, "not the same protocols: paper, per_annotator and paper"),
        ({"videos": {"train": [], "val": [], "test": ["video_1"]}}, "not the same test videos"),
    ],
)
def test_mixtures_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"^summe-0 and summe-1: {message}") as caught:
        comparison([*rows(0.0), Contender("b", experiment("summe-1", results(**changes)))])
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="not the same folds: 0, 1 and 0"):
        comparison([*rows(0.0), Contender("b", experiment("summe-1", [result(0, 0)]))])


def test_other_revisions_are_marked() -> None:
    other = Contender(
        "b", experiment("summe-1", results(environment={"revision": "fedcba9876543210+changes"}))
    )
    notes = comparison([*rows(0.0), other])[0].notes
    assert "Different revisions of the code: 01234567: summe-0; fedcba98+changes: summe-1." in notes
    assert "Made by files that differ from their revision: summe-1." in notes
    assert not any("revision" in note for note in comparison(rows(0.0, 0.1))[0].notes)


def test_embeddings_that_were_not_made_alike_are_marked() -> None:
    documents = [
        {
            **one,
            "embeddings": {
                "folder": "cache/toy",
                "identity": {
                    "captions": "ab"[one["seed"] > 0],
                    "fold": one["fold"],
                    "wording": str(one["fold"]),
                },
            },
        }
        for one in results()
    ]
    mark = (
        "x: its runs read embeddings that were not made alike (captions): train it anew with"
        " resume=false."
    )
    assert mark in rule_tables(experiment("x", documents))[0].notes
    assert mark in comparison([Contender("x", experiment("x", documents))])[0].notes
    assert not any("alike" in note for note in rule_tables(experiment("x", documents[:1]))[0].notes)


def test_published_names() -> None:
    assert published("summe", "llmvs")["tau"] == 0.253
    assert published("demo", "llmvs") == {}
    assert {"mlp", "answer_only", "zeroshot_scorer"} <= set(published_names())
    assert published_name("summe", "summe") == "llmvs"
    assert published_name("summe", "summe-mlp") == "mlp"
    assert published_name("summe", "summe-small_head") is None
    assert not {"csta", "CSTA", "summe", "mrhisum"} & set(published_names())


def test_what_others_print_says_how_its_epoch_was_chosen_and_stands_in_the_document() -> None:
    rows = {
        (dataset, row["method"]): row
        for dataset in ("summe", "tvsum", "mrhisum")
        for row in published_by_others(dataset)
    }
    assert rows["mrhisum", "SummDiff"]["tau"] == 0.175
    assert rows["summe", "LLMVS"]["tau"] == published("summe", "llmvs")["tau"]
    assert rows["tvsum", "LLMVS"]["rho"] == published("tvsum", "llmvs")["rho"]
    assert published_by_others("demo") == []
    lines = (Path(__file__).parents[2] / "docs" / "results.md").read_text().splitlines()
    names = {"summe": "SumMe", "tvsum": "TVSum", "mrhisum": "Mr. HiSum"}
    for (dataset, method), row in rows.items():
        assert row["epoch"] in ("test", "validation", "training loss", "not known")
        assert row["where"]
        figures = " / ".join(
            f"{row[key]:.3f}".lstrip("0") if key in row else "?" for key in ("tau", "rho")
        )
        begins = f"| {names[dataset]} | {method} ({row['year']}) | {figures} | {row['epoch']}"
        assert [line for line in lines if line.startswith(begins)], begins


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [
        str(write_results(tmp_path / "summe", results())),
        str(write_results(tmp_path / "summe-mlp", results(-0.05))),
    ]
    assert main(["table", *folders, "--format", "csv", "--reference", "summe"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [line["row"] for line in lines[:3]] == ["summe", "summe-mlp", "Random"]
    assert float(lines[1]["published tau"]) == 0.182
    assert main(["table", *folders]) == 0
    assert capsys.readouterr().out.startswith(
        "summe, paper splits, folds 0, 1, seeds 0, 1, 2, epoch: val (best on held-out videos, by paper"
        " tau)\n\n"
        "paper: summaries\n"
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda place: (place / "fold0" / "seed0" / "result.json").unlink(),
            "fold0/seed0: no result.json: the run is not finished",
        ),
        (
            lambda place: (place / "fold0" / "seed0" / "result.json").write_text("{"),
            "not readable as the result of a run",
        ),
        (
            lambda place: write_results(place, [result(0, 0, format=1)]),
            "has format 1 (expected 3 or 2): train it anew",
        ),
        (
            lambda place: write_results(place, [result(1, 9)]),
            "fold 0 seed 9 did not run, but other folds have that seed",
        ),
    ],
)
def test_runs_that_are_not_whole(
    tmp_path: Path, spoil: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = write_results(tmp_path / "summe", results())
    spoil(place)
    assert main(["table", str(place)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    with pytest.raises(UserError, match="no runs here"):
        read_experiment(tmp_path / "nothing")
