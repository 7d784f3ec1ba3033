"""The built-in pair: the same everywhere, whole or absent, in Hugging Face format."""

from pathlib import Path

import pytest
import torch

from llmvs.demo.models.vocabulary import tokenizer
from llmvs.errors import UserError
from llmvs.extraction import builtin
from llmvs.extraction.models import load_captioner, load_scorer
from tests.extraction.conftest import TINY


@pytest.mark.parametrize("name", ["tiny-llama", "tiny-llava"])
def test_building_twice_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = builtin.folder(f"builtin:{name}", tmp_path / "a")
    torch.manual_seed(2)
    second = builtin.folder(f"builtin:{name}", tmp_path / "b")
    names = sorted(path.name for path in first.iterdir())
    assert "model.safetensors" in names
    assert all((first / file).read_bytes() == (second / file).read_bytes() for file in names)
    assert [path.name for path in (tmp_path / "a" / "backbones").iterdir()] == [first.name]


@pytest.mark.parametrize(
    "text",
    [
        "a man is walking on the beach",
        "naïve café — 日本 🙂!",
        "  two  spaces\tand tab",
        "[INST] 7/10",
    ],
)
def test_tokenizer_gives_every_text_back(text: str) -> None:
    tokens = tokenizer()
    assert tokens.decode(tokens(text).input_ids, skip_special_tokens=True) == text
    assert len(tokens(" walking").input_ids) == 2  # <s> and one whole word


def test_both_load_like_any_checkpoint(tmp_path: Path) -> None:
    model, text = load_scorer(TINY, tmp_path, torch.device("cpu"))
    assert type(model).__name__ == "LlamaForCausalLM"
    assert (text.bos_token, text.eos_token, text.pad_token) == ("<s>", "</s>", "<pad>")
    model, processor = load_captioner(TINY, tmp_path, torch.device("cpu"))
    assert type(model).__name__ == "LlavaForConditionalGeneration"
    assert processor.image_token == "<image>"
    assert not model.training


def test_unknown_name_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean tiny-llama"):
        builtin.folder("builtin:tiny-lama", tmp_path)
