"""Load any frozen model through transformers' Auto classes: a hub id, a folder in Hugging Face
format, a folder with an adapter (put on its model by peft), a GGUF file, or `builtin:NAME`.
"""

import gc
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
    modeling_gguf_pytorch_utils,
)
from transformers.utils import logging

from llmvs.config.schema import BackboneConfig
from llmvs.console import tracked
from llmvs.errors import UserError, first_few
from llmvs.extraction import builtin, peft_folder
from llmvs.extraction.hub import base_of, check, explained, gguf_parts, is_adapter


def load_captioner(
    config: BackboneConfig, cache: Path, device: torch.device
) -> tuple[PreTrainedModel, Any]:
    """The image-text-to-text model in evaluation mode, and its processor.

    Raises:
        UserError: one line with the cure: not such a model, gated, unreachable, missing files, or
            files without some of its weights.
    """
    with explained(config.captioner, "captioner"):
        model, processor = _load(
            "captioner",
            config,
            cache,
            device,
            AutoModelForImageTextToText.from_pretrained,
            AutoProcessor.from_pretrained,
        )
        complete_processor(processor, model)
    return model, processor


def load_scorer(
    config: BackboneConfig, cache: Path, device: torch.device
) -> tuple[PreTrainedModel, Any]:
    """The causal language model in evaluation mode, and its tokenizer.

    Raises:
        UserError: one line with the cure, as for the captioner.
    """
    with explained(config.scorer, "scorer"):
        return _load(
            "scorer",
            config,
            cache,
            device,
            AutoModelForCausalLM.from_pretrained,
            AutoTokenizer.from_pretrained,
        )


def pick_device(accelerator: str) -> torch.device:
    """Where the frozen models run in this process: a GPU if there is one and `accelerator` allows
    it.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    if accelerator in ("gpu", "cuda", "mps"):
        raise UserError(
            f"accelerator={accelerator}: torch sees no such device here: use accelerator=cpu"
        )
    return torch.device("cpu")


def build(config: BackboneConfig, cache: Path) -> None:
    """Write those of the two models that are built in and not there yet."""
    with _quiet():
        for name in (config.captioner, config.scorer):
            if builtin.is_builtin(name):
                builtin.folder(name, cache)


def free_memory() -> None:
    """Hand the memory of a model that nobody holds any more back to the GPU: the next model needs
    it, or the training.
    """
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _load(
    role: str,
    config: BackboneConfig,
    cache: Path,
    device: torch.device,
    load_model: Callable[..., Any],
    load_companion: Callable[..., Any],
) -> tuple[PreTrainedModel, Any]:
    name, revision = getattr(config, role), getattr(config, f"{role}_revision")
    if role == "scorer":
        check(name)
    adapter = Path(name) if is_adapter(name) else None
    if adapter is not None:
        base, base_revision = base_of(adapter)
        named: dict[str, Any] = {role: base, f"{role}_revision": base_revision}
        one = replace(config, **named)
        model, companion = _load(role, one, cache, device, load_model, load_companion)
        return _adapted(model, adapter), _companion(adapter, load_companion) or companion
    # `trust_remote_code` is spelled out in every call: left open, transformers asks on standard
    # input whether to run the code that a model's folder brings along, and a piped `yes` runs it.
    # Weights of another shape are let pass here only to be named below with those that are missing.
    options: dict[str, Any] = {
        "dtype": config.dtype,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,
    }
    if config.quantize != "none":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_8bit=config.quantize == "8bit", load_in_4bit=config.quantize == "4bit"
        )
    if config.device_map is not None or config.quantize != "none":
        options["device_map"] = config.device_map or device
    files: dict[str, Any] = {"revision": revision}
    if parts := gguf_parts(name):
        if role == "captioner":
            raise UserError(
                f"backbone.captioner={name}: a GGUF file holds a language model alone: give it as"
                " backbone.scorer"
            )
        name, files["gguf_file"] = parts
    with _quiet():
        place: str | Path = builtin.folder(name, cache) if builtin.is_builtin(name) else name
        companion = load_companion(place, trust_remote_code=False, **files)
        model, info = load_model(place, trust_remote_code=False, **files, **options)
    _refuse_incomplete(f"backbone {role} {getattr(config, role)}", model, info)
    if "device_map" not in options:
        model = model.to(device)
    model.generation_config = _greedy(model)
    return model.eval().requires_grad_(False), companion


def _adapted(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The model with an adapter's changes added to its weights, so that it is read like any other;
    a quantized model keeps the adapter beside them.
    """
    adapted = peft_folder.load(model, folder)
    if getattr(model, "is_quantized", False):
        kept: Any = adapted.get_base_model()
        return cast(PreTrainedModel, kept.eval().requires_grad_(False))
    merged: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)  # refuses NaN
    return merged.eval().requires_grad_(False)


