"""Bare names, files and what they build on; every mistake in a file is one line."""

from pathlib import Path

import pytest

from llmvs.config import layers
from llmvs.config.layers import find_layer, in_order, names
from llmvs.config.load import load_config
from llmvs.errors import UserError


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, text: str | bytes) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_name_of_several_kinds_means_the_dataset() -> None:
    assert {"demo"} <= set(names("configs/dataset")) & set(names("configs/backbone"))
    layer, backbone = find_layer("demo"), find_layer("backbone=demo")
    assert layer is not None
    assert backbone is not None
    assert (layer.kind, backbone.kind) == ("dataset", "backbone")
    config = load_config(["summe", "backbone=demo"])
    assert (config.data.dataset, config.backbone.scorer) == ("summe", "builtin:demo-llama")


def test_configs_here_come_before_those_of_the_package() -> None:
    assert load_config(["tvsum", "mlp"]).head.aggregator == "mlp"
    write("configs/variant/mlp.yaml", "head: {layers: 7}")
    write("configs/dataset/mine.yaml", "base: [summe]\nfold: 3")
    config = load_config(["mine", "mlp"])
    assert (config.head.layers, config.head.aggregator) == (7, "attention")
    assert (config.fold, config.data.dataset, config.extract.every_nth_frame) == (3, "summe", 15)
    assert config.experiment == "summe-mine-mlp"


def test_kinds_follow_each_other_and_files_keep_their_place() -> None:
    own = write("own.yaml", "head: {aggregator: feedforward}")
    assert load_config(["backbone=tiny", "demo"]).backbone.scorer == "builtin:tiny-llama"
    assert load_config(["summe", "mlp", own]).head.aggregator == "feedforward"
    assert load_config(["summe", own, "mlp"]).head.aggregator == "mlp"
    assert load_config(["summe", own, "variant=mlp"]).head.aggregator == "feedforward"
    given = [find_layer(one) for one in (own, "mlp", "tvsum", "mlp", "tiny")]
    found = [layer.path.stem for layer in in_order([one for one in given if one is not None])]
    assert found == ["own", "tvsum", "tiny", "mlp"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: 3", "base=3: expected a list of files"),
        ("base: {a: 1}", "base={'a': 1}: expected a list of files"),
        ("base: [3]", "base=[3]: expected a list of files"),
        ("base: [layer.yaml]", "base: builds on itself"),
        ("base: [other.yaml]", "layer.yaml: base: builds on itself"),
        ("base: [tvsun]", "layer.yaml: base: tvsun: no such file"),
        (b"fold: \0", "not readable as YAML: unacceptable character #x0000"),
        (b"fold: \xff", "not readable as YAML: 'utf-8' codec"),
        ("optim: &a {lr: 1}\nhead: *a", "head: *a is an alias: write its value out instead"),
        ("a: &a [*a]", "a: *a is an alias"),
        ("fold: " + "[" * 5000 + "]" * 5000, "fold: nested more than 20 levels deep"),
        ("fold: 1\nfold: 2", "fold stands twice"),
        ("fold: !!python/object:os.system 1", "could not determine a constructor"),
        ("fold: {a: 1}", "fold: value '{'a': 1}' of type 'dict'"),
        ("optim: {lr: [1]}", "optim.lr: value '[1]' of type 'list'"),
        ("optim: 3", "optim=3: optim is a group of settings"),
        ("head: {lr: 3}", "unknown key head.lr: did you mean optim.lr or lora.lr?"),
        ("7: 3", "unknown key 7"),
    ],
)
def test_a_mistake_in_a_file_names_the_file_and_the_key(text: str | bytes, message: str) -> None:
    write("other.yaml", "base: [layer.yaml]")
    with pytest.raises(UserError) as error:
        load_config(["demo", write("layer.yaml", text)])
    assert message in str(error.value)
    assert ".yaml: " in str(error.value)
    assert "\n" not in str(error.value)


def test_a_group_without_lines_and_a_folder() -> None:
    assert load_config(["demo", write("a.yaml", "optim:\n#  lr: 3")]).optim.lr == 1e-3
    Path("b.yaml").mkdir()
    with pytest.raises(UserError, match=r"^b\.yaml: a folder: name a YAML file$"):
        load_config(["demo", "b.yaml"])
    Path("c").mkdir()
    with pytest.raises(UserError, match=r"c: a folder, not a layer"):
        load_config(["c"])


def test_the_package_has_the_projects_configurations() -> None:
    root = Path(__file__).parents[2]
    for place in ("configs", "sweeps"):
        assert (layers.PACKAGE / place).resolve() in ((root / place), layers.PACKAGE / place)
        assert names(place) == sorted(path.stem for path in (root / place).glob("*.yaml"))
