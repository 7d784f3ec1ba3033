"""Teach the demo's models and save them in Hugging Face format."""

import logging
import multiprocessing
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch
from transformers import PreTrainedModel, TokenizersBackend
from transformers.utils import logging as transformers_logging

from llmvs.demo.recipe import captioner, scorer
from llmvs.demo.recipe.language import demo_tokenizer
from llmvs.demo.recipe.optim import keep_memory
from llmvs.files import read_json, write_json
from llmvs.processes import START, cores, end_with_parent

logger = logging.getLogger(__name__)

ROUNDS = (("crowds", 1300), ("captions", 1100))
"""What the captioner is taught in turn, and in how many batches."""
PROMPTS = 1900
"""Batches that the scorer is taught in."""


def teach_captioner(folder: Path, share: float, threads: int) -> None:
    """Teach the captioner and save it."""
    device, text = _begin(1, threads)
    model, processor = captioner.build(text)
    captioner.teach(
        model, processor, [(what, max(1, round(count * share))) for what, count in ROUNDS], device
    )
    _save(folder, model, processor)


def teach_scorer(folder: Path, share: float, threads: int) -> None:
    """Teach the scorer and save it."""
    device, text = _begin(2, threads)
    model = scorer.build(text)
    scorer.teach(model, text, max(1, round(PROMPTS * share)), device)
    _save(folder, model, text)


MODELS = {"demo-llava": teach_captioner, "demo-llama": teach_scorer}


def teach(folder: Path, names: Sequence[str], share: float) -> Iterator[str]:
    """Teach the models of these names and save them in `folder`; give each name when its model is
    there.

    On CPUs they are taught side by side, each with its part of the cores: two processes with one
    thread each get more done than one with two, for much of a step is not worth sharing. One thread
    gives the same bits every time, on the same processor and with the same libraries. A GPU takes
    one after the other.
    """
    if torch.cuda.is_available() or min(cores(), len(names)) < 2:
        for name in names:
            MODELS[name](folder / name, share, cores())
            yield name
        return
    with ProcessPoolExecutor(
        len(names), multiprocessing.get_context(START), end_with_parent
    ) as pool:
        tasks = {
            pool.submit(MODELS[name], folder / name, share, cores() // len(names)): name
            for name in names
        }
        for task in as_completed(tasks):
            task.result()
            yield tasks[task]


def _begin(seed: int, threads: int) -> tuple[torch.device, TokenizersBackend]:
    torch.set_num_threads(threads)
    keep_memory()
    torch.manual_seed(seed)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu"), demo_tokenizer()


def _save(folder: Path, model: PreTrainedModel, companion: object) -> None:
    """Write 16-bit weights; the configuration asks for 32 bits when they are loaded, since CPUs are
    slow with 16.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    transformers_logging.disable_progress_bar()
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as aside:
        whole = Path(aside) / folder.name
        model.cpu().half().save_pretrained(whole)
        companion.save_pretrained(whole)  # type: ignore[attr-defined]
        place = whole / "config.json"
        write_json(place, {**read_json(place, "a model's configuration"), "dtype": "float32"})
        for path in whole.iterdir():
            path.chmod(0o644)
        shutil.rmtree(
            folder, ignore_errors=True
        )  # a damaged one, or the last one of `--again`: kept until there is a better
        whole.rename(folder)
    logger.info("wrote %s", folder)
