"""Which weights a name means, and what is said about names that mean none."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from llmvs.config.schema import BackboneConfig
from llmvs.errors import UserError
from llmvs.extraction import builtin, hub
from llmvs.extraction.hub import identify
from llmvs.extraction.models import load_captioner, load_scorer, pick_device

CPU = torch.device("cpu")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_pinned_commit_needs_no_hub() -> None:
    assert identify("someone/model", "a" * 40) == "a" * 40


def test_folder_is_known_by_its_content(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(builtin.folder("builtin:tiny-llama", built), folder)
    first = identify(str(folder), None)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | {"transformers_version": "0"}, indent=1)
    )
    assert identify(str(folder), None) == first
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert identify(str(folder), None) != first


def test_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        identify(str(tmp_path), None)
    with pytest.raises(UserError) as caught:
        load_scorer(BackboneConfig(scorer=str(tmp_path)), tmp_path, CPU)
    assert "\n" not in str(caught.value)


def test_hub_out_of_reach(offline: None, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be reached"):
        identify("nobody/never-downloaded", None)
    with pytest.raises(
        UserError, match=r"backbone scorer nobody/never-downloaded: .*cannot be reached"
    ) as caught:
        load_scorer(BackboneConfig(scorer="nobody/never-downloaded"), tmp_path, CPU)
    assert "\n" not in str(caught.value)


def test_a_text_model_is_no_captioner(built: Path) -> None:
    with pytest.raises(
        UserError, match=r"captioner builtin:tiny-llama: .*must be an image-text-to-text model"
    ):
        load_captioner(BackboneConfig(captioner="builtin:tiny-llama"), built, CPU)


def test_missing_weights(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(builtin.folder("builtin:tiny-llama", built), folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="cannot be loaded") as caught:
        load_scorer(BackboneConfig(scorer=str(folder)), built, CPU)
    assert "\n" not in str(caught.value)


OWN_TOKENIZER = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", None]}}
OWN_CODE = [
    (
        "scorer",
        "config.json",
        {
            "model_type": "own",
            "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"},
        },
    ),
    ("scorer", "tokenizer_config.json", OWN_TOKENIZER),
    (
        "captioner",
        "config.json",
        {
            "model_type": "own",
            "auto_map": {"AutoConfig": "own.Own", "AutoModelForImageTextToText": "own.Own"},
        },
    ),
    (
        "captioner",
        "processor_config.json",
        {"processor_class": "Own", "auto_map": {"AutoProcessor": "own.Own"}},
    ),
    ("captioner", "tokenizer_config.json", OWN_TOKENIZER),
]
"""Whose folder names code of its own, in which file, and how."""


@pytest.mark.parametrize(("role", "file", "change"), OWN_CODE)
def test_a_models_own_code_is_never_run_and_nobody_is_asked(
    role: str, file: str, change: dict, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(question: str = "") -> str:
        asked.append(question)
        return "yes"

    asked: list[str] = []
    monkeypatch.setattr("builtins.input", answer)
    folder = tmp_path / "model"
    small = "builtin:tiny-llama" if role == "scorer" else "builtin:tiny-llava"
    shutil.copytree(builtin.folder(small, built), folder)
    path = folder / file
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | change))
    ran = tmp_path / "ran"
    (folder / "own.py").write_text(f"from pathlib import Path\nPath({str(ran)!r}).touch()\n")
    load, said = load_scorer if role == "scorer" else load_captioner, ""
    try:
        load(BackboneConfig(**{role: str(folder)}), built, CPU)
    except UserError as error:
        said = str(error)
    assert asked == []
    assert not ran.exists()
    if (role, file) != ("captioner", "tokenizer_config.json"):  # its processor knows a tokenizer
        assert (
            said == f"backbone {role} {folder}: needs code of its own, which llmvs never runs: "
            "choose another model, of a kind that transformers knows by itself"
        )


def edited(source: Path, folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    """A copy of a small model whose weights are changed."""
    shutil.copytree(source, folder)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("role", "part", "names"),
    [
        (
            "scorer",
            "layers.1.mlp",
            ", ".join(
                f"model.layers.1.mlp.{layer}_proj.weight" for layer in ("down", "gate", "up")
            ),
        ),
        ("scorer", "model.norm", "model.norm.weight"),
        ("scorer", "lm_head", "lm_head.weight"),
        ("captioner", "vision_tower", "model.vision_tower.embeddings.class_.*, .* and 3[0-9] more"),
    ],
)
def test_weights_that_are_not_in_the_files_are_named(
    role: str, part: str, names: str, built: Path, tmp_path: Path
) -> None:
    def drop(tensors: dict[str, torch.Tensor]) -> None:
        dropped = [name for name in tensors if part in name]
        assert dropped
        for name in dropped:
            del tensors[name]

    small = "tiny-llama" if role == "scorer" else "tiny-llava"
    folder = edited(builtin.folder(f"builtin:{small}", built), tmp_path / "model", drop)
    load = load_scorer if role == "scorer" else load_captioner
    line = f"^backbone {role} {folder}: its files lack weights of the model: {names}: download it"
    with pytest.raises(UserError, match=line) as caught:
        load(BackboneConfig(**{role: str(folder)}), built, CPU)
    assert "\n" not in str(caught.value)


def test_weights_of_another_shape_are_named(built: Path, tmp_path: Path) -> None:
    def shorten(tensors: dict[str, torch.Tensor]) -> None:
        tensors["model.norm.weight"] = tensors["model.norm.weight"][:60].clone()

    folder = edited(builtin.folder("builtin:tiny-llama", built), tmp_path / "model", shorten)
    line = r"another shape: model\.norm\.weight \[60\] in place of \[64\]: download it again"
    with pytest.raises(UserError, match=line):
        load_scorer(BackboneConfig(scorer=str(folder)), built, CPU)


def test_tied_weights_are_not_missing_unless_all_are(built: Path, tmp_path: Path) -> None:
    def tie(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["lm_head.weight"]

    folder = edited(builtin.folder("builtin:tiny-llama", built), tmp_path / "tied", tie)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    model, _ = load_scorer(BackboneConfig(scorer=str(folder)), built, CPU)
    stored = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    assert torch.equal(model.get_output_embeddings().weight, stored)

    embedding = "model.embed_tokens.weight"
    none = edited(folder, tmp_path / "none", lambda tensors: tensors.pop(embedding))
    with pytest.raises(UserError, match=f"lack weights of the model: .*{embedding}"):
        load_scorer(BackboneConfig(scorer=str(none)), built, CPU)


def test_weights_beyond_the_model_do_no_harm(
    built: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def add(tensors: dict[str, torch.Tensor]) -> None:
        tensors["model.more.weight"] = torch.ones(3)

    folder = edited(builtin.folder("builtin:tiny-llama", built), tmp_path / "model", add)
    capfd.readouterr()
    model, _ = load_scorer(BackboneConfig(scorer=str(folder)), built, CPU)
    assert capfd.readouterr() == ("", "")
    stored = load_file(folder / "model.safetensors")
    assert all(torch.equal(value, stored[name]) for name, value in model.state_dict().items())


def test_sampling_defaults_of_a_checkpoint_are_dropped(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(builtin.folder("builtin:tiny-llama", built), folder)
    (folder / "generation_config.json").write_text(
        json.dumps(
            {"do_sample": True, "temperature": 0.6, "eos_token_id": [1, 5], "bos_token_id": 0}
        )
    )
    model, _ = load_scorer(BackboneConfig(scorer=str(folder)), built, CPU)
    given = model.generation_config
    assert (given.do_sample, given.temperature, given.eos_token_id, given.pad_token_id) == (
        False,
        None,
        [1, 5],
        1,
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_absent_gpu_is_named() -> None:
    assert pick_device("cpu") == CPU
    with pytest.raises(UserError, match="accelerator=cuda: torch sees no such device"):
        pick_device("cuda")


@pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed"
)
def test_quantizing_without_its_package(built: Path) -> None:
    with pytest.raises(UserError, match=r"needs a package that is not installed.*bitsandbytes"):
        load_scorer(BackboneConfig(scorer="builtin:tiny-llama", quantize="4bit"), built, CPU)


def test_number_format_is_a_setting(built: Path) -> None:
    model, _ = load_scorer(
        BackboneConfig(scorer="builtin:tiny-llama", dtype="bfloat16"), built, CPU
    )
    assert model.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("resolves", "proxies", "offline"),
    [(True, {}, False), (False, {}, True), (False, {"https": "http://proxy:1"}, False)],
)
def test_a_hub_without_an_address_is_not_asked(
    resolves: bool, proxies: dict[str, str], offline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(host: str, port: None) -> list[str]:
        if not resolves:
            raise OSError("Name or service not known")
        return [host]

    monkeypatch.setattr(hub, "getproxies", lambda: proxies)
    monkeypatch.setattr("socket.getaddrinfo", look_up)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with hub.quickly():
        assert constants.HF_HUB_OFFLINE is offline
    assert constants.HF_HUB_OFFLINE is False


@pytest.mark.parametrize("name", ["builtin:tiny-llama", "folder", "adapter", "AUTHOR/NAME"])
def test_a_model_that_is_here_asks_nobody(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(hub, "getproxies", dict)
    monkeypatch.setattr("socket.getaddrinfo", lambda host, port: asked.append(host) or [host])
    monkeypatch.chdir(tmp_path)
    for folder in ("folder", "adapter"):
        Path(folder).mkdir()
    Path("adapter", "adapter_config.json").touch()  # whose base may be on the hub
    with hub.explained(name, "scorer"):
        pass
    assert asked == ([] if name in ("builtin:tiny-llama", "folder") else ["huggingface.co"])
