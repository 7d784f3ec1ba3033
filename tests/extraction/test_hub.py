"""Which weights a name means, and what is said about names that mean none."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch

from llmvs.config.schema import BackboneConfig
from llmvs.demo.models.tiny import builtin
from llmvs.errors import UserError
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
    shutil.copytree(builtin("tiny-llama", built), folder)
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
    shutil.copytree(builtin("tiny-llama", built), folder)
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
    shutil.copytree(builtin("tiny-llama" if role == "scorer" else "tiny-llava", built), folder)
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


def test_sampling_defaults_of_a_checkpoint_are_dropped(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(builtin("tiny-llama", built), folder)
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
