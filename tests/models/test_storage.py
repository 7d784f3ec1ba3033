"""One format of a trained head: a run's folder, an export and an old run are all read alike."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from llmvs.config.schema import HeadConfig
from llmvs.errors import UserError
from llmvs.models.head import Head
from llmvs.models.pretrained import LLMVS
from llmvs.models.storage import load_head, save_head

SMALL = HeadConfig(dim=16, layers=1, feedforward=16, standardize=True)


def draw() -> Head:
    torch.manual_seed(3)
    head = Head(6, SMALL).eval()
    head.standardize.fit([torch.randn(9, 6)])
    return head


def same(one: Head, other: Head) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[name], theirs[name]) for name in ours
    )


def old_run(folder: Path, head: Head) -> Path:
    """A head as version 0.1 left it in a run's folder."""
    folder.mkdir()
    save_file(head.state_dict(), folder / "weights.safetensors")
    (folder / "head.json").write_text(json.dumps({"input_dim": 6, "head": asdict(SMALL)}))
    return folder


def test_what_is_saved_is_read_by_both_loaders(tmp_path: Path) -> None:
    head, made = draw(), {"prompt.window": 7}
    save_head(tmp_path, head.state_dict(), 6, SMALL, made, {"scorer": "x"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert same(load_head(tmp_path), head)
    model = LLMVS.from_pretrained(tmp_path)
    assert same(model.head, head)
    assert (model.extraction, model.identity) == (made, {"scorer": "x"})
    assert not model.training
    q, a = torch.randn(2, 5, 6)
    assert model(q, a).shape == (5,)


def test_saved_again_it_is_the_same_file(tmp_path: Path) -> None:
    save_head(tmp_path / "run", draw().state_dict(), 6, SMALL, None, {"scorer": "x"})
    LLMVS.from_pretrained(tmp_path / "run").save_pretrained(tmp_path / "again")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_run_of_version_0_1_is_read(tmp_path: Path) -> None:
    head = draw()
    folder = old_run(tmp_path / "run", head)
    assert same(load_head(folder), head)
    model = LLMVS.from_pretrained(folder)
    assert same(model.head, head)
    assert (model.extraction, model.identity) == ({}, {})
    (folder / "weights.safetensors").unlink()
    with pytest.raises(UserError, match=r"weights\.safetensors: no such file"):
        load_head(folder)


def test_of_a_run_that_was_trained_again_the_new_head_is_read(tmp_path: Path) -> None:
    old_run(tmp_path / "run", Head(6, SMALL))
    head = draw()
    save_head(tmp_path / "run", head.state_dict(), 6, SMALL)
    assert same(load_head(tmp_path / "run"), head)


def test_loading_draws_no_random_numbers_for_weights_that_are_read(tmp_path: Path) -> None:
    save_head(tmp_path, draw().state_dict(), 6, SMALL)
    model = LLMVS.from_pretrained(tmp_path)
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}


@pytest.mark.parametrize("missing", ["project.0.bias", "standardize.mean"])
def test_missing_weights_are_named(tmp_path: Path, missing: str) -> None:
    save_head(tmp_path, draw().state_dict(), 6, SMALL)
    weights = load_file(tmp_path / "model.safetensors")
    del weights[f"head.{missing}"]
    save_file(weights, tmp_path / "model.safetensors")
    for load in (load_head, LLMVS.from_pretrained):
        with pytest.raises(UserError, match=f"not a trained head.*{missing}") as caught:
            load(tmp_path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_no_numbers_are_named(tmp_path: Path, value: float) -> None:
    save_head(tmp_path, draw().state_dict(), 6, SMALL)
    weights = load_file(tmp_path / "model.safetensors")
    weights["head.project.0.bias"][0] = value
    save_file(weights, tmp_path / "model.safetensors")
    for load in (load_head, LLMVS.from_pretrained):
        with pytest.raises(UserError, match=r"NaN or infinite weights: head\.project\.0\.bias"):
            load(tmp_path)


@pytest.mark.parametrize("content", ["[]", "3", "{}", '{"input_dim": 6, "head": 3}'])
def test_settings_that_are_none_are_one_line(tmp_path: Path, content: str) -> None:
    save_head(tmp_path, draw().state_dict(), 6, SMALL)
    (tmp_path / "config.json").write_text(content)
    for load in (load_head, LLMVS.from_pretrained):
        with pytest.raises(UserError, match="not a trained head") as caught:
            load(tmp_path)
        assert "\n" not in str(caught.value)


WITHOUT_HUB = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("huggingface_hub", "transformers"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
from llmvs import LLMVS
from llmvs.errors import UserError
model = LLMVS.from_pretrained(sys.argv[1])
model.save_pretrained(sys.argv[2])
print(model.head.input_dim)
for call in (lambda: LLMVS.from_pretrained("someone/head"), lambda: model.push_to_hub("me/head")):
    try:
        call()
    except UserError as error:
        print(error)
"""


def test_a_folder_needs_no_hub_library(tmp_path: Path) -> None:
    save_head(tmp_path / "run", draw().state_dict(), 6, SMALL)
    places = [str(tmp_path / "run"), str(tmp_path / "again")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_HUB, *places], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        "6",
        "someone/head: no such folder, and the hub needs huggingface_hub: pip install 'llmvs[hub]'",
        "push_to_hub needs huggingface_hub: pip install 'llmvs[hub]'",
    ], done.stderr
    assert same(load_head(tmp_path / "again"), draw())
