"""The built-in backbone: a small LLaVA and a small Llama with random weights, in Hugging Face
format.

They let everything run anywhere in seconds: no download, no GPU, the same loading code as for the
real checkpoints. They have learnt nothing. A caption is a fixed but meaningless function of the
picture, an embedding one of the captions. Every weight is drawn from a generator seeded with the
parameter's own name, so all machines build the same models.
"""

import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedModel,
    TokenizersBackend,
)

from llmvs.demo.models.shipped import SHIPPED, shipped
from llmvs.demo.models.vocabulary import EOS, IMAGE, WORDS, tokenizer
from llmvs.errors import UserError, nearest
from llmvs.extraction.hub import BUILTIN_VERSION
from llmvs.files import DISK_ERRORS, temporary_prefix, unwritable

WIDTH, PIXELS, PATCH = 64, 112, 16

SHARPEN = {"projector": 4, "q_proj": 3, "k_proj": 3}
"""Factors on the scale of some weights: loud pictures, and attention that picks instead of
averaging.
"""


def builtin(name: str, cache: Path) -> Path:
    """The folder of `builtin:NAME`: shipped, or built under `CACHE/backbones` when it is not there
    yet (whole or absent).

    Raises:
        UserError: no such built-in model; a shipped one is damaged.
    """
    if name in SHIPPED:
        return shipped(name)
    if name not in BUILDERS:
        raise UserError(
            f"builtin:{name}: no such built-in model{nearest(name, [*SHIPPED, *BUILDERS])}"
        )
    folder = cache / "backbones" / f"{name}-{BUILTIN_VERSION}"
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(
                prefix=temporary_prefix(name), dir=folder.parent, ignore_cleanup_errors=True
            ) as aside:
                whole = Path(aside) / name
                BUILDERS[name](whole)
                whole.rename(folder)
        except DISK_ERRORS as error:
            if not folder.is_dir():  # otherwise another process was quicker, with the same result
                raise unwritable(folder, error) from error
    return folder


def _llama(vocabulary: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        dtype=torch.float32,
    )


def build_llama(folder: Path) -> None:
    """Write the small scorer and its tokenizer to `folder`."""
    text = tokenizer()
    _save(LlamaForCausalLM(_llama(len(text))), folder, text, set("0123456789"))
    text.save_pretrained(folder)


def build_llava(folder: Path) -> None:
    """Write the small captioner, its tokenizer and its image processor to `folder`."""
    text = tokenizer()
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=PIXELS,
        patch_size=PATCH,
        projection_dim=WIDTH,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=_llama(len(text)),
        image_token_index=text.get_vocab()[IMAGE],
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        dtype=torch.float32,
    )
    _save(
        LlavaForConditionalGeneration(config),
        folder,
        text,
        {EOS, *("\u0120" + word for word in WORDS)},
    )  # U+0120: a space
    images = CLIPImageProcessorPil(
        size={"shortest_edge": PIXELS}, crop_size={"height": PIXELS, "width": PIXELS}
    )
    LlavaProcessor(
        image_processor=images,
        tokenizer=text,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    ).save_pretrained(folder)


def _save(model: PreTrainedModel, folder: Path, text: TokenizersBackend, said: set[str]) -> None:
    """Draw the weights and save the model.

    Matrices keep the scale of their input, so that pictures and words stay visible to the end. Only
    tokens in `said` are ever chosen, so that captions are words and answers are digits: the others
    get the mean of their rows in the output layer, and no mean exceeds the largest.
    """
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.zero_()
            elif "norm" in name:
                weight.fill_(1)
            else:
                scale = 1.0 if "embed" in name else weight[0].numel() ** -0.5
                scale *= next((factor for part, factor in SHARPEN.items() if part in name), 1)
                weight.normal_(
                    0, scale, generator=torch.Generator().manual_seed(zlib.crc32(name.encode()))
                )
        head, vocabulary = model.get_output_embeddings().weight, text.get_vocab()
        chosen = torch.tensor(
            [token in said for token in sorted(vocabulary, key=vocabulary.__getitem__)]
        )
        head[~chosen] = head[chosen].mean(0)
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=1, pad_token_id=2)
    model.save_pretrained(folder)


BUILDERS: dict[str, Callable[[Path], None]] = {"tiny-llama": build_llama, "tiny-llava": build_llava}
