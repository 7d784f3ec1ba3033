"""Stage 2: what a frozen language model makes of every window (paper, section 3.2).

**q** of a step is the maximum over the query's tokens of the hidden states after the final norm, **a** the same over the
tokens of the greedy answer. A token's state exists once the token has been *fed*, so every answer token is fed exactly
once, the last one too, although nothing is generated after it: without that, a one-token answer would have no state. The
token that ends an answer is not part of it, unless the answer is empty; then it stands for the answer.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llmvs.errors import UserError
from llmvs.extraction.engines import Read, naive
from llmvs.extraction.prompts import Template, Window


class Scored(NamedTuple):
    """One video's T steps."""

    q: Tensor
    """[T, D] in the model's dtype."""
    a: Tensor
    """[T, D] in the model's dtype."""
    answer_ids: list[list[int]]
    """T lists of token ids, without the end token."""
    answers: list[str]
    """T texts."""


class Scorer:
    """Reads the windows of a video, identical ones once."""

    def __init__(self, model: PreTrainedModel, template: Template, max_tokens: int) -> None:
        """Take a loaded model and the template of its prompts; an answer has at most `max_tokens` tokens."""
        self.model, self.template, self.max_tokens = model, template, max_tokens
        self.stop = stop_tokens(model, template.tokenizer)

    @torch.inference_mode()
    def __call__(self, windows: Sequence[Window], progress: Callable[[int], Any] = lambda steps: None) -> Scored:
        """Score the T windows of one video; `progress` is called with the number of steps just done.

        Raises:
            UserError: a prompt that is longer than the model's context.
        """
        distinct = list(dict.fromkeys(windows))
        prompts = [self.template.encode(window) for window in distinct]
        self._check_length(max(map(len, prompts)))
        n_steps = Counter(windows)
        reads: dict[Window, Read] = {}
        for window, prompt in zip(distinct, prompts, strict=True):
            reads[window] = naive(self.model, prompt, self._query_start(prompt), self.max_tokens, self.stop)
            progress(n_steps[window])
        steps = [reads[window] for window in windows]
        ids = [read.answer for read in steps]
        texts = self.template.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return Scored(torch.stack([read.q for read in steps]), torch.stack([read.a for read in steps]), ids, [t.strip() for t in texts])

    def _query_start(self, prompt: list[int]) -> int:
        """Where the query begins: behind the template's prefix (or where a prompt leaves it: a caption that merges into it)."""
        same = [ours == theirs for ours, theirs in zip(prompt, self.template.prefix, strict=False)]
        return same.index(False) if False in same else len(same)

    def _check_length(self, longest: int) -> None:
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if limit is not None and longest + self.max_tokens > limit:
            raise UserError(f"a prompt of {longest} tokens and an answer of {self.max_tokens} exceed the scorer's context of {limit}: "
                            "reduce prompt.window, examples.count or caption.max_tokens")


def stop_tokens(model: PreTrainedModel, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer, according to the checkpoint and its tokenizer."""
    ends = model.generation_config.eos_token_id
    ids = ends if isinstance(ends, list) else [ends]
    return frozenset(i for i in [*ids, tokenizer.eos_token_id] if i is not None)


def parse_number(answer: str) -> float | None:
    """The number that an answer begins with, if it is one from 0 to 10; None otherwise.

    >>> parse_number("7"), parse_number("8/10."), parse_number("I would say 7"), parse_number("37")
    (7.0, 8.0, None, None)
    """
    match = re.match(r"\s*(\d+(?:\.\d+)?)(?:\s*/\s*10)?(?![\w/])", answer)
    value = float(match.group(1)) if match else None
    return value if value is not None and value <= 10 else None
