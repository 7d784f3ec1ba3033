"""Low-rank adapters in peft's own form: put on a model, written to a folder, read from it. The
model's weights never change.
"""

import importlib.util
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from llmvs.cache.embeddings import save_tensors
from llmvs.config.schema import LoraConfig
from llmvs.errors import UserError, first_few
from llmvs.files import write_text

if TYPE_CHECKING:
    from peft import PeftModel

EVERYTHING = "all-linear"
WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"


def require_peft() -> None:
    """Raise a UserError where peft is not installed; asked before hours of extraction."""
    if importlib.util.find_spec("peft") is None:
        raise UserError("method.lora=true needs peft: pip install 'llmvs[lora]'")


def attach(model: Any, config: LoraConfig, name: str, seed: int) -> "PeftModel":
    """Put new adapters on a frozen model; at first they change nothing that it says.

    Args:
        model: a causal or image-text-to-text model; its layers are wrapped in place.
        config: rank, scale, dropout and layers.
        name: what the model is called, for whoever loads the adapter.
        seed: of the initial weights.

    Raises:
        UserError: peft is not installed, or the model has no such layers.
    """
    require_peft()
    from peft import LoraConfig as PeftConfig
    from peft import get_peft_model

    settings = PeftConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=layers(model, config.targets),
    )
    torch.manual_seed(seed)
    adapted: PeftModel = get_peft_model(model, settings)
    settings.base_model_name_or_path = name
    return adapted


def layers(model: Any, targets: str) -> list[str]:
    """Full names of the linear layers that get an adapter: none in the vision tower, and not the
    output layer.

    Raises:
        UserError: there are none of these names.
    """
    tower = model.get_encoder(modality="image")
    seeing = set(tower.modules()) if isinstance(tower, nn.Module) and tower is not model else set()
    known = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and module not in seeing
        and module is not model.get_output_embeddings()
    }
    wanted = targets.replace(",", " ").split()
    found = [name for name in known if EVERYTHING in wanted or name.rsplit(".", 1)[-1] in wanted]
    if not found:
        names = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in known}))
        raise UserError(
            f"lora.targets={targets}: the model has no linear layers of these names (it has"
            f" {names}; or {EVERYTHING})"
        )
    return found


def weights(adapted: "PeftModel") -> dict[str, Tensor]:
    """The adapter's weights by peft's names."""
    from peft import get_peft_model_state_dict

    return get_peft_model_state_dict(adapted, save_embedding_layers=False)


def restore(adapted: "PeftModel", state: Mapping[str, Tensor]) -> None:
    """Set the adapter's weights, by peft's names."""
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(adapted, dict(state))


def save(folder: Path, state: Mapping[str, Tensor], settings: Any = None) -> None:
    """Write an adapter as peft does: `PeftModel.from_pretrained(model, folder)` reads it. Each file
    is whole or absent.

    Args:
        folder: where it goes.
        state: as `weights` gives it.
        settings: peft's own configuration; None: it is there already.

    Raises:
        UserError: the folder cannot be written.
    """
    if settings is not None:
        with tempfile.TemporaryDirectory() as aside:
            settings.save_pretrained(aside)
            write_text(folder / SETTINGS, (Path(aside) / SETTINGS).read_text(encoding="utf-8"))
    save_tensors(
        folder / WEIGHTS,
        {name: value.detach().cpu().contiguous() for name, value in state.items()},
        {"format": "pt"},
    )


def load(model: Any, folder: Path) -> "PeftModel":
    """Put the adapter in `folder` on a frozen model.

    Raises:
        UserError: no adapter there, one of another model, or one without some of its weights.
    """
    from peft import PeftModel

    if not (folder / WEIGHTS).is_file() or not (folder / SETTINGS).is_file():
        raise UserError(f"{folder}: holds no adapter (expected {WEIGHTS} and {SETTINGS})")
    try:
        with warnings.catch_warnings():
            # peft only warns of what is missing; it is refused below.
            warnings.filterwarnings("ignore", message="Found missing adapter keys")
            adapted: PeftModel = PeftModel.from_pretrained(model, folder, trust_remote_code=False)
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            missing = sorted(weights(adapted).keys() - set(file.keys()))
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise UserError(
            f"{folder}: not an adapter of this model: {' '.join(str(error).split())[:200]}"
        ) from error
    if missing:
        # Those would keep the values that they were drawn with, and give other scores than trained.
        raise UserError(
            f"{folder / WEIGHTS}: lacks weights of the adapter: {first_few(missing)}: "
            "fine-tune again, or restore the file"
        )
    return adapted
