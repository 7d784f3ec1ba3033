"""Adapters: at first they change nothing, then only themselves; peft's own files."""

import hashlib
import re
import warnings

import pytest
import torch
from peft import PeftModel

from llmvs.config.schema import LoraConfig
from llmvs.errors import UserError, require_package
from llmvs.extraction import peft_folder
from llmvs.models.adapters import adapter
from llmvs.models.adapters.answering import Answering
from llmvs.models.adapters.questions import load_captioner, load_scorer
from tests.models.adapters.conftest import CAPTIONS, loaded_anew


def digest(model):
    """Hash of every weight that is no adapter's."""
    found = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if "lora_" not in name:
            found.update(name.replace(".base_layer", "").encode() + value.numpy().tobytes())
    return found.hexdigest()


def test_new_adapters_change_nothing_and_training_changes_only_them(loaded, dataset):
    model, numbers, questions = loaded
    asked = list(questions.about(dataset.annotations_of("one")))
    before, weights = Answering(model, numbers).expected(asked), digest(model)
    adapted = adapter.attach(model, LoraConfig(rank=2, dropout=0.0), "builtin:tiny", seed=0)
    answering = Answering(model, numbers)
    assert torch.equal(answering.expected(asked), before)
    assert digest(model) == weights
    trainable = [value for value in adapted.parameters() if value.requires_grad]
    assert sum(value.numel() for value in trainable) == sum(
        value.numel() for value in peft_folder.weights(adapted).values()
    )
    optimizer, losses = torch.optim.AdamW(trainable, lr=1e-2), []
    for _ in range(12):
        loss = answering.losses(asked, [0, 10, 3, 3, 7, 7]).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 1
    assert digest(model) == weights
    assert not torch.allclose(answering.expected(asked), before, atol=1e-3)


@pytest.mark.parametrize("role", ["scorer", "captioner"])
def test_a_saved_adapter_is_pefts_and_gives_the_same_scores(role, config, dataset, tmp_path):
    def load():
        return loaded_anew(role, config)

    model, numbers, questions = load()
    asked = list(questions.about(dataset.annotations_of("one")))
    adapted = adapter.attach(model, LoraConfig(rank=2), f"builtin:{role}", seed=0)
    changed = {
        name: torch.randn_like(value) / 10 for name, value in peft_folder.weights(adapted).items()
    }
    adapter.restore(adapted, changed)
    adapted.eval()
    expected = Answering(model, numbers).expected(asked)
    adapter.save(tmp_path / "adapter", changed, adapted.peft_config["default"])
    assert {path.name for path in (tmp_path / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    for read in (peft_folder.load, PeftModel.from_pretrained):
        fresh, numbers, _ = load()
        again = read(fresh, tmp_path / "adapter")
        assert again.peft_config["default"].base_model_name_or_path == f"builtin:{role}"
        assert torch.equal(Answering(fresh, numbers).expected(asked), expected)


def test_an_adapter_without_some_of_its_weights_is_refused(config, tmp_path):
    model, _, _ = load_scorer(config, [], CAPTIONS)
    adapted = adapter.attach(model, LoraConfig(rank=2), "builtin:scorer", seed=0)
    state = peft_folder.weights(adapted)
    kept = {name: value for name, value in state.items() if "layers.1." not in name}
    lost = sorted(state.keys() - kept.keys())
    adapter.save(tmp_path, kept, adapted.peft_config["default"])
    fresh, _, _ = load_scorer(config, [], CAPTIONS)
    line = f"lacks weights of the adapter: {', '.join(lost[:3])} and {len(lost) - 3} more: fine"
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Found missing adapter keys")
        with pytest.raises(UserError, match=re.escape(line)):
            peft_folder.load(fresh, tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"no weights")
    fresh, _, _ = load_scorer(config, [], CAPTIONS)
    with pytest.raises(UserError, match="not an adapter of this model"):
        peft_folder.load(fresh, tmp_path)


def test_only_language_layers_are_adapted(config):
    model, _, _ = load_captioner(config)
    attention = adapter.layers(model, "q_proj, v_proj")
    everything = adapter.layers(model, "all-linear")
    assert len(attention) == 4  # two layers
    assert {name.rsplit(".", 1)[-1] for name in everything} >= {"gate_proj", "down_proj", "o_proj"}
    assert not any("vision" in name or "lm_head" in name for name in everything)
    with pytest.raises(
        UserError,
        match=(
            r"lora\.targets=query: .* no linear layers of these names \(it has"
            r" .*q_proj.*all-linear\)"
        ),
    ):
        adapter.layers(model, "query")


def test_peft_is_missed_at_once(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs peft: pip install 'llmvs\[lora\]'"):
        require_package("peft", "lora", adapter.LORA)


def test_a_folder_without_an_adapter(config, tmp_path):
    model, _, _ = load_scorer(config, [], CAPTIONS)
    with pytest.raises(UserError, match="holds no adapter"):
        peft_folder.load(model, tmp_path)
