"""Video summarization with large language models (LLMVS, CVPR 2025): extraction, head, honest
evaluation.
"""

import logging
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# A library is silent until its user says otherwise: `logging.basicConfig(level="INFO")`, say.
logging.getLogger(__name__).addHandler(logging.NullHandler())

_PUBLIC = {
    "EmbeddingDataModule": ("llmvs.models.datamodule", "EmbeddingDataModule"),
    "LLMVS": ("llmvs.models.pretrained", "LLMVS"),
    "LLMVSModule": ("llmvs.models.module", "LLMVSModule"),
    "load_dataset": ("llmvs.datasets", "load"),
    "summarize": ("llmvs.summary.summarize", "summarize"),
}
"""Public name -> its module and its name there."""

__all__ = ["LLMVS", "EmbeddingDataModule", "LLMVSModule", "load_dataset", "summarize"]


def __getattr__(name: str) -> Any:
    """A public name, imported when it is asked for: torch takes seconds, and the command line
    answers at once.
    """
    if name in _PUBLIC:
        module, attribute = _PUBLIC[name]
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'llmvs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
