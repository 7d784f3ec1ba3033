"""Adapters in peft's own form, as fine-tuning writes them: a folder that names its model."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from llmvs.errors import UserError, first_few, require_package
from llmvs.extraction.hub import ADAPTER_SETTINGS, ADAPTER_WEIGHTS
from llmvs.files import regular

if TYPE_CHECKING:
    from peft import PeftModel


def load(model: Any, folder: Path) -> "PeftModel":
    """Put the adapter in `folder` on a frozen model.

    Raises:
        UserError: no adapter there, one of another model, or one without some of its weights.
    """
    require_package("peft", "lora", f"{folder}: an adapter")
    from peft import PeftModel

    if not (folder / ADAPTER_WEIGHTS).is_file() or not (folder / ADAPTER_SETTINGS).is_file():
        raise UserError(
            f"{folder}: holds no adapter (expected {ADAPTER_WEIGHTS} and {ADAPTER_SETTINGS})"
        )
    try:
        with warnings.catch_warnings():
            # peft only warns of what is missing; it is refused below.
            warnings.filterwarnings("ignore", message="Found missing adapter keys")
            adapted: PeftModel = PeftModel.from_pretrained(model, folder, trust_remote_code=False)
        with safe_open(regular(folder / ADAPTER_WEIGHTS), framework="pt") as file:
            missing = sorted(weights(adapted).keys() - set(file.keys()))
    except (
        OSError,
        ValueError,
        RuntimeError,
        KeyError,
        TypeError,
        AttributeError,
        SafetensorError,
    ) as error:
        raise UserError(
            f"{folder}: not an adapter of this model: {' '.join(str(error).split())[:200]}"
        ) from error
    if missing:
        # Those would keep the values that they were drawn with, and give other scores than trained.
        raise UserError(
            f"{folder / ADAPTER_WEIGHTS}: lacks weights of the adapter: {first_few(missing)}: "
            "fine-tune again, or restore the file"
        )
    return adapted


def weights(adapted: "PeftModel") -> dict[str, Tensor]:
    """The adapter's weights by peft's names."""
    from peft import get_peft_model_state_dict

    return get_peft_model_state_dict(adapted, save_embedding_layers=False)
