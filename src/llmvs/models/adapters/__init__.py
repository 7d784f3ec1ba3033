"""Fine-tuning a frozen model with low-rank adapters, so that its own numbers become the scores
(paper, the fine-tuned rows).
"""
