"""The command line as a user meets it: in a process of its own."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

from llmvs import __version__, commands
from llmvs.cli import main
from llmvs.errors import UserError
from llmvs.files import write_json

VERBS = (
    "train",
    "crossval",
    "ablate",
    "table",
    "extract",
    "evaluate",
    "baselines",
    "import-embeddings",
    "config",
    "export",
    "sweep",
    "cache",
    "summarize",
)


def llmvs(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "llmvs", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_verb_and_imports_nothing_heavy():
    code = (
        "import sys; from llmvs.cli import main\ntry: main(['--help'])\nexcept SystemExit:"
        " pass\nprint([m for m in ('torch', 'numpy', 'lightning', 'transformers', 'omegaconf') if m"
        " in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(verb in done.stdout for verb in VERBS)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version():
    assert llmvs("--version").stdout == f"llmvs {__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert "usage: llmvs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tran"], "invalid choice: 'tran'"),
        (["train", "--fold"], "unknown option --fold"),
        (["train", "demo", "--fold", "1"], "unknown option --fold: write fold=1"),
        (["train", "demo", "--optim.lr", "0.001"], "--optim.lr: write optim.lr=0.001"),
        (["train", "demo", "-v"], "unknown option -v: settings are written key=value"),
        (["train", "tvsun"], "did you mean tvsum?"),
        (["train", "demo", "summe"], "are datasets both: name one of them"),
        (["train", "demo", "backbone=small", "backbone=tiny"], "are backbones both"),
        (["train", "configs"], "neither a layer"),
        (["train", "embedding"], "embedding is a grid of variants: llmvs ablate embedding"),
        (["train", "demo", "fold=9"], "fold=9: demo has 5 disjoint folds, 0 to 4"),
        (["crossval", "demo", "--folds", "0,5"], "fold=5: demo has 5 disjoint folds, 0 to 4"),
        (["train", "data.dataset=tvsun"], "data.dataset=tvsun: no such dataset: did you mean"),
        (["ablate", "embeding", "demo"], "embeding: no such grid: did you mean embedding?"),
        (["sweep", "heat", "demo"], "heat: no such sweep: did you mean head?"),
        (["extract", "demoo"], "demoo: no such file or folder"),
        (["train"], "data.dataset is not set"),
        (["train", "configs/dataset/none.yaml"], "no such file"),
        (["train", "data.dataset=summe", "data.root=nowhere"], "data.root=nowhere: no such folder"),
        (["train", "data.dataset=summe", "extract.fps=0"], "extract.fps=0.0"),
        (["evaluate", "data.dataset=summe"], "required: --scores"),
        (["baselines", "summ"], "did you mean summe"),
        (["baselines", "summe", "--draws", "many"], "invalid number_of_draws value: 'many'"),
        (["baselines", "summe", "--draws", "0"], "--draws 0: at least 1"),
        (["extract", "nowhere.mp4"], "nowhere.mp4: no such file or folder"),
        (["import-embeddings", "data.dataset=summe"], "required: --query, --answer"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert message in output.err
    assert output.err.startswith("llmvs: ")
    assert output.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [], "a refused start leaves nothing behind"


LIGHT = """
import sys
from llmvs.cli import main
sys.argv = ["llmvs", *sys.argv[1:]]
status = main()
print(status, [name for name in ("torch", "lightning", "transformers") if name in sys.modules])
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "tvsun"],
        ["train", "tvsum"],
        ["train", "demo", "fold=9"],
        ["train", "demo", "optim.lrr=1"],
        ["ablate", "embedding", "demo", "--folds", "9"],
        ["sweep", "heat"],
        ["extract", "nowhere.mp4"],
        ["config", "tvsum", "fold=3"],
    ],
    ids=" ".join,
)
def test_checks_that_need_no_torch_do_not_import_it(arguments, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    status = 0 if arguments[0] == "config" else 2
    assert done.stdout.splitlines()[-1] == f"{status} []"


@pytest.mark.parametrize(
    ("hidden", "arguments", "message"),
    [
        (
            "peft",
            ["train", "demo", "method.model=scorer", "method.lora=true"],
            "method.lora=true needs peft: pip install 'llmvs[lora]'",
        ),
        (
            "transformers",
            ["train", "demo"],
            "extraction needs transformers: pip install 'llmvs[extract]'",
        ),
        (
            "transformers",
            ["train", "demo", "method.model=captioner"],
            "extraction needs transformers: pip install 'llmvs[extract]'",
        ),
        ("wandb", ["sweep", "head", "--create"], "needs wandb: pip install 'llmvs[wandb]'"),
    ],
)
def test_an_absent_extra_is_one_line_at_once(
    hidden, arguments, message, capsys, tmp_path, monkeypatch
):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == hidden else real(name)
    )
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", ["position", "visual_novelty", "caption_novelty"])
def test_what_asks_no_model_needs_no_model_library(model, tmp_path, monkeypatch):
    from llmvs.commands._checks import check_extraction
    from llmvs.config.load import load_config

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    given = [f"cache={tmp_path / 'cache'}", "selection=last", f"method.model={model}"]
    if model == "caption_novelty":
        with pytest.raises(UserError, match="needs transformers"):
            check_extraction(load_config(["demo", *given]))
        given.append(f"extract.captions={tmp_path}")
    check_extraction(load_config(["demo", *given]))
    with pytest.raises(UserError, match="needs transformers"):
        check_extraction(load_config(["demo", *given[:1], "method.model=scorer"]))


