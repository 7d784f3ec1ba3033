"""The table that papers print, against figures computed from the results by themselves."""

import csv
import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmvs.cli import main
from llmvs.errors import UserError
from llmvs.results.collect import collect
from llmvs.results.experiment import experiment
from llmvs.results.latex import latex
from llmvs.results.notes import Contender
from llmvs.results.paper import paper_tables
from llmvs.results.tables import Estimate, markdown, to_csv
from tests.results.toys import TESTS, results, write_results


def contender(label: str, shift: float = 0.0, name: str | None = None, **changes: Any) -> Contender:
    return Contender(label, experiment(label, results(shift, **changes)), name)


TVSUM: dict[str, Any] = {"dataset": "tvsum", "heading": "tvsum", "splits": "disjoint"}


def two() -> list[list[Contender]]:
    return [
        [contender("full", name="llmvs"), contender("mlp", -0.05, "mlp")],
        [contender("full", 0.1, "llmvs", **TVSUM), contender("other", 0.2, **TVSUM)],
    ]


def test_means_and_deviations_are_over_folds_and_seeds() -> None:
    groups = two()
    table = paper_tables(groups)[0]
    assert [column.name for column in table.columns] == [
        "",
        "SumMe tau",
        "SumMe rho",
        "TVSum tau",
        "TVSum rho",
    ]
    runs = groups[0][0].experiment.runs
    for which, column in ((0, 1), (1, 2)):
        means = [
            np.mean(
                [
                    np.mean(
                        [runs[fold, seed].per_video["val"]["paper"][key][which] for key in keys]
                    )
                    for fold, keys in TESTS.items()
                ]
            )
            for seed in range(3)
        ]
        cell = table.rows[0][column]
        assert isinstance(cell, Estimate)
        assert (cell.mean, cell.sd) == pytest.approx((np.mean(means), np.std(means, ddof=1)))
    by_label = {row[0]: row[1:] for row in table.rows}
    assert by_label["other"][:2] == [None, None]
    assert by_label["mlp"][2:] == [None, None]
    assert by_label["Random"][0] == Estimate(pytest.approx(0.1), pytest.approx(0.03 / 2, abs=0.01))
    assert by_label["Ceiling, the annotators' own mean"][1] == Estimate(pytest.approx(0.45), None)


def test_the_best_of_each_column_is_among_the_methods() -> None:
    table = paper_tables(two())[0]
    best = {(str(table.rows[i][0]), table.columns[j].name) for i, j in table.best}
    assert best == {
        ("full", "SumMe tau"),
        ("full", "SumMe rho"),
        ("other", "TVSum tau"),
        ("other", "TVSum rho"),
    }
    apart = next(note for note in table.notes if note.startswith("SumMe, paper, tau"))
    # Four videos have 16 flips of signs: none is below .05, however large the difference.
    assert "of 1 other rows, 0 are apart from the best, full (paired sign flips" in apart
    assert latex([table]).count(r"\textbf{") == 4


def test_published_rows_say_how_their_epoch_was_chosen() -> None:
    groups = two()
    groups[0].append(contender("LLM alone", name="zeroshot_scorer", epochs=0))
    table, other = paper_tables(groups)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["full† (epoch chosen on test)"] == [0.253, 0.282, 0.211, 0.275]
    assert rows["mlp† (epoch chosen on test)"] == [0.182, 0.203, None, None]
    assert rows["LLM alone† (nothing trained)"] == [0.170, 0.189, 0.051, 0.056]
    assert rows["CSTA 2024† (epoch chosen on test)"] == [0.246, 0.274, 0.194, 0.255]
    assert rows["PGL-SUM 2021† (epoch chosen by the training loss)"][2:] == [0.157, 0.206]
    assert rows["AgenticVS 2026† (choice of the epoch not known)"][:2] == [0.274, 0.308]
    assert not any(str(label).startswith("LLMVS") for label in rows)  # it is the row `full`
    assert table.notes[-1].startswith("† published, of other models. Rows named as ours: Lee,")
    assert "SummDiff: ICCV 2025, arXiv 2510.08458" in table.notes[-1]
    assert not any("†" in str(row[0]) for row in other.rows)  # of another protocol


def test_the_heading_names_both_datasets_and_the_csv_too() -> None:
    tables = paper_tables(two(), rule="test")
    assert tables[0].heading == (
        "summe, paper splits, folds 0, 1, seeds 0, 1, 2, epoch: test (best on the TEST videos,"
        " by paper tau);"
        " tvsum, disjoint splits, folds 0, 1, seeds 0, 1, 2, epoch: test (best on the TEST videos,"
        " by paper tau)"
    )
    first = next(csv.DictReader(io.StringIO(to_csv(tables))))
    assert (first["dataset"], first["splits"]) == ("summe; tvsum", "paper; disjoint")
    assert (first["folds"], first["rule"]) == ("0 1; 0 1", "test; test")
    assert float(first["SumMe tau"]) == tables[0].rows[0][1].mean
    assert "± " in markdown(tables)


def test_another_rule_stands_in_the_label() -> None:
    rows = [contender("a"), contender("b", selection="test"), contender("c", epochs=0)]
    labels = [row[0] for row in paper_tables([rows])[0].rows]
    assert labels[:3] == ["a, epoch: val", "b, epoch: test", "c"]


def test_another_criterion_stands_in_the_label() -> None:
    rows = [contender("a"), contender("b", selection_by=["loss"])]
    table = paper_tables([rows])[0]
    labels = [row[0] for row in table.rows]
    assert labels[:2] == ["a, epoch: val by paper tau", "b, epoch: val by loss"]
    assert table.about["by"] == "paper tau or loss"


def test_what_has_no_seeds_has_no_deviation() -> None:
    table = paper_tables([[contender("a"), contender("c", epochs=0)]])[0]
    assert [row[1].sd is None for row in table.rows[:2]] == [False, True]


def test_two_rows_of_one_label_are_refused() -> None:
    with pytest.raises(UserError, match="two rows of one dataset are called 'a'"):
        paper_tables([[contender("a"), contender("a")]])


def test_protocols_are_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(write_results(tmp_path / "summe", results()))
    assert main(["table", folder, "--style", "paper", "--protocol", "per_annotator"]) == 0
    shown = capsys.readouterr().out
    assert "per_annotator: steps\n" in shown
    assert "paper: summaries" not in shown
    for name, said in (
        ("f1", "no figures of protocol f1, only paper, per_annotator"),
        ("papr", "protocol 'papr'"),
    ):
        assert main(["table", folder, "--protocol", name]) == 2
        assert said in capsys.readouterr().err


def test_styles_of_one_command(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "summe", results())
    wide, short, paper = (collect([folder], style=style)[0] for style in ("full", "short", "paper"))
    assert wide["tables"][0]["columns"][:3] == ["", "epoch", "tau"]
    assert short["tables"][0]["columns"][:3] == ["", "tau", "tau: 95 %"]
    assert paper["tables"][0]["columns"] == ["", "SumMe tau", "SumMe rho"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("style", ["full", "short", "paper"])
def test_latex_compiles_and_fits_the_page(tmp_path: Path, style: str) -> None:
    folders = [
        write_results(tmp_path / name, results(shift))
        for name, shift in (("summe", 0.0), ("summe-a & 50 % of_{x}", -0.5))
    ]
    (tmp_path / "table.tex").write_text(collect(folders, style=style, form="latex")[1])
    (tmp_path / "page.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\usepackage{graphicx}"
        "\\begin{document}\\input{table}\\end{document}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
