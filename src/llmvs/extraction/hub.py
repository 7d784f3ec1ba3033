"""What a model's name means, before anything is loaded: which weights, and what to tell a user who
cannot have them.

Names are a hub id, a folder in Hugging Face format, a folder with an adapter in peft's form, a GGUF
file (on disk, or as AUTHOR/NAME/FILE.gguf on the hub), or `builtin:NAME` (see `builtin`). This file
imports no model code: a run that finds its cache filled never waits for it.
"""

import hashlib
import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from llmvs.errors import UserError, require_package
from llmvs.extraction import builtin
from llmvs.files import is_there, read_json, regular

ADAPTER_WEIGHTS, ADAPTER_SETTINGS = "adapter_model.safetensors", "adapter_config.json"
GGUF = ".gguf"
PROBED_BYTES = 1 << 20
"""How much of a weight file's beginning and end goes into a folder's hash: all of 26 GB would take
minutes.
"""


def is_adapter(name: str) -> bool:
    """Tell whether `name` is a folder that holds an adapter, and no model of its own."""
    folder = Path(name)
    return (folder / ADAPTER_SETTINGS).is_file() and not (folder / "config.json").is_file()


def base_of(folder: Path) -> tuple[str, str | None]:
    """Name the model that an adapter was made for, and its revision.

    Raises:
        UserError: the adapter's settings are damaged or name no model.
    """
    place = folder / ADAPTER_SETTINGS
    settings = read_json(place, "the settings of an adapter")
    base = settings.get("base_model_name_or_path") if isinstance(settings, dict) else None
    if not isinstance(base, str) or not base:
        raise UserError(
            f"{place}: names no model that the adapter belongs to: set base_model_name_or_path in"
            " it to a hub id or a folder"
        )
    if is_adapter(base):
        raise UserError(
            f"{place}: base_model_name_or_path={base} is an adapter itself: an adapter on an"
            " adapter is not read; name the model"
        )
    revision = settings.get("revision")
    return base, revision if isinstance(revision, str) else None


def gguf_parts(name: str) -> tuple[str, str] | None:
    """The folder or hub id of a GGUF file and the file's name in it; None: `name` is none.

    Raises:
        UserError: there is no such file.
    """
    if not name.lower().endswith(GGUF) or Path(name).is_dir():
        return None
    path = Path(name)
    if path.is_file():
        return str(path.parent.absolute()), path.name
    if path.is_absolute() or name.count("/") < 2 or name.startswith("."):
        raise UserError(f"{name}: no such file, and not AUTHOR/NAME/FILE{GGUF} on the hub either")
    author, repository, file = name.split("/", 2)
    return f"{author}/{repository}", file


def identify(name: str, revision: str | None) -> str:
    """What decides which weights `name` means: the hub's commit, the content of a folder, or a
    built-in model's version.

    Raises:
        UserError: a hub id that is unknown, gated or out of reach, or a folder without a model.
    """
    if builtin.is_builtin(name):
        return builtin.version(name)
    with explained(name, "model"):
        return _identified(name, revision)


def _identified(name: str, revision: str | None) -> str:
    if is_adapter(name):
        digest = _hash([Path(name) / ADAPTER_SETTINGS, Path(name) / ADAPTER_WEIGHTS])
        return f"adapter {digest} on {identify(*base_of(Path(name)))}"
    if Path(name).is_dir():
        return f"content {_folder_hash(Path(name))}"
    file = "config.json"
    if parts := gguf_parts(name):
        folder, file = parts
        if Path(name).is_file():
            return f"content {_hash([Path(name)])}"
        name = folder
    if revision is not None and len(revision) == 40 and set(revision) <= set("0123456789abcdef"):
        return revision if file == "config.json" else f"{revision} {file}"
    from huggingface_hub import hf_hub_download

    found = Path(hf_hub_download(name, file, revision=revision))
    commit = found.parents[file.count("/")].name
    return commit if file == "config.json" else f"{commit} {file}"


def at_hand(name: str, revision: str | None) -> bool:
    """Tell whether a model lies on this machine; nobody else is asked."""
    if builtin.is_builtin(name):
        return True
    folder = Path(name)
    if folder.exists():
        return is_adapter(name) or (folder / "config.json").is_file() or folder.is_file()
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ModuleNotFoundError:
        return False
    try:
        repository, file = gguf_parts(name) or (name, "config.json")
        found = try_to_load_from_cache(repository, file, revision=revision)
    except (UserError, HFValidationError):
        return False
    if not isinstance(found, str):
        return False
    return file != "config.json" or any(
        path.suffix in (".safetensors", ".bin") for path in Path(found).parent.iterdir()
    )


def check(scorer: str) -> None:
    """Refuse a scorer whose files are not whole or whose packages are absent, without loading it:
    asked before hours of captioning.

    Raises:
        UserError: names the file or the package.
    """
    builtin.check(scorer)
    if is_adapter(scorer):
        require_package("peft", "lora", f"{scorer}: an adapter")
        check(base_of(Path(scorer))[0])
    elif gguf_parts(scorer):
        require_package("gguf", "gguf", f"{scorer}: a GGUF file")
    for path in sorted(Path(scorer).glob("*.safetensors")) if Path(scorer).is_dir() else []:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(regular(path), framework="np") as file:
                file.keys()
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"backbone scorer {scorer}: {path.name} is damaged"
                f" ({' '.join(str(error).split())[:120]}): download it again"
            ) from None


@contextmanager
def quickly(local: bool = False) -> Iterator[None]:
    """Ask the hub nothing while its name means no address: its library would try for half a minute,
    file by file, and say so each time.

    Args:
        local: all that is needed is here: ask nothing, not even for the address.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or local or not _has_address(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _has_address(endpoint: str) -> bool:
    """Whether a computer is known by the hub's name; behind a proxy that is not ours to know."""
    if getproxies():
        return True
    try:
        return bool(socket.getaddrinfo(urlsplit(endpoint).hostname, None))
    except OSError:
        return False


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
        with quickly(local=_is_here(name)):
            yield
    except UserError:
        raise
    except Exception as error:
        # Damaged files make the libraries raise anything: of safetensors, pickle, tokenizers.
        raise UserError(f"backbone {role} {name}: {_cure(error, name, role)}") from error
    finally:
        logging.set_verbosity(level)


def _is_here(name: str) -> bool:
    """Whether a model is on this machine, and needs no other that may be on the hub."""
    if builtin.is_builtin(name):
        return True
    return is_there(name) and not (Path(name) / ADAPTER_SETTINGS).is_file()


def _cure(error: BaseException, name: str, role: str) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    text = " ".join(str(error).split()) or type(error).__name__
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
    if (
        caused_by(LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError)
        or "couldn't connect" in text
    ):
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
    return _hash(files)


def _hash(files: Sequence[Path]) -> str:
    """16 digits of a sha256 over names and contents."""
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size if path.suffix in (".safetensors", ".bin", GGUF) else ""
        digest.update(f"{path.name}\0{size}\0".encode())
        try:
            digest.update(_content(regular(path)))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()[:16]


def _content(path: Path) -> bytes:
    if path.suffix == ".json":  # which version of the library wrote it does not matter
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            return path.read_bytes()  # damaged: whoever loads the model says so
        if isinstance(value, dict):
            value.pop("transformers_version", None)
        return json.dumps(value, sort_keys=True).encode()
    with path.open("rb") as file:
        head = file.read(PROBED_BYTES)
        file.seek(max(PROBED_BYTES, path.stat().st_size - PROBED_BYTES))
        return head + file.read(PROBED_BYTES)
