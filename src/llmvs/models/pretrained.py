"""A trained head as one object that is loaded by name: `LLMVS.from_pretrained(folder or hub id)`.

The folder is a run's, or what `llmvs export` wrote (see `storage`). The class is a thin skin around
`head.Head`, so that nobody who only wants scores needs Lightning; a folder needs no hub library
either.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from llmvs.config.schema import HeadConfig
from llmvs.errors import UserError
from llmvs.extraction import builtin
from llmvs.extraction.hub import quickly
from llmvs.models.head import Head, step_embeddings
from llmvs.models.storage import SETTINGS, WEIGHTS, head_files, read_head, save_head

if TYPE_CHECKING:
    from llmvs.cache.captions import Captions
    from llmvs.models.own_video import Reading

EXTRA = "pip install 'llmvs[hub]'"

try:
    from huggingface_hub import PyTorchModelHubMixin
except ModuleNotFoundError:

    class PyTorchModelHubMixin:  # type: ignore[no-redef]
        """What the hub's library gives to a model, as far as it can be had without it."""

        def __init_subclass__(cls, **about: Any) -> None:
            """Forget what describes the model on the hub."""
            super().__init_subclass__()

        def save_pretrained(self, save_directory: str | Path) -> None:
            """Write the two files of the model."""
            self._save_pretrained(Path(save_directory))

        def _save_pretrained(self, save_directory: Path) -> None:
            raise NotImplementedError

        def push_to_hub(self, *where: Any, **options: Any) -> str:
            """Refuse.

            Raises:
                UserError: always.
            """
            raise UserError(f"push_to_hub needs huggingface_hub: {EXTRA}")


class ScoredVideo(NamedTuple):
    """The scores of a video file's steps."""

    frames: Tensor
    """int64 [T]: frame index of every step."""
    scores: Tensor
    """float32 [T] in [0, 1]."""
    captions: "Captions"
    """What the captioner saw at every step."""


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
        steps = self._steps(q, a, v)
        return self.head(steps, torch.tensor([len(steps)]))

    @torch.inference_mode()
    def attention(self, q: Tensor, a: Tensor, v: Tensor | None = None) -> Tensor | None:
        """Say on which steps of one video the score of every step leans: attention over time,
        followed through all layers (attention rollout; Abnar and Zuidema, ACL 2020).

        Args:
            q: [T, D] query embeddings.
            a: [T, D] answer embeddings.
            v: [T, D_v] visual features, for heads whose `config.inputs` names them.

        Returns:
            float32 [T, T]: row t sums to 1; None of a head in which no step sees another one.

        Raises:
            UserError: as `forward`.
        """
        trains = self.training
        try:
            return self.eval().head.attention(self._steps(q, a, v))
        finally:
            self.train(trains)

    def _steps(self, q: Tensor, a: Tensor, v: Tensor | None) -> Tensor:
        """[T, D] what the head reads of one video."""
        made_by = self.identity.get("backbone.scorer", "the models it was trained with")
        if q.ndim != 2 or q.shape != a.shape:
            raise UserError(
                f"q {list(q.shape)}, a {list(a.shape)}: this head takes two tensors [T, D] of one"
                f" video, made by {made_by}"
            )
        steps = step_embeddings(q, a, self.config.inputs, v).float()
        if steps.shape[1] != self.head.input_dim:
            raise UserError(
                f"embeddings of width {steps.shape[1]}: this head was trained on"
                f" {self.head.input_dim}, made by {made_by}"
            )
        return steps

    def score_video(
        self,
        path: str | Path,
        settings: Sequence[str] = (),
        fps: float = 2.0,
    ) -> "ScoredVideo":
        """Score a video file: caption its steps, embed them with the scorer that this head was
        trained on, and score them. Captions and embeddings are kept in the cache.

        Args:
            path: any file that FFmpeg can decode.
            settings: layers and `key=value` as on the command line, such as `accelerator=gpu`,
                `cache=DIR`, or where a model of the same weights lies: `backbone.scorer=DIR`.
            fps: steps per second of video.

        Raises:
            VideoError: the file is no readable video.
            UserError: how this head's embeddings are made is not known, or settings that make
                others; a model that cannot be loaded.
        """
        from llmvs.datasets.video import Video
        from llmvs.models.own_video import read_videos, settings_for

        config = settings_for(settings, fps, self.extraction, self.identity, "this head")
        video = Video.file(Path(path))
        reading = read_videos(config, [video]).of(video, "v" in self.config.inputs)
        return ScoredVideo(
            torch.tensor(reading.captions.frames), self.score_reading(reading), reading.captions
        )

    @torch.inference_mode()
    def score_reading(self, reading: "Reading") -> Tensor:
        """float32 [T]: the scores of what the frozen pair made of a video."""
        made, device = reading.embeddings, next(self.parameters()).device
        v = None if reading.features is None else reading.features.to(device)
        scores: Tensor = self.eval()(made.q.to(device), made.a.to(device), v)
        return scores.cpu()

    def attention_of(self, reading: "Reading") -> Tensor | None:
        """float32 [T, T]: `attention` over what the frozen pair made of a video."""
        made, device = reading.embeddings, next(self.parameters()).device
        v = None if reading.features is None else reading.features.to(device)
        found = self.attention(made.q.to(device), made.a.to(device), v)
        return None if found is None else found.cpu()

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
        """Load a trained head, ready to score: every weight must be there and fit.

        The library's own loader would take a file with other names in silence and leave the weights
        random.

        Args:
            pretrained_model_name_or_path: the folder of a run or an export, the id (USER/NAME) of
                a model on the hub, or `builtin:demo-head`.
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
        if builtin.is_builtin(name):
            name = str(builtin.folder(name, Path()))
        options = {
            "revision": revision,
            "cache_dir": cache_dir,
            "force_download": force_download,
            "local_files_only": local_files_only,
            "token": token,
        }
        if Path(name).is_dir():
            files = head_files(Path(name))
        else:
            files = _download(name, SETTINGS, options), _download(name, WEIGHTS, options)
        stored = read_head(*files, device=map_location)
        head = stored.head
        with torch.device("meta"):  # its own weights would be drawn only to be replaced
            model = cls(head.input_dim, head.config, stored.extraction, stored.identity)
        model.head = head
        return model.eval()

    def _save_pretrained(self, save_directory: Path) -> None:
        """Both files of the folder; what the library would write of the settings lacks the head's
        defaults.
        """
        save_head(
            save_directory,
            self.head.state_dict(),
            self.head.input_dim,
            self.config,
            self.extraction,
            self.identity,
        )


def _download(name: str, file: str, options: Mapping[str, Any]) -> Path:
    """The file of the model `name` on the hub, in the library's own cache."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HFValidationError,
            LocalEntryNotFoundError,
            OfflineModeIsEnabled,
            RepositoryNotFoundError,
        )
    except ModuleNotFoundError as missing:
        raise UserError(
            f"{name}: no such folder, and the hub needs {missing.name}: {EXTRA}"
        ) from missing
    try:
        with quickly():
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
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError):
        cure = "no such folder, and the hub cannot be reached: check the spelling, or go online"
    except OSError as error:
        cure = f"cannot be downloaded: {' '.join(str(error).split())[:200]}"
    except Exception as error:  # noqa: BLE001 - EntryNotFoundError, and what the transport raises
        cure = f"holds no {file}, or it cannot be downloaded: {' '.join(str(error).split())[:200]}"
    raise UserError(f"{name}: {cure}")
