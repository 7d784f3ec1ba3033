"""Other model families than the paper's, as small random checkpoints loaded by name like any other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    GemmaConfig,
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    MistralConfig,
    MistralForCausalLM,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    SiglipVisionConfig,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from llmvs.config.schema import BackboneConfig, ExtractConfig
from llmvs.demo.models.vocabulary import tokenizer
from llmvs.extraction import examples
from llmvs.extraction.captioner import Captioner
from llmvs.extraction.models import load_captioner, load_scorer
from llmvs.extraction.prompts import Template, windows
from llmvs.extraction.scorer import Scorer

CPU = torch.device("cpu")
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
SPECIAL = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
PICTURES = [
    np.kron(np.random.default_rng(i).integers(0, 255, (4, 6, 3)), np.ones((16, 16, 1))).astype(
        np.uint8
    )
    for i in range(5)
]


def save(model: PreTrainedModel, companion, folder: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 2 * weight[0].numel() ** -0.5, generator=generator)
    model.generation_config = GenerationConfig(**SPECIAL)
    model.save_pretrained(folder)
    companion.save_pretrained(folder)
    return folder


def paligemma(folder: Path) -> Path:
    """No chat template, a prompt that attends to itself in both directions."""
    images = SiglipImageProcessorPil(size={"height": 56, "width": 56})
    images.image_seq_length = 16
    processor = PaliGemmaProcessor(image_processor=images, tokenizer=tokenizer())
    text = GemmaConfig(
        **SMALL, **SPECIAL, vocab_size=len(processor.tokenizer), num_key_value_heads=1, head_dim=16
    )
    vision = SiglipVisionConfig(
        **SMALL, image_size=56, patch_size=14, projection_dim=32, vision_use_head=False
    )
    config = PaliGemmaConfig(
        vision_config=vision.to_dict(),
        text_config=text.to_dict(),
        image_token_index=processor.image_token_id,
        projection_dim=32,
        hidden_size=32,
        **SPECIAL,
    )
    return save(PaliGemmaForConditionalGeneration(config), processor, folder)


def idefics3(folder: Path) -> Path:
    """A chat template of its own, pictures cut into tiles."""
    text = tokenizer()
    tiles = [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)]
    text.add_special_tokens(
        {
            "additional_special_tokens": [
                "<fake_token_around_image>",
                "<end_of_utterance>",
                "<global-img>",
                *tiles,
            ]
        }
    )
    template = (
        "{% for m in messages %}{{ m['role'] }}:{% for c in m['content'] %}{{ '<image>' if"
        " c['type'] == 'image' else c['text'] }}{% endfor %}<end_of_utterance>\n{% endfor"
        " %}assistant:"
    )
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": 112}, max_image_size={"longest_edge": 56}
    )
    processor = Idefics3Processor(
        image_processor=images, tokenizer=text, image_seq_len=4, chat_template=template
    )
    config = Idefics3Config(
        vision_config={**SMALL, "image_size": 56, "patch_size": 14},
        scale_factor=2,
        pad_token_id=2,
        text_config={
            **SMALL,
            **SPECIAL,
            "model_type": "llama",
            "vocab_size": len(text),
            "num_key_value_heads": 2,
        },
        image_token_id=text.get_vocab()["<image>"],
    )
    return save(Idefics3ForConditionalGeneration(config), processor, folder)


@pytest.mark.parametrize("make", [paligemma, idefics3])
def test_captioners_of_other_families(make, tmp_path: Path) -> None:
    captioner = Captioner(
        *load_captioner(BackboneConfig(captioner=str(make(tmp_path / "model"))), tmp_path, CPU),
        ["What is this?"],
        6,
    )
    texts, features = captioner(captioner.prepare(PICTURES))
    assert len(set(texts)) > 1
    assert features.shape == (5, 32)
    assert [captioner(captioner.prepare([picture]))[0][0] for picture in PICTURES] == texts


SCORERS = {
    "qwen2": (
        Qwen2ForCausalLM,
        Qwen2Config(**SMALL, vocab_size=2000, num_key_value_heads=1, **SPECIAL),
        "cascade",
    ),
    "mistral": (
        MistralForCausalLM,
        MistralConfig(**SMALL, vocab_size=2000, num_key_value_heads=1, **SPECIAL),
        "cascade",
    ),
    "gpt2": (
        GPT2LMHeadModel,
        GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=2000, n_positions=2048, **SPECIAL),
        None,
    ),
}


@pytest.mark.parametrize("name", SCORERS)
def test_scorers_of_other_families(name: str, tmp_path: Path) -> None:
    kind, config, engine = SCORERS[name]
    text = tokenizer()
    text.pad_token = None  # many causal models come without one
    folder = save(kind(config), text, tmp_path / "model")
    scored = []
    for wanted in ("auto", "naive"):
        model, tokens = load_scorer(BackboneConfig(scorer=str(folder)), tmp_path, CPU)
        scorer = Scorer(
            model,
            Template(tokens, "numeric", examples.fixed(1, 3)),
            3,
            ExtractConfig(engine=wanted),
        )
        scored.append(
            scorer(
                windows(
                    ["a dog runs", "a man is walking", "two cats", "a red car in the street", ""], 3
                )
            )
        )
        assert wanted == "naive" or engine is None or scorer.engine_name == engine
    assert scored[0].answer_ids == scored[1].answer_ids
    torch.testing.assert_close(scored[0].q, scored[1].q, atol=1e-4, rtol=0)
    torch.testing.assert_close(scored[0].a, scored[1].a, atol=1e-4, rtol=0)
