"""Tables of what is finished: chosen folds and seeds, unfinished grids, folders that are refused."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from llmvs.cli import main
from llmvs.config.load import load_config, to_yaml
from llmvs.errors import UserError
from llmvs.results.collect import collect
from llmvs.results.folders import Wanted, largest_grid, read_groups
from tests.results.test_meaning import made
from tests.results.toys import result, results, write_results


def without(folder: Path, *places: tuple[int, int]) -> Path:
    for fold, seed in places:
        (folder / f"fold{fold}" / f"seed{seed}" / "result.json").unlink()
    return folder


def test_the_largest_grid_is_the_largest_of_all() -> None:
    rng = np.random.default_rng(0)
    every = list(itertools.product(range(4), range(3)))
    for _ in range(50):
        places = [place for place in every if rng.random() < 0.6]
        folds, seeds = largest_grid(places)
        assert set(itertools.product(folds, seeds)) <= set(places)
        largest = max(
            (
                len(some) * len(also)
                for n in range(5)
                for some in itertools.combinations(range(4), n)
                for m in range(4)
                for also in itertools.combinations(range(3), m)
                if set(itertools.product(some, also)) <= set(places)
            ),
            default=0,
        )
        assert len(folds) * len(seeds) == largest
    assert largest_grid([]) == ([], [])


def test_a_part_is_what_all_rows_have_and_the_heading_says_so(tmp_path: Path) -> None:
    a = without(write_results(tmp_path / "summe", results()), (1, 2))
    b = without(write_results(tmp_path / "summe-mlp", results(-0.1)), (0, 0))
    (group,), notes = read_groups([a, b], Wanted(partial=True))
    assert notes == []
    assert [(found.folds, found.seeds) for found in group.experiments] == [([0, 1], [1])] * 2
    document, text = collect([a, b], wanted=Wanted(partial=True))
    said = (
        "folds 0, 1, seed 1, epoch: val (best on held-out videos, by paper tau), unfinished: 2 of 2"
        " folds and 1 of 3"
    )
    assert f"summe, paper splits, {said} seeds, which all rows have" in text.splitlines()[0]
    assert document["title"] == text.splitlines()[0]


def test_what_was_not_trained_has_every_seed(tmp_path: Path) -> None:
    frozen = [result(fold, 7, epochs=0, selection="last") for fold in (0, 1)]
    a = write_results(tmp_path / "summe", results())
    b = write_results(tmp_path / "summe-frozen", frozen)
    for wanted in (Wanted(partial=True), Wanted(seeds=[0, 1]), Wanted()):
        (group,), notes = read_groups([a, b], wanted)
        assert [found.seeds for found in group.experiments][1] == [7]
        assert (group.part, notes) == ("", [])


def test_folds_and_seeds_are_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = without(write_results(tmp_path / "summe", results()), (1, 2))
    assert main(["table", str(a), "--folds", "0", "--seeds", "0,2"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("summe, paper splits, fold 0, seeds 0, 2, epoch: val")
    assert main(["table", str(a), "--folds", "0,3"]) == 2
    assert capsys.readouterr().err == f"llmvs: {a}: no run of fold 3\n"
    assert main(["table", str(a), "--seeds", "9"]) == 2
    assert "no run of the folds and seeds asked for is finished" in capsys.readouterr().err


def test_a_folder_that_is_refused_is_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write_results(tmp_path / "summe", results())
    b = without(write_results(tmp_path / "summe-mlp", results()), (0, 1))
    c = write_results(tmp_path / "old", [result(0, 0, format=1)])
    assert main(["table", *map(str, (tmp_path / "nothing", b, a, c))]) == 0
    shown = capsys.readouterr()
    assert "\nLeft out: " + str(b / "fold0" / "seed1") + ": no result.json" in shown.out
    assert [line.startswith("note: Left out: ") for line in shown.err.splitlines()] == [True] * 3
    assert main(["table", *map(str, (tmp_path / "nothing", b, c))]) == 2
    assert capsys.readouterr().err.endswith("(and 2 more folders)\n")


def test_nothing_that_all_have(tmp_path: Path) -> None:
    a = without(write_results(tmp_path / "summe", [result(0, 0), result(1, 0)]), (1, 0))
    b = without(write_results(tmp_path / "summe-mlp", [result(0, 0), result(1, 0)]), (0, 0))
    with pytest.raises(
        UserError, match=r"--partial: no fold and seed .*\(summe: fold0/seed0; summe-mlp: fold1"
    ):
        read_groups([a, b], Wanted(partial=True))


def test_two_datasets_are_two_tables(tmp_path: Path) -> None:
    a = write_results(tmp_path / "summe", results())
    b = write_results(tmp_path / "tvsum", results(0.1, dataset="tvsum", heading="tvsum"))
    _, text = collect([a, b])
    assert [line.split(",")[0] for line in text.splitlines() if ", paper splits," in line] == [
        "summe",
        "tvsum",
    ]
    with pytest.raises(UserError, match="--reference x: no such row"):
        collect([a, b], reference="x")


def test_rules_that_differ(tmp_path: Path) -> None:
    a = write_results(tmp_path / "summe", results())
    b = write_results(tmp_path / "summe-mlp", results(selection="test"))
    _, text = collect([a, b])
    assert "seeds 0, 1, 2, epoch: by row" in text
    assert "by the same rule (val: summe; test: summe-mlp); --rule shows one for all." in text
    write_results(b, [result(0, 0, selection="last")])
    with pytest.raises(
        UserError, match=r"choose their epoch by different rules .last and test.: name one"
    ):
        collect([a, b])
    assert "epoch: last (last epoch)" in collect([a, b], rule="last")[1]


def test_runs_of_one_experiment_are_of_one_kind(tmp_path: Path) -> None:
    a = write_results(tmp_path / "summe", [result(0, 0), result(1, 0, splits="disjoint")])
    with pytest.raises(
        UserError, match="summe: its runs are not of the same splits: paper and disjoint"
    ):
        collect([a])


def test_runs_of_different_settings_are_no_row(tmp_path: Path) -> None:
    folder = made(tmp_path / "mix", "optim.lr=0.1")
    assert read_groups([folder])[1] == []
    other = folder / "fold1" / "seed2" / "config.yaml"
    config = load_config(["summe", "optim.lr=0.1", "fold=1", "seed=2", "workers=2"])
    other.write_text(to_yaml(config))  # which no figure depends on
    assert read_groups([folder])[1] == []
    other.write_text(to_yaml(load_config(["summe", "optim.lr=0.5", "fold=1", "seed=2"])))
    with pytest.raises(
        UserError,
        match=r"mix: fold 1 seed 2 was made with optim\.lr=0\.5 \(expected 0\.1\), unlike fold 0 seed 0",
    ):
        read_groups([folder])
    assert len(read_groups([folder], Wanted(seeds=[0, 1]))[0]) == 1


def test_seeds_that_tested_other_videos_are_no_row(tmp_path: Path) -> None:
    documents = results()
    documents[1]["videos"] = {**documents[1]["videos"], "test": ["video_1", "video_3"]}
    folder = write_results(tmp_path / "one", documents)
    with pytest.raises(
        UserError, match=r"one: fold 0 seed 1 did not test the videos of seed 0 \(video_2"
    ):
        read_groups([folder])


def test_folders_of_one_name_are_each_left_out_with_a_note(tmp_path: Path) -> None:
    whole = write_results(tmp_path / "whole", results())
    broken = [without(write_results(tmp_path / where / "res", results()), (0, 0)) for where in "ab"]
    notes = read_groups([whole, *broken])[1]
    assert len(notes) == 2


def test_the_folder_one_is_in_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_results(tmp_path / "mine", results()))
    [group], _ = read_groups([Path()])
    assert group.experiments[0].name == "mine"
