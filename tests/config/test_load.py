"""Layers and overrides: later wins, errors name their source, a run's folder is a function of its
configuration.
"""

import re
from pathlib import Path

import pytest

from llmvs.config.describe import describe
from llmvs.config.load import flat, load_config, run_folder, to_yaml
from llmvs.config.schema import Config
from llmvs.errors import UserError

CONFIGS = Path(__file__).parents[2] / "configs"


def test_defaults_are_the_papers():
    config = load_config(["data.dataset=summe"])
    assert isinstance(config, Config)
    assert (config.prompt.window, config.examples.count, config.caption.max_tokens) == (7, 3, 77)
    assert (config.head.dim, config.head.layers, config.head.heads, config.head.dropout) == (
        2048,
        3,
        2,
        0.1,
    )
    assert (
        config.optim.lr,
        config.optim.weight_decay,
        config.optim.epochs,
        config.optim.batch_videos,
    ) == (1.19e-4, 0.01, 200, 10)
    assert (config.backbone.captioner, config.backbone.scorer) == (
        "llava-hf/llava-1.5-7b-hf",
        "meta-llama/Llama-2-13b-chat-hf",
    )
    assert config.data.root == "data/summe"


@pytest.mark.parametrize(
    "path",
    sorted(set(CONFIGS.rglob("*.yaml")) - set(CONFIGS.glob("grid/*"))),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_every_layer_of_the_project_loads(path):
    config = load_config(
        [str(path), *([] if path.parent.name == "dataset" else ["data.dataset=demo"])]
    )
    assert path.stem in config.experiment


def test_later_wins(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "data: {dataset: summe}\nfold: 1\noptim: {lr: 0.1, epochs: 7}\n"
    )
    (tmp_path / "b.yaml").write_text("base: [a.yaml]\nfold: 2\noptim: {lr: 1.0e-4}\n")
    config = load_config(["fold=4", str(tmp_path / "b.yaml"), "--fold=3"])
    assert (config.fold, config.optim.lr, config.optim.epochs) == (3, 1e-4, 7)
    config = load_config([str(tmp_path / "b.yaml"), str(tmp_path / "a.yaml")])
    assert (config.fold, config.optim.lr) == (1, 0.1)


def test_layers_named_by_their_kind_come_in_their_order():
    demo, tiny, mlp, query = (
        str(CONFIGS / part)
        for part in (
            "dataset/demo.yaml",
            "backbone/tiny.yaml",
            "variant/mlp.yaml",
            "variant/query_only.yaml",
        )
    )
    named = load_config([f"variant={mlp}", f"--backbone={tiny}", f"dataset={demo}", query])
    assert named == load_config([demo, tiny, mlp, query])
    assert named.experiment == "demo-tiny-mlp-query_only"
    assert load_config(["dataset=summe"]) == load_config(["summe"])
    assert load_config(["variant=mlp", "--backbone=tiny", "dataset=demo", "query_only"]) == named


def test_forms_of_an_override():
    config = load_config(
        [
            "data.dataset=tvsum",
            "--optim.lr=1e-4",
            "extract.fps=None",
            "extract.every_nth_frame=15",
            "caption.prompt=a=b: what, and [why]?",
            "resume=false",
            "head.dim=64",
        ]
    )
    assert (config.optim.lr, config.extract.fps, config.extract.every_nth_frame) == (1e-4, None, 15)
    assert (config.caption.prompt, config.resume, config.head.dim) == (
        "a=b: what, and [why]?",
        False,
        64,
    )
    assert (
        load_config(
            ["data.dataset=tvsum", "extract.fps=null", "extract.every_nth_frame=15"]
        ).extract.fps
        is None
    )


def test_the_printed_configuration_is_a_layer(tmp_path):
    config = load_config(["data.dataset=tvsum", "optim.lr=1e-4", "fold=3"])
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert load_config([str(tmp_path / "config.yaml")]) == config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["optim.lrr=1"], "command line: unknown key optim.lrr: did you mean optim.lr?"),
        (["fps=1"], "command line: unknown key fps: did you mean extract.fps?"),
        (["zzz=1"], "command line: unknown key zzz: `llmvs config --keys` lists them all"),
        (
            ["optim.lr=fast"],
            "command line: optim.lr: value 'fast' of type 'str' could not be converted to Float",
        ),
        (
            ["data.splits=papr"],
            (
                "command line: data.splits: invalid value 'papr', expected one of ['paper',"
                " 'disjoint']"
            ),
        ),
        (["extract.fps=0"], "command line: extract.fps=0.0: must be more than 0 steps per second"),
        (
            ["extract.every_nth_frame=5"],
            (
                "command line: extract.fps=2.0 and extract.every_nth_frame=5: set one and make the"
                " other null"
            ),
        ),
        (["prompt.window=4"], "command line: prompt.window=4: must be"),
        (["head.dim=100"], "command line: head.dim=100: must be a multiple of 16"),
        (
            ["data.val_fraction=1"],
            "command line: data.val_fraction=1.0: must be a share between 0 and 1",
        ),
        (["fold=-1"], "command line: fold=-1: must be 0 or more"),
        (["optim=3"], "command line: "),
        (
            ["qiuck"],
            (
                "command line: 'qiuck' is neither a layer (a YAML file, or a name in configs) nor"
                " key=value (datasets: demo, eccv16, folder, mrhisum, summe, tvsum)"
            ),
        ),
        (["optim=3"], "command line: optim=3: optim is a group of settings: set one of them"),
        (["optim.lr=inf"], "command line: optim.lr=inf: must be a finite number"),
        (["optim.lr=nan"], "command line: optim.lr=nan: must be a finite number"),
        (["log.checkpoint_seconds=inf"], "command line: log.checkpoint_seconds=inf: must be"),
        (["seed=4294967296"], "command line: seed=4294967296: must be at most 4294967295"),
        (["head.dim=1000000000"], "command line: head.dim=1000000000: must be at most 65536"),
        (["optim.epochs=1000000000000"], "command line: optim.epochs=1000000000000: must be at"),
        (["experiment=a/b"], "command line: experiment='a/b': must be a name"),
        (["experiment=.."], "command line: experiment='..': must be a name"),
        (["experiment=.hidden"], "command line: experiment='.hidden': must be a name"),
        (["experiment="], "command line: experiment='': must be a name"),
        (["resume=None"], "command line: resume: field 'resume' is not Optional"),
    ],
)
def test_mistakes_are_one_line_that_names_the_place(arguments, message):
    with pytest.raises(UserError) as error:
        load_config(["data.dataset=demo", *arguments])
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_mistakes_in_files_name_the_file(tmp_path):
    def written(text, name="layer.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    for text, message in [
        ("optim: {lrr: 1}", "unknown key optim.lrr"),
        ("a: [", "not readable as YAML"),
        ("- 1", "expected `key: value` lines"),
        ("prompt: {window: 2}", "prompt.window=2: must be"),
        ("base: [layer.yaml]", "builds on itself"),
        ("base: [none.yaml]", "none.yaml: no such file"),
    ]:
        with pytest.raises(UserError, match=message) as error:
            load_config(["data.dataset=demo", written(text)])
        assert str(tmp_path) in str(error.value)
    with pytest.raises(UserError, match=r"demmo\.yaml: no such file: did you mean .*demo\.yaml"):
        load_config([str(CONFIGS / "dataset" / "demmo.yaml")])
    load_config([written(""), "data.dataset=demo"])


