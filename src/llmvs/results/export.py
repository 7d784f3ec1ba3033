"""A finished run as a folder to share: weights, settings, a model card; and the way to the hub."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from llmvs.cache.store import save_tensors
from llmvs.config.load import load_config
from llmvs.config.schema import Config
from llmvs.config.settings import making_embeddings, nested
from llmvs.config.yaml_files import dump
from llmvs.errors import UserError, first_few
from llmvs.extraction.hub import ADAPTER_SETTINGS, ADAPTER_WEIGHTS
from llmvs.files import printable, read_json, regular, unwritable, write_json, write_text
from llmvs.methods import method_of
from llmvs.models.storage import load_head, save_head
from llmvs.results.card import TITLE, Kind, adapter_kind, head_kind, model_card
from llmvs.results.schema import RESULT, Result, read_result

logger = logging.getLogger(__name__)

CARD = "README.md"
ADAPTER = "adapter"
EXTRACTION = "extraction.yaml"


def export(run: Path, to: Path | None = None, repo: str | None = None) -> Path:
    """Write what a finished run has trained as a folder to share, with its settings and a model
    card.

    Args:
        run: folder of the run.
        to: folder to write; None: `export` in the run's folder.
        repo: the hub id it is meant for, named in the card's example.

    Returns:
        The folder: README.md, extraction.yaml (where known), and either model.safetensors and
        config.json, a head for `llmvs.LLMVS.from_pretrained`, or the run's adapter in peft's
        format.

    Raises:
        UserError: no finished run there, nothing was trained, files missing or damaged, the folder
            cannot be written or is somebody else's.
    """
    result, config = finished_run(run)
    _refuse_untrained(run, config)
    folder = run / "export" if to is None else to
    _refuse_foreign(folder)
    extraction = _public(making_embeddings(config))
    identity = _public(result.embeddings.identity)
    weights = method_of(config.method).weights
    write = _write_adapter if weights == "adapter" else _write_head
    kind = write(run, config, folder, extraction, identity, repo or "FOLDER")
    if extraction:
        write_text(
            folder / EXTRACTION,
            f"# How the embeddings that this {kind.noun} was trained on are"
            f" made.\n{dump(nested(extraction))}",
        )
    write_text(folder / CARD, model_card(result, kind, extraction, identity))
    logger.info(
        "exported: %s for %s.from_pretrained",
        folder,
        "PeftModel" if weights == "adapter" else "LLMVS",
    )
    return folder


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder whose README is no model card of ours: it, and maybe a model's weights, would
    be written over.
    """
    card = folder / CARD
    try:
        ours = not card.exists() or f"\n{TITLE}".encode() in regular(card).read_bytes()
    except OSError as error:
        raise unwritable(card, error) from error
    if not ours:
        raise UserError(
            f"{printable(card)}: exists and is not of an earlier export, so it is not replaced:"
            " name another folder with to=DIR"
        )


def _write_head(
    run: Path,
    config: Config,
    folder: Path,
    extraction: Mapping[str, Any],
    identity: Mapping[str, Any],
    name: str,
) -> Kind:
    trained = load_head(run)
    save_head(folder, trained.state_dict(), trained.input_dim, trained.config, extraction, identity)
    return head_kind(name, trained.input_dim, trained.config.inputs)


def _write_adapter(
    run: Path,
    config: Config,
    folder: Path,
    extraction: Mapping[str, Any],
    identity: Mapping[str, Any],
    name: str,
) -> Kind:
    settings = _public(read_json(run / ADAPTER / ADAPTER_SETTINGS, "the settings of an adapter"))
    weights = run / ADAPTER / ADAPTER_WEIGHTS
    try:
        tensors = load_file(regular(weights))
        wrong = [key for key, value in tensors.items() if not value.isfinite().all()]
        if wrong:
            raise SafetensorError(f"NaN or infinite: {first_few(wrong)}")
    except FileNotFoundError:
        raise UserError(f"{weights}: no such file (expected the weights of an adapter)") from None
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{weights}: not the weights of an adapter ({' '.join(str(error).split())[:200]}):"
            " train again"
        ) from error
    save_tensors(folder / ADAPTER_WEIGHTS, tensors, {"format": "pt"})
    write_json(folder / ADAPTER_SETTINGS, settings)
    return adapter_kind(name, config.method.model, settings["base_model_name_or_path"])


def push(folder: Path, repo: str) -> str:
    """Upload an exported folder to the hub as one commit, creating the repository where it does not
    exist.

    Returns:
        The address of the commit.

    Raises:
        UserError: not logged in, not allowed, unreachable.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    api = HfApi()
    try:
        api.whoami()
        repo_id = api.create_repo(repo, exist_ok=True).repo_id
        return str(
            api.upload_folder(
                repo_id=repo_id, folder_path=folder, commit_message="Upload a head trained by llmvs"
            )
        )
    except LocalTokenNotFoundError:
        raise UserError(
            f"push=true: not logged in to the hub: run `hf auth login` first; {folder} is ready"
        ) from None
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code == 401:
            raise UserError(
                f"push=true: the hub does not accept the login: run `hf auth login` again; {folder}"
                " is ready"
            ) from None
        raise UserError(
            f"repo={repo}: {' '.join(str(error).split())[:200]}; {folder} is ready"
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(
            f"repo={repo}: cannot be uploaded ({' '.join(str(error).split())[:200]}); {folder} is"
            " ready"
        ) from error


def finished_run(run: Path, places: Sequence[str] = ()) -> tuple[Result, Config]:
    """Read the result and the settings of a finished run.

    Args:
        run: its folder.
        places: settings `key=value` over its own, of what lies elsewhere now.

    Raises:
        UserError: no such folder, no run, or one that is not finished.
    """
    if not run.is_dir():
        raise UserError(
            f"{run}: no such folder: name the folder of a run, such as runs/demo/fold0/seed1112"
        )
    if not (run / RESULT).exists():
        raise UserError(
            f"{run}: no {RESULT}, so this run is not finished, or not a run: `llmvs train` with its"
            " settings ends it"
        )
    result = read_result(run / RESULT)
    return result, load_config([str(run / "config.yaml"), *places])


def _refuse_untrained(run: Path, config: Config) -> None:
    if method_of(config.method).weights is None:
        raise UserError(
            f"{run}: nothing was trained in this run (method.model={config.method.model}), so there"
            " are no weights to export"
        )


def _public(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without the folders of this machine: of a model's absolute path only its name."""
    return {
        key: Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
        for key, value in values.items()
    }