def _companion(adapter: Path, load: Callable[..., Any]) -> Any | None:
    """The tokenizer or processor that an adapter's folder brings along; None where it has none."""
    if not (adapter / "tokenizer_config.json").is_file():
        return None
    with _quiet():
        return load(adapter, trust_remote_code=False)


BEYOND_PATCHES = {"clip_vision_model": 1, "siglip_vision_model": 0}
"""Tokens of a vision tower that stand for no patch: the class token of CLIP."""


def complete_processor(processor: Any, model: PreTrainedModel) -> None:
    """Tell a LLaVA processor how many tokens a picture takes in this model.

    Processors that were published before transformers 4.46 do not know it. The model decides, so
    its own configuration is taken whatever the processor's files say.
    """
    tower = getattr(model.config, "vision_config", None)
    strategy = getattr(model.config, "vision_feature_select_strategy", None)
    known = hasattr(processor, "patch_size") and hasattr(
        processor, "vision_feature_select_strategy"
    )
    if tower is None or strategy is None or not known:
        return
    processor.patch_size = tower.patch_size
    processor.vision_feature_select_strategy = strategy
    if tower.model_type in BEYOND_PATCHES:
        processor.num_additional_image_tokens = BEYOND_PATCHES[tower.model_type]


def _refuse_incomplete(place: str, model: PreTrainedModel, info: Mapping[str, Any]) -> None:
    """Refuse a model some of whose weights were not read: the library has drawn them at random.

    Weights that the model shares (an output layer tied to the embedding) are not missing. What the
    files hold beyond the model does no harm (a vision tower, a second output layer), but for more
    layers of a kind than the model has: then its configuration is not that of its weights.
    """
    missing, mismatched = sorted(info["missing_keys"]), sorted(info["mismatched_keys"])
    shapes = [f"{name} {list(found)} in place of {list(due)}" for name, found, due in mismatched]
    problems = [f"its files lack weights of the model: {first_few(missing)}"] if missing else []
    if shapes:
        problems.append(f"its files hold weights of another shape: {first_few(shapes)}")
    lists = {name for name, part in model.named_modules() if isinstance(part, nn.ModuleList)}
    beyond = [
        name
        for name in info["unexpected_keys"]
        if re.split(r"\.\d+\.", name, maxsplit=1)[0] in lists
    ]
    if beyond:
        problems.append(f"its config.json asks for fewer layers: {first_few(sorted(beyond))}")
    if problems:
        cure = "download it again, or choose another model"
        raise UserError(f"{place}: {'; '.join(problems)}: {cure}")


def _greedy(model: PreTrainedModel) -> GenerationConfig:
    """The checkpoint's special tokens without its sampling defaults (Llama-2-chat comes with
    temperature 0.6).
    """
    given = model.generation_config
    end = given.eos_token_id
    pad = (
        given.pad_token_id
        if given.pad_token_id is not None
        else end[0]
        if isinstance(end, list)
        else end
    )
    return GenerationConfig(
        bos_token_id=given.bos_token_id, eos_token_id=end, pad_token_id=pad, do_sample=False
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars of weight files and no advice about torchvision while a model loads; the
    reading of a GGUF file, which has a bar of its own that no switch of transformers reaches, gets
    one in our style, of the first process alone.
    """
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    of_gguf = vars(modeling_gguf_pytorch_utils)
    bar = of_gguf.get("tqdm")
    of_gguf["tqdm"] = _tensors
    try:
        yield
    finally:
        of_gguf["tqdm"] = bar
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _tensors(items: Iterable[Any], **_: Any) -> Iterator[Any]:
    """Stand in for tqdm while a GGUF file is read."""
    return tracked(items, "weights", "tensor")
