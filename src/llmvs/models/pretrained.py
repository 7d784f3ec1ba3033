"""A trained head as one object that is loaded by name: `LLMVS.from_pretrained(folder or hub id)`.

    config.json          input_dim, the head's settings, how the embeddings that it reads are made
    model.safetensors    its weights

The class is a thin skin around `head.Head`, so that nobody who only wants scores needs a run's
folder or Lightning.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from llmvs.cache.embeddings import save_tensors
from llmvs.config.schema import HeadConfig
from llmvs.errors import UserError
from llmvs.files import read_json, write_json
from llmvs.models.head import Head, step_embeddings

try:
    from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )
except ModuleNotFoundError as missing:
    raise UserError(
        f"LLMVS.from_pretrained needs {missing.name}: pip install 'llmvs[hub]'"
    ) from missing

SETTINGS = "config.json"
WEIGHTS = "model.safetensors"


class LLMVS(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="llmvs",
    tags=["video-summarization"],
    paper_url="https://arxiv.org/abs/2504.11199",
):
    """Scores of one video's steps from the embeddings of one LLM (paper, section 3.3).

    >>> import torch
    >>> from llmvs.config.schema import HeadConfig
    >>> model = LLMVS(8, HeadConfig(dim=16, layers=1, feedforward=16)).eval()
    >>> model(torch.zeros(5, 8), torch.zeros(5, 8)).shape
    torch.Size([5])
    """

    def __init__(
        self,
        input_dim: int,
        head: HeadConfig | Mapping[str, Any],
        extraction: Mapping[str, Any] | None = None,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        """A head with random weights; `from_pretrained` gives a trained one.

        Args:
            input_dim: D, the width of a step's embedding.
            head: the network's parts and sizes.
            extraction: the settings, by dotted key, that made the embeddings it was trained on;
                empty where they are not known.
            identity: what stands in those embeddings' fingerprint; says more than the settings (the
                models' revisions).
        """
        super().__init__()
        self.config = head if isinstance(head, HeadConfig) else HeadConfig(**head)
        self.extraction, self.identity = dict(extraction or {}), dict(identity or {})
        self.head = Head(input_dim, self.config)

    def forward(self, q: Tensor, a: Tensor, v: Tensor | None = None) -> Tensor:
        """Score every step of one video.

        Args:
            q: [T, D] query embeddings, as `llmvs.cache.embeddings.Embeddings.q`.
            a: [T, D] answer embeddings.
            v: [T, D_v] visual features, for heads whose `config.inputs` names them.

        Returns:
            float32 [T] in [0, 1].

        Raises:
            UserError: other shapes, or another width than the head was trained on.
        """
        made_by = self.identity.get("backbone.scorer", "the models it was trained with")
        if q.ndim != 2 or q.shape != a.shape:
            raise UserError(
                f"q {list(q.shape)}, a {list(a.shape)}: this head takes two tensors [T, D] of one"
                f" video, made by {made_by}"
            )
        steps = step_embeddings(q, a, self.config.inputs, v)[None]
        if steps.shape[2] != self.head.input_dim:
            raise UserError(
                f"embeddings of width {steps.shape[2]}: this head was trained on"
                f" {self.head.input_dim}, made by {made_by}"
            )
        return self.head(steps, torch.ones(steps.shape[:2], dtype=torch.bool, device=steps.device))[
            0
        ]

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        map_location: str = "cpu",
        **_: Any,
    ) -> "LLMVS":
        """Load what `llmvs export` wrote, ready to score: every weight must be there and fit.

        The library's own loader would take a file with other names in silence and leave the weights
        random.

        Args:
            pretrained_model_name_or_path: a folder, or the id (USER/NAME) of a model on the hub.
            revision: branch, tag or commit on the hub.
            cache_dir: where downloads are kept.
            force_download: download again what is there.
            local_files_only: do not go online.
            token: for a private model; None: that of `hf auth login`.
            map_location: device of the weights.

        Raises:
            UserError: unknown or unreachable name, missing or damaged files.
        """
        name = str(pretrained_model_name_or_path)
        options = {
            "revision": revision,
            "cache_dir": cache_dir,
            "force_download": force_download,
            "local_files_only": local_files_only,
            "token": token,
        }
        description, weights = (_find(name, file, options) for file in (SETTINGS, WEIGHTS))
        settings = read_json(description, "the settings of an exported head")
        try:
            model = cls(
                **{key: settings[key] for key in ("input_dim", "head", "extraction", "identity")}
            )
            model.load_state_dict(load_file(weights, device=map_location))
        except FileNotFoundError:
            raise UserError(
                f"{weights}: no such file (expected the weights of the head in {SETTINGS})"
            ) from None
        except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{name}: {SETTINGS} and {WEIGHTS} are not a head that llmvs exported, or too new"
                f" ({reason[:200]})"
            ) from error
        return model.to(map_location).eval()

    def _save_pretrained(self, save_directory: Path) -> None:
        """Both files of the folder; what the library would write of the settings lacks the head's
        defaults.
        """
        save_tensors(
            save_directory / WEIGHTS,
            {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()},
            {"format": "pt"},
        )
        write_json(
            save_directory / SETTINGS,
            {
                "input_dim": self.head.input_dim,
                "head": asdict(self.config),
                "extraction": self.extraction,
                "identity": self.identity,
            },
        )


def _find(name: str, file: str, options: Mapping[str, Any]) -> Path:
    """The file in the folder `name`, or downloaded from the hub."""
    if Path(name).is_dir():
        return Path(name) / file
    try:
        return Path(hf_hub_download(name, file, **options))
    except HFValidationError:
        cure = "no such folder, and not a hub id (USER/NAME) either: check the spelling"
    except GatedRepoError:
        cure = (
            f"its authors ask for consent: accept their terms at https://huggingface.co/{name},"
            " then log in with `hf auth login`"
        )
    except RepositoryNotFoundError:
        cure = (
            "no such model on the hub (or it is private: `hf auth login`), and no such folder:"
            " check the spelling"
        )
    except (LocalEntryNotFoundError, ConnectionError):
        cure = "no such folder, and the hub cannot be reached: check the spelling, or go online"
    except OSError as error:
        cure = f"cannot be downloaded: {' '.join(str(error).split())[:200]}"
    except Exception as error:  # noqa: BLE001 - EntryNotFoundError, and what the transport raises
        cure = f"holds no {file}, or it cannot be downloaded: {' '.join(str(error).split())[:200]}"
    raise UserError(f"{name}: {cure}")