def test_dataset_must_be_named():
    with pytest.raises(UserError, match=r"data\.dataset is not set: name a dataset's layer"):
        load_config(["fold=1"])


def test_the_folder_of_a_run():
    def folder(*arguments):
        return str(run_folder(load_config([str(CONFIGS / "dataset" / "tvsum.yaml"), *arguments])))

    assert folder() == "runs/tvsum/fold0/seed1112"
    assert (
        folder("fold=2", "seed=3", "devices=2", "log.wandb=disabled", "data.root=/x")
        == "runs/tvsum/fold2/seed3"
    )
    assert (
        folder("extract.tokens_per_batch=512", "caption.batch=2", "extract.refresh=never")
        == "runs/tvsum/fold0/seed1112"
    )
    assert folder("optim.lr=1e-4") == "runs/tvsum+optim.lr=0.0001/fold0/seed1112"
    assert folder("head.dim=64", "extract.captions=/some/dir") == folder(
        "extract.captions=/other/dir", "head.dim=64"
    )
    assert folder("experiment=mine", "optim.lr=1e-4", "runs=/r") == "/r/mine/fold0/seed1112"
    long = folder(*(f"extract.captions=/a/{'x' * 200}{i}" for i in range(1)))
    assert len(long) < 160


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["optim.lr=1", "optim.lr=2"], ["optim.lr=2"]),
        (["optim.lr=7e-5"], []),  # the layer's own value
        (["optim.lr=1e-4"], ["--optim.lr=0.00010"]),
        (["fold=1", "head.dim=64"], ["head.dim=64", "fold=1"]),
        (["optim={'lr': 0.1, 'clip': 1}"], ["optim.clip=1.0", "optim.lr=0.1"]),
        (["data.root=/a"], ["data.root=/b"]),
        (["data.extra=['summe=/a']"], ["data.extra=[summe=/b]"]),
        (["lora.at_once=1", "backbone.device_map=auto", "caption.batch=1"], []),
        (["mlp", "dataset=tvsum"], ["variant=mlp"]),
    ],
)
def test_the_same_meaning_is_the_same_folder(first, second):
    assert run_folder(load_config(["tvsum", *first])) == run_folder(load_config(["tvsum", *second]))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["demo"], "demo"),
        (["summe", "mlp"], "summe-mlp"),
        (["summe", "query_only", "fold=2"], "summe-query_only"),
        (["summe", "resume=false", "optim.clip=1"], "summe+optim.clip=1.0"),
        (["summe", "extract.captions=/a/mine"], "summe+extract.captions=mine"),
        (["summe", "data.extra=[tvsum=/a/b]"], "summe+data.extra=tvsum"),
        (["folder", "data.root=/disk/mine"], "folder-mine"),
        (["folder", "data.root=/disk/folder"], "folder"),
        (["data.dataset=summe"], "summe"),
    ],
)
def test_names_are_short(arguments, name):
    assert load_config(arguments).experiment == name


