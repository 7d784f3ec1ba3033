"""The demo's taught models: their files come with this package, 16-bit weights, and are checked
before they are used.
"""

from pathlib import Path

from llmvs.errors import UserError
from llmvs.files import read_json, sha256

WEIGHTS = Path(__file__).with_name("weights")
CHECKSUMS = "checksums.json"
SHIPPED = ("demo-llama", "demo-llava")
"""The two models that `llmvs.demo.recipe` teaches."""
HEAD = "demo-head"
"""The head that was trained on their embeddings of the demo's first fold."""
CURE = "install llmvs again, or teach it anew with `make demo-backbones`"


def shipped(name: str, weights: Path = WEIGHTS) -> Path:
    """The folder of a shipped model, in Hugging Face format.

    Raises:
        UserError: a file is missing or is not the one that was shipped.
    """
    for file, expected in checksums(name, weights).items():
        path = weights / name / file
        if not path.is_file():
            raise UserError(f"{path}: missing from the model builtin:{name}: {CURE}")
        if sha256(path) != expected:
            raise UserError(
                f"{path}: damaged, not the file that came with the model builtin:{name}: {CURE}"
            )
    return weights / name


def version(name: str) -> str:
    """Say which weights `name` means, without opening them."""
    return f"content {checksums(name)['model.safetensors'][:16]}"


def check(name: str) -> None:
    """Refuse a model whose files are not those that were shipped."""
    shipped(name)


def folder(name: str, cache: Path) -> Path:
    """Give the folder of a model; nothing is put into the cache."""
    return shipped(name)


def checksums(name: str, weights: Path = WEIGHTS) -> dict[str, str]:
    """File -> sha256 of everything that makes the model `name`."""
    place = weights / CHECKSUMS
    if not place.is_file():
        raise UserError(f"{place}: no such file, so builtin:{name} cannot be trusted: {CURE}")
    known = read_json(place, "the checksums of the models that come with llmvs")
    if not isinstance(known, dict) or not isinstance(known.get(name), dict):
        raise UserError(f"{place}: says nothing of the model builtin:{name}: {CURE}")
    digests: dict[str, str] = known[name]
    return digests
