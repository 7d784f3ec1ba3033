"""Every sweep file, in the form in which an agent names its points and in ours; and a sweep without
W&B.
"""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmvs.cli import main
from llmvs.config.layers import find_layer
from llmvs.config.load import load_config
from llmvs.config.schema import Config
from llmvs.errors import UserError
from llmvs.experiments import sweep as under_test
from llmvs.experiments.sweep import COMMAND, arguments, create
from llmvs.experiments.sweep_file import points, read_sweep

ROOT = Path(__file__).parents[2]
SWEEPS = sorted((ROOT / "sweeps").glob("*.yaml"))
each_sweep = pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def agents_command(path: Path, point: dict[str, Any], macro: str) -> list[str]:
    """What W&B's own agent makes of a point, by its code; `macro` instead of the file's."""
    utils = pytest.importorskip("wandb.sdk.launch.sweeps.utils")
    command = [
        part.replace("${args_no_hyphens}", macro)
        for part in yaml.safe_load(path.read_text())["command"]
    ]
    filled = utils.create_sweep_command_args(
        {"args": {key: {"value": point[key]} for key in sorted(point)}}
    )
    return list(
        itertools.chain.from_iterable(
            filled.get(part[2:-1], []) if part.startswith("${") else [part]
            for part in utils.create_sweep_command(command)
        )
    )


@each_sweep
def test_every_point_as_an_agent_writes_it_is_a_configuration(path: Path) -> None:
    some = points(
        read_sweep(path), None if yaml.safe_load(path.read_text())["method"] == "grid" else 20
    )
    folders = set()
    for point in some:
        hyphens, plain = (
            agents_command(path, point, macro) for macro in ("${args}", "${args_no_hyphens}")
        )
        assert hyphens[:4] == plain[:4] == ["-m", "llmvs", "train", "log.wandb=online"]
        assert [part.removeprefix("--") for part in hyphens[4:]] == plain[4:]
        assert sorted(plain[4:]) == sorted(arguments(point))
        config = load_config(hyphens[3:])
        assert config.log.wandb == "online"
        folders.add((config.experiment, config.fold, config.seed))
    assert len(folders) == len(some), "two points share a folder"


@each_sweep
def test_the_command_line_takes_a_point(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["config", *agents_command(path, points(read_sweep(path), 1)[0], "${args}")[3:]]) == 0
    )
    assert "# folder of the run: runs/demo" in capsys.readouterr().out


