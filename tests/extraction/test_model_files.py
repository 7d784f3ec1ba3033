"""Models as people have them: GGUF files, adapters, old processors; and damaged ones, which are
refused in one line without running anything of theirs.
"""

import json
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from llmvs.config.schema import BackboneConfig, LoraConfig
from llmvs.errors import UserError
from llmvs.extraction import builtin, hub
from llmvs.extraction.captioner import Captioner
from llmvs.extraction.hub import identify
from llmvs.extraction.models import load_captioner, load_scorer
from llmvs.extraction.peft_folder import weights
from llmvs.models.adapters import adapter

CPU = torch.device("cpu")
PROMPT = torch.tensor([[0, 60, 70, 80, 90, 71, 61]])


def scorer(name, built):
    return load_scorer(BackboneConfig(scorer=str(name)), built, CPU)


def copied(name, built, tmp_path):
    folder = tmp_path / name.partition(":")[2]
    shutil.copytree(builtin.folder(name, built), folder)
    return folder


def edited(folder, file, change):
    path = folder / file
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def pictures():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (112, 112, 3), dtype=np.uint8) for _ in range(2)]


# ---- processors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old",
    [
        {"patch_size": None, "vision_feature_select_strategy": None},
        {"patch_size": None},
        {"vision_feature_select_strategy": None},
        {"patch_size": 8},
    ],
)
def test_a_processor_that_does_not_know_its_model_is_told(old, built, tmp_path):
    folder = copied("builtin:tiny-llava", built, tmp_path)

    def change(processor):
        for key, value in old.items():
            processor.pop(key) if value is None else processor.update({key: value})
        if "patch_size" in old:
            processor.pop("num_additional_image_tokens", None)

    def captions(name):
        model, processor = load_captioner(BackboneConfig(captioner=str(name)), built, CPU)
        asker = Captioner(model, processor, ["What is this?"], 6)
        return asker(asker.prepare(pictures()))[0]

    edited(folder, "processor_config.json", change)
    assert captions(folder) == captions("builtin:tiny-llava")


# ---- adapters ---------------------------------------------------------------------------------


@pytest.fixture
def adapted(built, tmp_path):
    """A folder with an adapter on the small scorer, and the logits of the pair."""
    model, _ = scorer("builtin:tiny-llama", built)
    changed = adapter.attach(model, LoraConfig(rank=2), "builtin:tiny-llama", seed=0)
    state = {name: torch.randn_like(value) / 5 for name, value in weights(changed).items()}
    adapter.restore(changed, state)
    adapter.save(tmp_path / "adapter", state, changed.peft_config["default"])
    with torch.inference_mode():
        return tmp_path / "adapter", changed.eval()(PROMPT).logits


@torch.inference_mode()
def test_an_adapters_folder_is_a_scorer(adapted, built):
    folder, expected = adapted
    model, tokenizer = scorer(folder, built)
    assert type(model).__name__ == "LlamaForCausalLM"
    assert torch.allclose(model(PROMPT).logits, expected, atol=1e-4)
    plain = scorer("builtin:tiny-llama", built)[0](PROMPT).logits
    assert not torch.allclose(plain, expected, atol=1e-2)
    assert tokenizer.decode(tokenizer("a dog", add_special_tokens=False).input_ids) == "a dog"
    name = identify(str(folder), None)
    assert name.startswith("adapter ")
    assert name.endswith(f"on {identify('builtin:tiny-llama', None)}")


