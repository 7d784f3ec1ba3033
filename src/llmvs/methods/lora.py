"""Fine-tune the scorer or the captioner on one fold, or go on where an earlier attempt stopped; its
numbers are the scores.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from llmvs.cache.captions import CaptionCache
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import Config, HeadConfig
from llmvs.console import is_first_process
from llmvs.datasets import Dataset, Fold
from llmvs.datasets.base import Video
from llmvs.errors import UserError
from llmvs.evaluation.metric import VideoScores
from llmvs.evaluation.protocols import protocols
from llmvs.extraction.captioning import Captioning
from llmvs.extraction.pipeline import worked_examples
from llmvs.extraction.source import Source
from llmvs.models.adapters import adapter
from llmvs.models.adapters.data import FinetuneData
from llmvs.models.adapters.module import FinetuneModule, Load
from llmvs.models.adapters.questions import load_captioner, load_scorer
from llmvs.models.datamodule import PARTS, EmbeddingDataModule
from llmvs.training.fit import Fit, carry_out, outcome
from llmvs.training.loggers import Diary

FOLDER = "adapter"
CLIP = 1.0
"""Largest norm of the adapters' gradient: large enough to leave most steps alone."""


def tune(
    config: Config,
    dataset: Dataset,
    fold: Fold,
    cache: EmbeddingCache | CaptionCache,
    folder: Path,
    tick: Callable[[float], None] | None = None,
    diary: Diary | None = None,
) -> Fit:
    """Train adapters on `fold.train`; they go into `folder`/adapter in peft's format, beside
    last.ckpt and logs/.

    A checkpoint in the folder is continued and ends, on a CPU, with the same adapters as an
    uninterrupted training. With `selection=last` the videos are scored once, at the end; with
    another rule after every epoch.

    Args:
        config: the run.
        dataset: the videos.
        fold: which of them train, hold out and test.
        cache: says what the model is asked about: the embeddings made of the scorer's prompts, or
            the captioner's answers.
        folder: of the run.
        tick: told the share of the epochs that is done, in place of a progress bar.
        diary: where the curves go.

    Raises:
        UserError: peft or a layer is missing, a checkpoint does not fit, the loss became NaN (the
            last epoch's adapter stays).
    """
    if config.selection == "val" and not fold.val:
        raise UserError(
            f"selection=val: fold {fold.index} of {dataset.name} holds no videos out: use"
            " selection=last"
        )
    fold = replace(fold, val=fold.val if config.selection != "last" else ())
    load, parts = _load(config, dataset, fold, cache)
    data = FinetuneData(parts, config.lora, config.seed, cache.identity)
    judges = protocols(dataset)
    module = FinetuneModule(
        config,
        load,
        {part: VideoScores(parts[part], judges) for part in data.judged},
        folder / FOLDER,
    )
    # The head's recipe names epochs and clipping for the trainer; its size keeps all threads.
    recipe = replace(
        config, optim=replace(config.optim, epochs=config.lora.epochs, clip=CLIP), head=HeadConfig()
    )
    state, started_at = carry_out(recipe, module, data, folder, tick, diary)
    found = outcome(state, config.selection, data.videos, started_at)
    if is_first_process():
        adapter.save(
            folder / FOLDER, state["callbacks"]["KeepEpochs"]["weights"] or state["state_dict"]
        )
    return (
        replace(found, epochs={"last": found.epochs["last"]})
        if config.selection == "last"
        else found
    )


def _load(
    config: Config, dataset: Dataset, fold: Fold, cache: EmbeddingCache | CaptionCache
) -> tuple[Load, dict[str, list[Video]]]:
    """What loads the model with its questions, and the videos as far as there is something to ask
    about.
    """
    if not isinstance(cache, EmbeddingCache):
        return partial(load_captioner, config), {
            part: [dataset.video(key) for key in getattr(fold, part)] for part in PARTS
        }
    data = EmbeddingDataModule(dataset, fold, cache, incomplete=config.data.incomplete)
    data.setup()
    stage = Captioning(config, dataset.name)
    texts = {
        video.key: stage.read(Source.of(video)).texts
        for videos in data.videos.values()
        for video in videos
    }
    shown = worked_examples(config, data.videos["train"], stage)
    return partial(load_scorer, config, shown, texts), data.videos
