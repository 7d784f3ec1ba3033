"""Fine-tune the scorer or the captioner on one fold, or go on where an earlier attempt stopped; its
numbers are the scores.
"""

from dataclasses import replace
from functools import partial

from llmvs.cache.captions import CaptionCache
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import HeadConfig
from llmvs.console import is_first_process
from llmvs.datasets.annotations import Annotations
from llmvs.errors import UserError, require_package
from llmvs.evaluation.metric import VideoScores
from llmvs.evaluation.protocols import rank_correlations
from llmvs.extraction.caption_stage import open_captions
from llmvs.extraction.models import free_memory
from llmvs.extraction.scoring_stage import worked_examples
from llmvs.extraction.spoken import with_words
from llmvs.methods.answers import answers_in
from llmvs.methods.base import Method, Scores, Task
from llmvs.methods.zero_shot import ask_captioner
from llmvs.models.adapters import adapter
from llmvs.models.adapters.data import FinetuneData
from llmvs.models.adapters.module import FinetuneModule, Load
from llmvs.models.adapters.questions import load_captioner, load_scorer
from llmvs.models.batch import PARTS
from llmvs.models.datamodule import EmbeddingDataModule
from llmvs.training.fit import Fit, carry_out, outcome
from llmvs.training.selection import selection_of

FOLDER = "adapter"
CLIP = 1.0
"""Largest norm of the adapters' gradient: large enough to leave most steps alone."""


class TunedScorer(Method):
    """The scorer with low-rank adapters, asked about windows of captions."""

    def score(self, task: Task) -> Scores:
        """Fine-tune; beside its scores, what it answered before (in the embedding cache)."""
        require_package("peft", "lora", adapter.LORA)
        cache = task.embeddings(task.config)
        answers = answers_in(cache, task.fold.test)
        task.lap("extraction")
        load, parts = _about_windows(task, cache)
        trained = _tune(task, cache, load, parts)
        return Scores.trained(trained, cache, answers)


class TunedCaptioner(Method):
    """The captioner with low-rank adapters, asked about frames."""

    def score(self, task: Task) -> Scores:
        """Fine-tune; beside its scores, what it answers before."""
        require_package("peft", "lora", adapter.LORA)
        cache, answers = ask_captioner(task.config, task.dataset, task.fold)
        task.lap("extraction")
        parts = {
            part: [task.dataset.annotations_of(key) for key in getattr(task.fold, part)]
            for part in PARTS
        }
        trained = _tune(task, cache, partial(load_captioner, task.config), parts)
        return Scores.trained(trained, cache, answers)


def _tune(
    task: Task,
    cache: EmbeddingCache | CaptionCache,
    load: Load,
    parts: dict[str, list[Annotations]],
) -> Fit:
    """Train adapters on the fold's training videos; they go into `adapter` of the run's folder in
    peft's format, beside last.ckpt and logs/.

    A checkpoint in the folder is continued and ends, on a CPU, with the same adapters as an
    uninterrupted training. With `selection=last` the videos are scored once, at the end; with
    another rule after every epoch.

    Args:
        task: the fold.
        cache: says what the model is asked about: the embeddings made of the scorer's prompts, or
            the captioner's answers.
        load: gives the model with its questions.
        parts: part -> its videos, as far as there is something to ask about.

    Raises:
        UserError: a layer is missing, a checkpoint does not fit, the loss became NaN (the last
            epoch's adapter stays).
    """
    config, folder = task.config, task.folder / FOLDER
    if config.selection == "val" and not task.fold.val:
        raise UserError(
            f"selection=val: fold {task.fold.index} of {task.dataset.name} holds no videos out: use"
            " selection=last"
        )
    data = FinetuneData(parts, config.lora, config.seed, cache.identity)
    rules = rank_correlations(task.dataset)
    metrics = {part: VideoScores(parts[part], rules) for part in data.evaluated}
    module = FinetuneModule(config, load, metrics, folder)
    # The head's recipe names epochs and clipping for the trainer; its default size keeps all
    # threads. Adapters are not averaged.
    optim = replace(config.optim, epochs=config.lora.epochs, clip=CLIP, average=1)
    recipe = replace(config, optim=optim, head=HeadConfig())
    selection = selection_of(config, task.dataset)
    state, started_at = carry_out(
        recipe, selection, module, data, task.folder, task.progress, task.loggers
    )
    found = outcome(state, selection, data.videos, started_at)
    if is_first_process():
        adapter.save(folder, state["callbacks"]["KeepEpochs"]["weights"] or state["state_dict"])
    free_memory()
    task.lap("training")
    if config.selection == "last":
        return replace(found, epochs={"last": found.epochs["last"]})
    return found


def _about_windows(task: Task, cache: EmbeddingCache) -> tuple[Load, dict[str, list[Annotations]]]:
    """What loads the scorer with its questions about captions, and the videos that have them."""
    config, dataset = task.config, task.dataset
    data = EmbeddingDataModule(dataset, task.fold, cache, incomplete=config.data.incomplete)
    data.setup()
    stage = open_captions(config, dataset.name)
    window, spoken = config.prompt.window, config.prompt.spoken
    captions = {
        video.key: with_words(found, video.video, window) if spoken else found
        for videos in data.videos.values()
        for video in videos
        for found in [stage.read(video.video)]
    }
    shown = worked_examples(config, data.videos["train"], stage)
    return partial(load_scorer, config, shown, captions), data.videos