def test_a_file_in_the_way_of_the_runs_is_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("")
    assert main(["train", "demo"]) == 2
    assert "runs=runs: runs: Not a directory: name another folder" in capsys.readouterr().err


def test_the_known_numbers_of_folds_are_those_of_the_datasets():
    from llmvs.commands._checks import FOLDS
    from llmvs.config.settings import OWN
    from llmvs.datasets import DATASETS, splits

    assert set(FOLDS) == set(DATASETS) - set(OWN)
    assert FOLDS["demo"] == splits.FOLDS
    for name in ("summe", "tvsum"):
        assert {FOLDS[name]} == {len(folds) for folds in splits.published(name).values()}


def test_a_verb_is_one_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "say_hello.py").write_text(
        'SUMMARY = "greet"\n'
        "def arguments(parser):\n    parser.add_argument('settings', nargs='*')\n"
        "def call(given):\n    print('hello', *given.settings)\n"
    )
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    assert main(["say-hello", "a=1", "--b=2"]) == 0
    assert capsys.readouterr().out == "hello a=1 --b=2\n"


def test_config_prints_what_would_run_and_where(capsys):
    assert main(["config", "data.dataset=tvsum", "--fold=3", "optim.lr=1e-4"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# folder of the run: runs/tvsum+optim.lr=0.0001/fold3/seed1112\n")
    assert "lr: 0.0001" in printed
    assert main(["config", "--keys"]) == 0
    assert "optim.lr = 0.000119\n    Peak learning rate" in capsys.readouterr().out


def test_baselines_and_evaluate_print_the_same_floors(shared, summe, tmp_path, capsys):
    where = [
        "data.dataset=summe",
        f"data.root={shared / 'summe'}",
        "data.splits=disjoint",
        "--draws",
        "3",
        "--json",
    ]
    assert main(["baselines", *where]) == 0
    floors = json.loads(capsys.readouterr().out)
    write_json(
        tmp_path / "scores.json", {key: video.gtscore for key, video in summe.annotations.items()}
    )
    assert main(["evaluate", "--scores", str(tmp_path / "scores.json"), *where]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["folds"] == floors["folds"] == [0, 1, 2, 3, 4]
    for name, rows in evaluated["protocols"].items():
        own = rows.pop(str(tmp_path / "scores.json"))
        assert own == pytest.approx(floors["protocols"][name]["ceiling"])
        broken = rows.pop(
            f"{tmp_path / 'scores.json'}/untied", None
        )  # many steps are alike: nobody chose them
        assert (broken is None) == (name == "f1")
        assert name != "per_annotator" or broken["tau"] < own["tau"] - 0.02
        assert rows == floors["protocols"][name]


def test_evaluate_as_text_names_undefined_scores_and_the_folds_covered(
    shared, summe, tmp_path, capsys
):
    test = summe.splits["paper"][1][1]
    rng = np.random.default_rng(0)
    scores = {key: rng.random(summe.annotations[key].n_steps) for key in test} | {
        test[2]: np.zeros(summe.annotations[test[2]].n_steps)
    }
    write_json(tmp_path / "s.json", scores)
    assert (
        main(
            [
                "evaluate",
                "--scores",
                str(tmp_path / "s.json"),
                "data.dataset=summe",
                f"data.root={shared / 'summe'}",
                "--draws=2",
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert "summe, paper splits, mean over folds 1" in printed
    assert f"per_annotator: undefined, because the scores of {test[2]} have no ranking" in printed
    assert "undefined" in printed.split("per_annotator:")[1].splitlines()[2]


def test_ctrl_c_is_one_line(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("llmvs.cli._run", interrupted)
    assert main([]) == 130
    assert capsys.readouterr().err == "llmvs: interrupted; the same command goes on from here\n"


@pytest.mark.parametrize("name", ["mlflow", "tensorboard"])
def test_a_logger_that_is_not_installed_is_missed_before_anything_is_made(
    name, tmp_path, monkeypatch, capsys
):
    found = importlib.util.find_spec
    hidden = (name, "tensorboardX")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda one, *more: None if one in hidden else found(one, *more)
    )
    monkeypatch.chdir(tmp_path)
    assert main(["train", "demo", f"log.loggers=[csv,{name}]"]) == 2
    error = capsys.readouterr().err
    assert error == f"llmvs: log.loggers={name} needs {name}: pip install 'llmvs[{name}]'\n"
    assert not list(tmp_path.iterdir())
