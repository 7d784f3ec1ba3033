"""Load any frozen model through transformers' Auto classes: a hub id, a folder in Hugging Face
format, or `builtin:NAME`.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
)
from transformers.utils import logging

from llmvs.config.schema import BackboneConfig
from llmvs.demo.models import tiny
from llmvs.errors import UserError, first_few
from llmvs.extraction.hub import BUILTIN, explained


def load_captioner(
    config: BackboneConfig, cache: Path, device: torch.device
) -> tuple[PreTrainedModel, Any]:
    """The image-text-to-text model in evaluation mode, and its processor.

    Raises:
        UserError: one line with the cure: not such a model, gated, unreachable, missing files, or
            files without some of its weights.
    """
    with explained(config.captioner, "captioner"):
        return _load(
            "captioner",
            config,
            cache,
            device,
            AutoModelForImageTextToText.from_pretrained,
            AutoProcessor.from_pretrained,
        )


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
            if name.startswith(BUILTIN):
                tiny.builtin(name.removeprefix(BUILTIN), cache)


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
    with _quiet():
        place: str | Path = (
            tiny.builtin(name.removeprefix(BUILTIN), cache) if name.startswith(BUILTIN) else name
        )
        companion = load_companion(place, revision=revision, trust_remote_code=False)
        model, info = load_model(place, revision=revision, trust_remote_code=False, **options)
    _refuse_incomplete(f"backbone {role} {name}", info)
    if "device_map" not in options:
        model = model.to(device)
    model.generation_config = _greedy(model)
    return model.eval().requires_grad_(False), companion


def _refuse_incomplete(place: str, info: Mapping[str, Any]) -> None:
    """Refuse a model some of whose weights were not read: the library has drawn them at random.

    Weights that the model shares (an output layer tied to the embedding) are not missing, and what
    the files hold beyond the model does no harm.
    """
    missing, mismatched = sorted(info["missing_keys"]), sorted(info["mismatched_keys"])
    shapes = [f"{name} {list(found)} in place of {list(due)}" for name, found, due in mismatched]
    problems = [f"its files lack weights of the model: {first_few(missing)}"] if missing else []
    if shapes:
        problems.append(f"its files hold weights of another shape: {first_few(shapes)}")
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
    """No progress bars of weight files and no advice about torchvision while a model loads."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
