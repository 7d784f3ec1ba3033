"""What a model's name means, before anything is loaded: which weights, and what to tell a user who
cannot have them.

Names are a hub id, a folder in Hugging Face format, or `builtin:NAME` (see `builtin`). This file
imports no model code: a run that finds its cache filled never waits for it.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmvs.errors import UserError
from llmvs.extraction import builtin

PROBED_BYTES = 1 << 20
"""How much of a weight file's beginning and end goes into a folder's hash: all of 26 GB would take
minutes.
"""


def identify(name: str, revision: str | None) -> str:
    """What decides which weights `name` means: the hub's commit, the content of a folder, or a
    built-in model's version.

    Raises:
        UserError: a hub id that is unknown, gated or out of reach, or a folder without a model.
    """
    if builtin.is_builtin(name):
        return builtin.version(name)
    if Path(name).is_dir():
        return f"content {_folder_hash(Path(name))}"
    if revision is not None and len(revision) == 40 and set(revision) <= set("0123456789abcdef"):
        return revision
    with explained(name, "model"):
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(name, "config.json", revision=revision)).parent.name


@contextmanager
def explained(name: str, role: str) -> Iterator[None]:
    """Turn what the libraries raise about model `name`, often a page long, into a UserError of one
    line with the cure.
    """
    try:
        from huggingface_hub.utils import logging
    except ModuleNotFoundError as missing:
        raise UserError(f"{name}: needs {missing.name}: pip install 'llmvs[extract]'") from missing
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # the library announces each of its attempts to reach the hub
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise UserError(f"backbone {role} {name}: {_cure(error, name, role)}") from error
    finally:
        logging.set_verbosity(level)


def _cure(error: BaseException, name: str, role: str) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    text = " ".join(str(error).split())
    if caused_by(GatedRepoError):
        return (
            f"its authors ask for consent: accept their terms at https://huggingface.co/{name},"
            " then log in with `hf auth login`"
        )
    if caused_by(HFValidationError):
        return "no such folder, and not a hub id (AUTHOR/NAME) either: check the spelling"
    if caused_by(RepositoryNotFoundError, RevisionNotFoundError):
        return (
            "no such model or revision on the hub (or it is private: `hf auth login`), and no such"
            " folder: check the spelling"
        )
    if caused_by(LocalEntryNotFoundError, ConnectionError) or "couldn't connect" in text:
        return (
            "the hub cannot be reached and the model was never downloaded here: go online, or give"
            " a folder that holds the model"
        )
    if "Unrecognized configuration class" in text:
        kind = (
            "an image-text-to-text model, such as llava-hf/llava-1.5-7b-hf"
            if role == "captioner"
            else "a causal language model"
        )
        return f"is of another kind: backbone.{role} must be {kind}"
    if any("trust_remote_code" in str(link) for link in chain):
        return (
            "needs code of its own, which llmvs never runs: choose another model, of a kind "
            "that transformers knows by itself"
        )
    if caused_by(ImportError):
        return f"needs a package that is not installed: {text[:300]}"
    return f"cannot be loaded: {text[:300]}"


def _folder_hash(folder: Path) -> str:
    """sha256 over the files that make a model: small ones whole, weights by size, beginning and
    end.
    """
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in (".json", ".safetensors", ".bin", ".model", ".jinja", ".txt")
    )
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: no config.json: not a model in Hugging Face format")
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size if path.suffix in (".safetensors", ".bin") else ""
        digest.update(f"{path.name}\0{size}\0".encode())
        digest.update(_content(path))
    return digest.hexdigest()[:16]


def _content(path: Path) -> bytes:
    if path.suffix == ".json":  # which version of the library wrote it does not matter
        value = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(value, dict):
            value.pop("transformers_version", None)
        return json.dumps(value, sort_keys=True).encode()
    with path.open("rb") as file:
        head = file.read(PROBED_BYTES)
        file.seek(max(PROBED_BYTES, path.stat().st_size - PROBED_BYTES))
        return head + file.read(PROBED_BYTES)
