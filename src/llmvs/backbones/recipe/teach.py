"""Teach one of the demo's models and save it in Hugging Face format."""

import os
import tempfile
from pathlib import Path

import torch
from transformers import PreTrainedModel, TokenizersBackend
from transformers.utils import logging

from llmvs.backbones.recipe import captioner, scorer
from llmvs.backbones.recipe.language import demo_tokenizer
from llmvs.backbones.recipe.optim import keep_memory
from llmvs.console import say
from llmvs.files import read_json, write_json

ROUNDS = (("crowds", 1300), ("captions", 1100))
"""What the captioner is taught in turn, and in how many batches."""
PROMPTS = 700
"""Batches that the scorer is taught in."""


def teach_captioner(folder: Path, share: float) -> None:
    """Teach the captioner and save it."""
    device, text = _begin(1)
    model, processor = captioner.build(text)
    captioner.teach(model, processor, [(what, max(1, round(count * share))) for what, count in ROUNDS], device)
    _save(folder, model, processor)


def teach_scorer(folder: Path, share: float) -> None:
    """Teach the scorer and save it."""
    device, text = _begin(2)
    model = scorer.build(text)
    scorer.teach(model, text, max(1, round(PROMPTS * share)), device)
    _save(folder, model, text)


MODELS = {"demo-llava": teach_captioner, "demo-llama": teach_scorer}


def _begin(seed: int) -> tuple[torch.device, TokenizersBackend]:
    torch.set_num_threads(os.cpu_count() or 1)
    keep_memory()
    torch.manual_seed(seed)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu"), demo_tokenizer()


def _save(folder: Path, model: PreTrainedModel, companion: object) -> None:
    """Write 16-bit weights; the configuration asks for 32 bits when they are loaded, since CPUs are slow with 16."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as aside:
        whole = Path(aside) / folder.name
        model.cpu().half().save_pretrained(whole)
        companion.save_pretrained(whole)  # type: ignore[attr-defined]
        place = whole / "config.json"
        write_json(place, {**read_json(place, "a model's configuration"), "dtype": "float32"})
        for path in whole.iterdir():
            path.chmod(0o644)
        whole.rename(folder)
    say(f"wrote {folder}")