@each_sweep
def test_every_file_names_the_same_command_and_numbers_that_are_numbers(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    assert tuple(content["command"]) == COMMAND
    assert content["name"] == path.stem
    for key, space in content["parameters"].items():
        for value in [
            *space.get("values", []),
            *(space[name] for name in ("value", "min", "max") if name in space),
        ]:
            assert not isinstance(value, str) or find_layer(f"{key}={value}"), (
                f"{key}: {value!r} is text"
            )


@pytest.mark.parametrize(
    "path",
    [
        grid
        for grid in sorted((ROOT / "configs" / "grid").glob("*.yaml"))
        if ROOT / "sweeps" / grid.name in SWEEPS
    ],
    ids=lambda path: path.stem,
)
def test_an_ablation_sweep_has_the_rows_of_its_grid(path: Path) -> None:
    rows = yaml.safe_load(path.read_text())["rows"]
    expected = [
        row["variants"][0] for row in rows if len(row.get("variants", [])) == 1 and "set" not in row
    ]
    assert (
        yaml.safe_load((ROOT / "sweeps" / path.name).read_text())["parameters"]["variant"]["values"]
        == expected
    )


def write(place: Path, text: str) -> Path:
    place.mkdir(exist_ok=True)
    (place / "s.yaml").write_text(text)
    return place / "s.yaml"


GRID = """
method: grid
metric: {name: selected/val/paper/tau, goal: maximize}
parameters:
  dataset: {value: configs/dataset/demo.yaml}
  optim.lr: {values: [1.0e-3, 2.0e-3]}
  head.inputs: {values: [q, a]}
"""


def test_a_grid_is_all_combinations_in_order(tmp_path: Path) -> None:
    plan = read_sweep(write(tmp_path, GRID))
    assert [(point["optim.lr"], point["head.inputs"]) for point in points(plan)] == [
        (1e-3, "q"),
        (1e-3, "a"),
        (2e-3, "q"),
        (2e-3, "a"),
    ]
    assert len(points(plan, 3)) == 3
    assert [point["optim.lr"] for point in points(read_sweep(plan.path, ["optim.lr=5e-3"]))] == [
        "5e-3",
        "5e-3",
    ]


def test_a_grid_cut_short_keeps_every_point_on_all_its_folds(tmp_path: Path) -> None:
    folds = "  fold: {values: [0, 1, 2]}\n  seed: {values: [5, 6]}\n"
    first, rest = GRID.split("  optim.lr")
    plan = read_sweep(write(tmp_path, f"{first}{folds}  optim.lr{rest}"))
    whole = points(plan)
    assert len(whole) == 4 * 6
    some = points(plan, 3)
    assert some == whole[: 3 * 6]
    for first_run in (0, 6, 12):
        point = some[first_run : first_run + 6]
        assert len({(one["optim.lr"], one["head.inputs"]) for one in point}) == 1
        assert {(one["fold"], one["seed"]) for one in point} == {
            (fold, seed) for fold in range(3) for seed in (5, 6)
        }


def test_a_space_gives_the_same_random_points_every_time(tmp_path: Path) -> None:
    plan = read_sweep(
        write(
            tmp_path,
            """
method: bayes
metric: {name: selected/val/paper/tau, goal: maximize}
parameters:
  optim.lr: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-1}
  head.layers: {min: 1, max: 3}
  head.dropout: {min: 0.0, max: 0.5}
  head.heads: {values: [1, 2]}
""",
        )
    )
    many = points(plan, 400)
    assert points(plan, 7) == many[:7]
    assert len(points(plan)) == 10
    assert {point["head.layers"] for point in many} == {1, 2, 3}
    assert {point["head.heads"] for point in many} == {1, 2}
    assert (
        0
        <= min(point["head.dropout"] for point in many)
        < max(point["head.dropout"] for point in many)
        <= 0.5
    )
    assert 150 < sum(point["optim.lr"] < 1e-3 for point in many) < 250, (
        "not uniform in the logarithm"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("grid", "hyperband"), "method=hyperband: must be grid, random or bayes"),
        (
            ("selected/val/paper/tau", "val_loss"),
            "metric.name must be a figure of the selected epoch",
        ),
        (
            ("{values: [q, a]}", "{min: 1, max: 2}"),
            "parameters.head.inputs: a grid needs value or values",
        ),
        (("{values: [q, a]}", "{values: q}"), "parameters.head.inputs: values=q: expected a list"),
        (("method: grid", "method: ["), "not readable as YAML"),
        (("parameters:", "parameter:"), "parameters: expected"),
    ],
)
def test_mistakes_in_a_file(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_sweep(write(tmp_path, GRID.replace(*change)))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (
            "{distribution: log_uniform_values, min: 1e-5, max: 1.0e-1}",
            "are not numbers (YAML wants 1.0e-4, not 1e-4)",
        ),
        ("{min: 1, max: 0.1}", "min=1 is above max=0.1: exchange them"),
        ("{min: 0.1, max: .inf}", "must be finite"),
        ("{min: .nan, max: 1}", "must be finite"),
        ("{distribution: log_uniform_values, min: 0, max: 1}", "must be above 0 with log_uniform"),
        ("{distribution: int_uniform, min: 1, max: 1.0e+30}", "no larger than 1e+15"),
        ("{distribution: int_uniform, min: 1.5, max: 3}", "must be whole with int_uniform"),
        ("{min: true, max: 3}", "are not numbers"),
        ("{distribution: q_normal, mu: 1}", "known here are value, values, and min and max"),
        ("{parameters: {lr: {value: 1}}}", "known here are"),
    ],
)
def test_spaces_that_only_wandb_knows(space: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_sweep(
            write(tmp_path, GRID.replace("grid", "random").replace("{values: [q, a]}", space))
        )
    assert message in str(error.value)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The points that would be trained; their tau is 100 x lr, 0.01 less for `a`, and undefined for
    `q` at lr=1e-3.
    """
    seen: list[Config] = []

    def result(config: Config) -> dict[str, Any]:
        tau = 100 * config.optim.lr - 0.01 * (config.head.inputs == "a")
        undefined = config.optim.lr == 1e-3 and config.head.inputs == "q"
        means = {"val": {"paper": {"tau": None if undefined else tau, "rho": 0.0}}}
        return {
            "selection": "val",
            "rules": {"val": {"epoch": 1, "means": means}},
            "folder": "here",
        }

    def run_all(configs: list[Config], dataset: Any) -> list[dict[str, Any]]:
        seen.extend(configs)
        return [result(config) for config in configs]

    monkeypatch.setattr(under_test, "run_all", run_all)
    monkeypatch.setattr(under_test, "open_dataset", lambda config: None)
    return seen


def test_a_sweep_here_lists_its_points_best_first(
    tmp_path: Path, trained: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, GRID)
    assert main(["sweep", str(path), "seed=3", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [config.seed for config in trained] == [3] * 4
    assert [point["value"] for point in document["points"]] == [
        pytest.approx(0.2),
        pytest.approx(0.19),
        pytest.approx(0.09),
        None,
    ]
    assert document["points"][0]["settings"]["head.inputs"] == "q"
    assert main(["sweep", str(path), "--runs", "2"]) == 0
    output = capsys.readouterr()
    assert "selected/val/paper/tau, highest first; dataset demo" in output.out
    assert "undefined" in output.out.splitlines()[-3]
    assert output.out.splitlines()[-1] == "best: runs/demo+head.inputs=a/fold0/seed1112"
    assert "random" not in output.err


def test_folds_and_seeds_are_averaged_and_nothing_is_best_of_one(
    tmp_path: Path, trained: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    folds = GRID.replace("parameters:\n", "parameters:\n  fold:\n    values: [0, 1, 2]\n", 1)
    assert main(["sweep", str(write(tmp_path, folds)), "head.inputs=a", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(trained) == 6
    assert [len(point["folders"]) for point in document["points"]] == [3, 3]
    assert [point["value"] for point in document["points"]] == [
        pytest.approx(0.19),
        pytest.approx(0.09),
    ]
    assert "fold" not in document["points"][0]["settings"]
    assert main(["sweep", str(write(tmp_path, folds)), "head.inputs=a", "optim.lr=1e-3"]) == 0
    output = capsys.readouterr().out
    assert "mean over folds and seeds" in output
    assert "best" not in output


def test_nothing_is_chosen_by_test_figures(
    tmp_path: Path, trained: list[Config], capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    taus = iter([0.1, 0.3, 0.2, 0.4])
    monkeypatch.setattr(under_test, "_figure", lambda document, metric: next(taus))
    path = write(tmp_path, GRID.replace("selected/val/", "selected/test/"))
    assert main(["sweep", str(path)]) == 0
    output = capsys.readouterr().out
    assert "of the TEST videos, so nothing is chosen by it" in output
    assert "best" not in output
    figures = [line.split()[1] for line in output.splitlines() if line.strip()[:1].isdigit()]
    assert figures == ["0.100", "0.300", "0.200", "0.400"]


def test_a_space_is_said_to_be_tried_at_random(
    trained: list[Config], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "has_optuna", lambda: False)
    assert main(["sweep", "sweeps/head.yaml", "--runs", "3"]) == 0
    output = capsys.readouterr()
    assert (
        "head.yaml: 3 random points: learning from them needs optuna (pip install 'llmvs[optuna]')"
        " or W&B (more with --runs N)" in output.err
    )
    assert len(trained) == 3
    assert main(["sweep", "sweeps/head.yaml", "--runs", "0"]) == 2
    assert "expected 1 or more" in capsys.readouterr().err
    assert main(["sweep", "sweeps/heat.yaml"]) == 2
    assert "did you mean sweeps/head.yaml?" in capsys.readouterr().err


def test_a_sweep_by_name_from_any_folder(
    tmp_path: Path, trained: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(under_test, "has_optuna", lambda: False)
    for settings in (["tvsum"], ["dataset=tvsum"]):
        assert main(["sweep", "head", *settings, "--runs", "1"]) == 0
        assert trained[-1].data.dataset == "tvsum"
    (tmp_path / "sweeps").mkdir()
    own = GRID.replace("[q, a]", "[v]").replace("configs/dataset/demo.yaml", "demo")
    (tmp_path / "sweeps" / "head.yaml").write_text(own)
    assert main(["sweep", "head"]) == 0
    assert trained[-1].head.inputs == "v"


def test_a_metric_that_the_runs_do_not_have(
    tmp_path: Path, trained: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", str(write(tmp_path, GRID.replace("paper/tau", "papers/tau")))]) == 2
    assert "did you mean selected/val/paper/tau?" in capsys.readouterr().err


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], str]]:
    """What W&B is asked to create; somebody is logged in."""
    wandb = pytest.importorskip("wandb")
    made: list[tuple[dict[str, Any], str]] = []

    def sweep(content: dict[str, Any], project: str) -> str:
        made.append((content, project))
        return "abc123"

    monkeypatch.setattr(wandb, "login", lambda prompt: True)
    monkeypatch.setattr(wandb, "sweep", sweep)
    return made


def test_creating_a_sweep_hands_its_settings_on(
    asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [
                "sweep",
                "sweeps/folds.yaml",
                "dataset=configs/dataset/tvsum.yaml",
                "data.root=DIR",
                "log.project=mine",
                "--create",
            ]
        )
        == 0
    )
    [(content, project)] = asked
    assert project == "mine"
    assert content["parameters"]["dataset"] == {"value": "configs/dataset/tvsum.yaml"}
    assert content["parameters"]["fold"] == {"values": [0, 1, 2, 3, 4]}
    assert content["command"][-4:] == [
        "log.wandb=online",
        "data.root=DIR",
        "log.project=mine",
        "${args_no_hyphens}",
    ]
    assert capsys.readouterr().out == "abc123\n"


def test_creating_needs_a_login(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(prompt: bool) -> bool:
        raise OSError("no route\nto host")

    answers: list[tuple[Callable[..., bool], str]] = [
        (lambda prompt: prompt, "not logged in to W&B: run `wandb login`"),
        (refused, r"did not take the sweep \(no route to host\)"),
    ]
    for login, message in answers:
        monkeypatch.setattr("wandb.login", login)
        with pytest.raises(UserError, match=message):
            create(ROOT / "sweeps" / "head.yaml", [])
    with pytest.raises(UserError, match=r"unknown key optim\.lrr"):
        create(ROOT / "sweeps" / "head.yaml", ["optim.lrr=1"])
