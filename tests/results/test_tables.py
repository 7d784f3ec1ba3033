"""The four forms of a table: what is written comes back, whatever signs a name holds."""

import csv
import io

import pytest

from llmvs.results.latex import latex
from llmvs.results.tables import Column, Estimate, Table, markdown, shown, text, to_csv

NASTY = 'a|b_c & 50 % of "x", {y}\\z #1 $2 ~^<>*'
COLUMNS = [Column("row"), Column("tau", "figure"), Column("95 %", "figure"), Column("p", "p")]
NAN = float("nan")
TABLE = Table(
    "paper",
    "Title with 15 %",
    COLUMNS,
    [["full", 0.25321, (0.2, 0.30006), None], [NASTY, NAN, (NAN, NAN), 0.5]],
    ["A note_1.", "Another."],
)


def test_text_lines_up():
    lines = text([TABLE]).splitlines()
    assert lines[0] == "Title with 15 %"
    assert (
        lines[1].index("tau") + 3 == lines[2].index("0.253") + 5 == lines[3].index("undefined") + 9
    )
    assert lines[-2:] == ["A note_1.", "Another."]
    assert text([TABLE, TABLE]).count("A note_1.") == 1


def test_csv_reads_back_in_full_precision():
    rows = list(csv.DictReader(io.StringIO(to_csv([TABLE]))))
    assert rows[0] == {
        "table": "paper",
        "row": "full",
        "tau": "0.25321",
        "95 % low": "0.2",
        "95 % high": "0.30006",
        "p": "",
    }
    assert rows[1]["row"] == NASTY
    assert (rows[1]["tau"], rows[1]["95 % low"]) == ("", "")


def test_csv_of_tables_with_other_columns():
    other = Table("f1", "F1", [Column("row"), Column("mean", "percent")], [["full", 0.5]])
    rows = list(csv.DictReader(io.StringIO(to_csv([TABLE, other]))))
    assert [(row["table"], row["tau"], row["mean"]) for row in rows] == [
        ("paper", "0.25321", ""),
        ("paper", "", ""),
        ("f1", "", "50.0"),
    ]


def test_markdown_has_as_many_cells_as_columns():
    lines = [line for line in markdown([TABLE]).splitlines() if line.startswith("|")]
    assert lines[1] == "| --- | ---: | ---: | ---: |"
    for line in lines:
        assert line.replace("\\|", "").count("|") == 5
    assert r"a\|b\_c & 50 % of" in lines[3]
    assert "* A note\\_1." in markdown([TABLE])


def test_latex_escapes_every_special_sign():
    made = latex([TABLE])
    row = next(line for line in made.splitlines() if line.startswith("a"))
    cell = row.split(" & undefined")[0]
    assert cell == (
        r'a\textbar{}b\_c \& 50 \% of "x", \{y\}\textbackslash{}z \#1 \$2 '
        r"\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}*"
    )
    assert r"\begin{tabular}{@{}lrrr@{}}" in made
    assert r"\caption{Title with 15 \%}" in made
    assert r"A note\_1." in made


def test_an_empty_column_goes():
    table = Table("a", "a", COLUMNS, [["x", 0.1, None, None]]).without_empty()
    assert [column.name for column in table.columns] == ["row", "tau"]
    assert table.rows == [["x", 0.1]]


@pytest.mark.parametrize(
    ("cell", "column", "want"),
    [
        (-0.0421, Column("", "figure", signed=True), "-0.042"),
        (0.0421, Column("", "percent", signed=True), "+4.2"),
        (0.31073, Column("", "percent"), "31.1"),
        (0.31073, Column("", "percent", 2), "31.07"),
        (0.0, Column("", "figure", 4, signed=True), "+0.0000"),
        ((0.1, 0.2), Column("", "figure"), "0.100 to 0.200"),
        (0.0005, Column("", "p"), "< 0.001"),
        ((float("nan"), 1.0), Column("", "figure"), "undefined"),
        ("x", Column("", "p"), "x"),
    ],
)
def test_cells(cell, column, want):
    assert shown(cell, column) == want


def test_a_row_of_another_length_is_a_mistake():
    with pytest.raises(ValueError, match="2 cells under 4 columns"):
        Table("a", "a", COLUMNS, [["x", 0.1]])


def test_a_short_table_has_the_first_measure_and_the_difference() -> None:
    columns = [Column(""), Column("epoch")]
    columns += [
        Column(name, "figure") for name in ("tau", "tau: 95 %", "tau: sd", "rho", "rho: sd")
    ]
    columns += [Column("difference", "figure", signed=True), Column("p", "p")]
    table = Table(
        "paper", "A title", columns, [["a", "val", 0.1, (0.0, 0.2), 0.01, 0.3, 0.02, 0.1, 0.5]]
    )
    short = table.short()
    assert [column.name for column in short.columns] == ["", "tau", "tau: 95 %", "difference", "p"]
    assert short.rows == [["a", 0.1, (0.0, 0.2), 0.1, 0.5]]
    assert (short.title, short.notes) == ("A title", ())


def test_the_heading_is_said_in_every_form_and_once() -> None:
    headed = [
        Table(name, name, COLUMNS, [["x", 0.1, None, None]], heading="SumMe_1", about=about)
        for name, about in (("a", {"folds": "0 1"}), ("b", {"folds": "0 1"}))
    ]
    assert text(headed).startswith("SumMe_1\n\na\n")
    assert text(headed).count("SumMe_1") == 1
    assert markdown(headed).startswith("## SumMe\\_1\n\n### a\n")
    assert [row["folds"] for row in csv.DictReader(io.StringIO(to_csv(headed)))] == ["0 1", "0 1"]
    assert latex(headed).count(r"\caption{a. SumMe\_1}") == 1


def test_a_mean_with_its_deviation_is_one_cell_and_the_best_is_marked() -> None:
    columns = [Column(""), Column("SumMe tau", "figure", group="SumMe")]
    rows = [["a", Estimate(0.1234, 0.01)], ["b", Estimate(0.2, None)], ["c", Estimate(NAN, 0.1)]]
    table = Table("a", "a", columns, rows, blocks=[1], best=frozenset({(0, 1)}))
    assert [line.split("  ")[-1].strip() for line in text([table]).splitlines()[2:]] == [
        "0.123 ± 0.010*",
        "-" * 21,  # above the second row
        "0.200",
        "undefined",
    ]
    assert "| a | **0.123 ± 0.010** |" in markdown([table])
    made = latex([table]).splitlines()
    assert r"a & \textbf{0.123} $\pm$ 0.010 \\" in made
    assert made[made.index(r"b & 0.200\phantom{ $\pm$ 0.010} \\") - 1] == r"\midrule"
    assert r" & \multicolumn{1}{c}{SumMe} \\" in made
    assert r" & \multicolumn{1}{c}{$\tau$} \\" in made
    assert list(csv.DictReader(io.StringIO(to_csv([table])))) == [
        {"table": "a", "row": "a", "SumMe tau": "0.1234", "SumMe tau: sd": "0.01"},
        {"table": "a", "row": "b", "SumMe tau": "0.2", "SumMe tau: sd": ""},
        {"table": "a", "row": "c", "SumMe tau": "", "SumMe tau: sd": "0.1"},
    ]
