"""Video summarization with large language models (LLMVS, CVPR 2025): extraction, head, honest evaluation."""

__version__ = "0.1.0"