def test_many_changes_become_a_hash():
    names = {
        load_config(["summe", "query_only", "optim.epochs=3", "optim.lr=0.1", *more]).experiment
        for more in ([], ["head.dim=64"], ["head.dim=128"], ["caption.prompt=What, /is/ ${this}?"])
    }
    assert len(names) == 4
    assert all(re.fullmatch(r"summe-query_only(-[0-9a-f]{8}|\+[\w.=+]+)", name) for name in names)
    assert all(len(name) <= 16 + 40 for name in names)


def test_a_dollar_is_a_dollar(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMVS_SECRET", "hidden")
    text = "${oc.env:LLMVS_SECRET} costs $5, ${fold}, ${"
    config = load_config(["demo", f"caption.prompt={text}", "data.extra=[a$b=${c}]"])
    assert (config.caption.prompt, config.data.extra) == (text, ["a$b=${c}"])
    assert flat(config)["caption.prompt"] == text
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert load_config([str(tmp_path / "config.yaml")]) == config
    (tmp_path / "layer.yaml").write_text("data: {root: '/d/${data.dataset}'}\n")
    assert load_config(["demo", str(tmp_path / "layer.yaml")]).data.root == "/d/${data.dataset}"


@pytest.mark.parametrize(
    "text", ["1e5", "null", "True", "2024-01-01", "a: b # c", "'q' \"q\"", "=", "é\nü", "", "~"]
)
def test_text_survives_the_file_of_a_run(text, tmp_path):
    config = load_config(["demo", f"caption.prompt={text}"])
    assert config.caption.prompt == text
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert load_config([str(tmp_path / "config.yaml")]) == config


def test_a_configuration_of_another_version_is_one_line(tmp_path):
    (tmp_path / "config.yaml").write_text("data: {dataset: demo}\nhead: {width: 3}\n")
    with pytest.raises(UserError, match=r"config\.yaml: unknown key head\.width.*another version"):
        load_config([str(tmp_path / "config.yaml")])


def test_every_setting_is_described():
    text = describe()
    for key in flat(load_config(["data.dataset=demo"])):
        assert f"{key} = " in text
    assert "\n    Affects: captions, embeddings, training.\n" in text.split("caption.prompt = ")[1]
    assert "Affects: nothing that is computed." in text.split("lora.at_once = ")[1].split(" = ")[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("experiment", "caf\udce9"),
        ("data.root", "/data/\udcff"),
        ("data.extra", "[tvsum=\udcff]"),
        ("prompt.template", "{a: {b: '\udcff'}}"),
        ("backbone.scorer", "a\0b"),
    ],
)
def test_what_no_file_could_hold_is_refused(key, value):
    with pytest.raises(
        UserError,
        match=f"^command line: {key}[=:].*(not UTF-8|a NUL|special characters are not allowed)",
    ) as refused:
        load_config(["demo", f"{key}={value}"])
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("key", ["prompt.template", "trainer", "optim.losses"])
@pytest.mark.parametrize("value", ["3", "[1]", "text"])
def test_a_dictionary_is_asked_for_where_one_is_needed(key, value):
    with pytest.raises(UserError, match=r"expected a dictionary, such as \{name: value\}"):
        load_config(["demo", f"{key}={value}"])