def test_another_adapter_is_another_model(adapted):
    folder, _ = adapted
    before = identify(str(folder), None)
    state = load_file(folder / hub.ADAPTER_WEIGHTS)
    save_file({name: value * 2 for name, value in state.items()}, folder / hub.ADAPTER_WEIGHTS)
    assert identify(str(folder), None) != before


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"base_model_name_or_path": None}, "names no model"),
        ({"base_model_name_or_path": 3}, "names no model"),
        ({"base_model_name_or_path": "no/such-model-here"}, "hub cannot be reached|no such model"),
        ({"r": "two"}, "not an adapter of this model"),
        ({"target_modules": ["nowhere"]}, "not an adapter of this model"),
    ],
)
def test_an_adapter_without_its_model_is_refused(settings, line, adapted, built, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder, _ = adapted
    edited(folder, hub.ADAPTER_SETTINGS, lambda value: value.update(settings))
    with pytest.raises(UserError, match=line) as refused:
        scorer(folder, built)
    assert "\n" not in str(refused.value)


def test_an_adapter_on_an_adapter_is_refused(adapted, built):
    folder, _ = adapted
    edited(
        folder,
        hub.ADAPTER_SETTINGS,
        lambda value: value.update(base_model_name_or_path=str(folder)),
    )
    for call in (lambda: scorer(folder, built), lambda: identify(str(folder), None)):
        with pytest.raises(UserError, match="is an adapter itself"):
            call()


# ---- GGUF -------------------------------------------------------------------------------------


def write_gguf(path: Path, folder: Path) -> None:
    """The small language model as llama.cpp has it: its names, its order of rotated dimensions."""
    import gguf

    config = json.loads((folder / "config.json").read_text())
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]
    tokens = sorted(vocabulary["vocab"], key=vocabulary["vocab"].get)
    tokens = ["<s>", "</s>", "<pad>", "<image>", *tokens[4:]]
    heads = config["num_attention_heads"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges(
        [m if isinstance(m, str) else " ".join(m) for m in vocabulary["merges"]]
    )
    writer.add_token_types([3] * 4 + [1] * (len(tokens) - 4))
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    names = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "model.layers": "blk",
    }
    for name, tensor in load_file(folder / "model.safetensors").items():
        values = tensor.float().numpy()
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            count = heads if "q_proj" in name else config["num_key_value_heads"]
            split = values.reshape(count, 2, values.shape[0] // count // 2, values.shape[1])
            values = np.ascontiguousarray(split.swapaxes(1, 2).reshape(values.shape))
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@torch.inference_mode()
def test_a_gguf_file_is_a_scorer(built, tmp_path, capfd):
    pytest.importorskip("gguf", reason="needs gguf: pip install 'llmvs[gguf]'")
    folder = builtin.folder("builtin:tiny-llama", built)
    write_gguf(tmp_path / "small model.GGUF".lower(), folder)
    path = tmp_path / "small model.gguf"
    capfd.readouterr()
    model, tokenizer = scorer(path, built)
    assert "de-quantizing" not in capfd.readouterr().err  # the reader's own bar
    plain, its_tokenizer = scorer("builtin:tiny-llama", built)
    assert torch.allclose(model(PROMPT).logits, plain(PROMPT).logits, atol=1e-4)
    text = "The centre frame is number 4."
    assert (
        tokenizer(text, add_special_tokens=False).input_ids
        == its_tokenizer(text, add_special_tokens=False).input_ids
    )
    first = identify(str(path), None)
    assert first.startswith("content ")
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert identify(str(path), None) != first


def test_gguf_names(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    assert hub.gguf_parts(str(tmp_path / "model.gguf")) == (str(tmp_path), "model.gguf")
    assert hub.gguf_parts("author/name/sub/model.Q4.gguf") == ("author/name", "sub/model.Q4.gguf")
    assert hub.gguf_parts("author/name") is None
    for name in (str(tmp_path / "none.gguf"), "none.gguf", "./a/b/none.gguf"):
        with pytest.raises(UserError, match="no such file"):
            hub.gguf_parts(name)


def test_gguf_that_is_none_and_gguf_without_its_package(built, tmp_path, monkeypatch):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF\3\0\0\0 and nothing that follows")
    with pytest.raises(UserError, match=r"^backbone scorer .*gguf") as refused:
        scorer(path, built)
    assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match="holds a language model alone"):
        load_captioner(BackboneConfig(captioner=str(path)), built, CPU)
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(UserError, match=r"pip install 'llmvs\[gguf\]'"):
        scorer(path, built)


# ---- damaged folders --------------------------------------------------------------------------


class Bomb:
    """What a hostile pickle does when it is opened."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple:
        return Path.write_text, (self.place, "run")


def cut(file, share=0.5):
    def change(folder):
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[: int(len(content) * share)])

    return change


def written(file, content):
    return lambda folder: (folder / file).write_bytes(content)


def pickled(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(folder / "was_run")))


def settings(**changes):
    return lambda folder: edited(folder, "config.json", lambda value: value.update(changes))


def tokenizer_settings(**changes):
    return lambda folder: edited(
        folder, "tokenizer_config.json", lambda value: value.update(changes)
    )


DAMAGES = {
    "cut weights": cut("model.safetensors"),
    "weights of one byte": written("model.safetensors", b"\0"),
    "empty weights": written("model.safetensors", b""),
    "a header without end": written("model.safetensors", b"\xff" * 64),
    "text for weights": written("model.safetensors", b"<html>not found</html>"),
    "a pickle that runs code": pickled,
    "cut settings": cut("config.json"),
    "empty settings": written("config.json", b""),
    "settings that are a list": written("config.json", b"[1, 2]"),
    "settings that are a number": written("config.json", b"3"),
    "settings without end": written("config.json", b"[" * 100_000),
    "settings of no encoding": written("config.json", b"\xff\xfe\x00"),
    "an unknown kind": settings(model_type="nobody_knows"),
    "no kind": settings(model_type=None),
    "another width": settings(hidden_size=48, head_dim=12),
    "a width of text": settings(hidden_size="wide"),
    "no width": settings(hidden_size=0),
    "a negative number of layers": settings(num_hidden_layers=-1),
    "fewer layers than the weights": settings(num_hidden_layers=1),
    "more heads than width": settings(num_attention_heads=1000, head_dim=None),
    "cut tokenizer": cut("tokenizer.json"),
    "empty tokenizer": written("tokenizer.json", b"{}"),
    "tokenizer without end": written("tokenizer.json", b"[" * 100_000),
    "tokenizer settings that are a list": written("tokenizer_config.json", b"[]"),
    "another tokenizer class": tokenizer_settings(tokenizer_class="NobodyTokenizer"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_one_line_and_runs_nothing(damage, built, tmp_path):
    folder = copied("builtin:tiny-llama", built, tmp_path)
    DAMAGES[damage](folder)
    refusal, logits = loaded(folder, built)
    if refusal is None:  # the library reads it all the same: then it must be the model
        _, whole = loaded("builtin:tiny-llama", built)
        assert torch.equal(logits, whole)
    else:
        assert "\n" not in refusal
        assert str(folder) in refusal
    assert not (folder / "was_run").exists()


@torch.inference_mode()
def loaded(name, built):
    """Why a model is refused, or what it says."""
    try:
        identify(str(name), None)
        model, tokenizer = scorer(name, built)
    except UserError as error:
        return str(error), None
    assert len(tokenizer("a dog").input_ids) > 0
    return None, model(PROMPT).logits
