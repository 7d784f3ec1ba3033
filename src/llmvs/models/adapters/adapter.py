"""Low-rank adapters in peft's own form: put on a model, written to a folder (which
`extraction.peft_folder` reads). The model's weights never change.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from llmvs.cache.store import save_tensors
from llmvs.config.schema import LoraConfig
from llmvs.errors import UserError, require_package
from llmvs.extraction.hub import ADAPTER_SETTINGS, ADAPTER_WEIGHTS
from llmvs.files import write_text

if TYPE_CHECKING:
    from peft import PeftModel

EVERYTHING = "all-linear"
LORA = "method.lora=true"


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
    require_package("peft", "lora", LORA)
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


def restore(adapted: "PeftModel", state: Mapping[str, Tensor]) -> None:
    """Set the adapter's weights, by peft's names."""
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(adapted, dict(state))


def save(folder: Path, state: Mapping[str, Tensor], settings: Any = None) -> None:
    """Write an adapter as peft does: `PeftModel.from_pretrained(model, folder)` reads it. Each file
    is whole or absent.

    Args:
        folder: where it goes.
        state: as `peft_folder.weights` gives it.
        settings: peft's own configuration; None: it is there already.

    Raises:
        UserError: the folder cannot be written.
    """
    if settings is not None:
        with tempfile.TemporaryDirectory() as aside:
            settings.save_pretrained(aside)
            write_text(
                folder / ADAPTER_SETTINGS,
                (Path(aside) / ADAPTER_SETTINGS).read_text(encoding="utf-8"),
            )
    save_tensors(
        folder / ADAPTER_WEIGHTS,
        {name: value.detach().cpu().contiguous() for name, value in state.items()},
        {"format": "pt"},
    )
