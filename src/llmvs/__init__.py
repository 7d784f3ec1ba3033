"""Video summarization with large language models (LLMVS, CVPR 2025): extraction, head, honest
evaluation.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`llmvs.LLMVS`, imported when it is asked for: torch takes seconds, and the command line
    answers at once.
    """
    if name == "LLMVS":
        return import_module("llmvs.models.pretrained").LLMVS
    raise AttributeError(f"module 'llmvs' has no attribute {name!r}")
