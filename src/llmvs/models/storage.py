"""The trained head on disk: two files, the same in a run's folder, in an export and on the hub.

config.json          input_dim, the head's settings, how the embeddings that it reads are made
model.safetensors    its weights, each named `head.` and its name in `head.Head`
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from llmvs.cache.store import save_tensors
from llmvs.config.schema import HeadConfig
from llmvs.errors import UserError, first_few
from llmvs.files import read_json, regular, write_json
from llmvs.models.head import Head

SETTINGS = "config.json"
WEIGHTS = "model.safetensors"
OLD_SETTINGS = "head.json"
OLD_WEIGHTS = "weights.safetensors"
"""What version 0.1 wrote into a run's folder, without `head.` before the names; still read."""
PREFIX = "head."


@dataclass
class StoredHead:
    """A trained head, and where its input comes from."""

    head: Head
    """On the device it was read to, in evaluation mode."""
    extraction: dict[str, Any] = field(default_factory=dict)
    """The settings, by dotted key, that made the embeddings; empty where they are not known."""
    identity: dict[str, Any] = field(default_factory=dict)
    """What stands in the embeddings' fingerprint; empty where it is not known."""


def save_head(
    folder: Path,
    weights: Mapping[str, Tensor],
    input_dim: int,
    config: HeadConfig,
    extraction: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
) -> None:
    """Write a head's `state_dict`, then what it is.

    Args:
        folder: of the two files.
        weights: name in `Head` -> value.
        input_dim: D, the width of a step's embedding.
        config: the head's settings.
        extraction: the settings that made the embeddings.
        identity: of the cache that held them.
    """
    tensors = {
        f"{PREFIX}{name}": value.detach().cpu().contiguous() for name, value in weights.items()
    }
    save_tensors(folder / WEIGHTS, tensors, {"format": "pt"})
    write_json(
        folder / SETTINGS,
        {
            "input_dim": input_dim,
            "head": asdict(config),
            "extraction": dict(extraction or {}),
            "identity": dict(identity or {}),
        },
    )


def load_head(folder: Path) -> Head:
    """Read the head in a run's folder or an export, ready to score.

    Raises:
        UserError: a file is missing, damaged, or the two do not belong together.
    """
    return read_head(*head_files(folder)).head


def head_files(folder: Path) -> tuple[Path, Path]:
    """Give the paths of the settings and the weights of the head in `folder`."""
    if (folder / OLD_SETTINGS).exists() and not (folder / SETTINGS).exists():
        return folder / OLD_SETTINGS, folder / OLD_WEIGHTS
    return folder / SETTINGS, folder / WEIGHTS


def read_head(settings: Path, weights: Path, device: str = "cpu") -> StoredHead:
    """Read a head from its two files: every weight must be there and fit.

    Raises:
        UserError: a file is missing, damaged, or the two do not belong together.
    """
    said = read_json(settings, "the settings of a trained head")
    try:
        head = Head(int(said["input_dim"]), HeadConfig(**said["head"]))
        stored = load_file(regular(weights), device=device)
        head.load_state_dict({name.removeprefix(PREFIX): value for name, value in stored.items()})
        wrong = [name for name, value in stored.items() if not value.isfinite().all()]
        if wrong:
            raise ValueError(f"NaN or infinite weights: {first_few(wrong)}")
        about = (dict(said.get(name) or {}) for name in ("extraction", "identity"))
        return StoredHead(head.to(device).eval(), *about)
    except FileNotFoundError:
        raise UserError(
            f"{weights}: no such file (expected the weights of the head in {settings.name})"
        ) from None
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{settings.parent}: {settings.name} and {weights.name} are not a trained head, or of a"
            f" newer llmvs ({reason[:200]}): train, export or download it again"
        ) from error
