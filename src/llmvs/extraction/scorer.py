"""Stage 2: what a frozen language model makes of every window (paper, section 3.2).

**q** of a step is the maximum over the query's tokens of the hidden states after the final norm,
**a** the same over the tokens of the greedy answer. A token's state exists once the token has been
*fed*, so every answer token is fed exactly once, the last one too, although nothing is generated
after it: without that, a one-token answer would have no state. The token that ends an answer is not
part of it, unless the answer is empty; then it stands for the answer.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llmvs.config.schema import ExtractConfig
from llmvs.errors import UserError
from llmvs.extraction.answer_text import OPENS
from llmvs.extraction.cascade import plain_attention
from llmvs.extraction.checked_engines import CheckedEngines
from llmvs.extraction.engines import Engine, Naive, Prompt, Read, Reader, deviation
from llmvs.extraction.prompts import Template, Window
from llmvs.extraction.shared import Attention, Shared
from llmvs.memory import exhausted

FASTEST_FIRST = ("cascade", "expand", "naive")
BUDGETS = {"cuda": 8192, "cpu": 1024}
"""Query tokens read at once by kind of device, unless asked otherwise: a CPU is no faster with more
of them, and says nothing before the first batch is done.
"""
TOLERANCE = {torch.float32: 1e-3}
"""Largest relative difference from the naive engine that is rounding, by number format; 0.1 for
formats of 16 bits.
"""


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
    tokens: list[tuple[Tensor, Tensor]]
    """T pairs [L_q, D], [L_a, D] of all tokens' vectors; empty unless they are kept."""


class Scorer:
    """Reads the windows of a video, identical ones once."""

    def __init__(
        self,
        model: PreTrainedModel,
        template: Template,
        max_tokens: int,
        config: ExtractConfig,
        checked: CheckedEngines | None = None,
    ) -> None:
        """Take a loaded model.

        Args:
            model: in evaluation mode.
            template: of its prompts.
            max_tokens: most tokens of an answer.
            config: how it runs.
            checked: where the choice of an engine is remembered; None: nowhere.
        """
        self.template, self.config, self.checked = template, config, checked
        self.budget = config.tokens_per_batch or BUDGETS.get(model.device.type, BUDGETS["cuda"])
        self.reader = Reader(
            model,
            max_tokens,
            stop_tokens(model, template.tokenizer),
            config.readout,
            config.keep == "tokens",
        )
        self.engine: Engine | None = None
        self.engine_name = ""

    @torch.inference_mode()
    def __call__(
        self, windows: Sequence[Window], progress: Callable[[int], Any] = lambda steps: None
    ) -> Scored:
        """Score the T windows of one video; `progress` is called with the number of steps just
        done.

        Raises:
            UserError: a prompt that is longer than the model's context; an engine that is asked for
                but wrong for this model.
        """
        n_steps = Counter(windows)
        distinct = list(n_steps)
        prompts = self._prompts(distinct)
        self._check_length(max(map(len, prompts)))
        if self.engine is None:
            self.engine = self._choose(prompts)
        reads: dict[Window, Read] = {}
        for index, read in self.engine.read(prompts):
            reads[distinct[index]] = read
            progress(n_steps[distinct[index]])
        steps = [reads[window] for window in windows]
        ids = [read.answer for read in steps]
        texts = self.template.tokenizer.batch_decode(ids, skip_special_tokens=True)
        if self.template.chat.thinks:
            # The prompt holds the mark that opens the reasoning; with it an answer can be read.
            texts = [f"{OPENS}{text}" for text in texts]
        return Scored(
            torch.stack([read.q for read in steps]),
            torch.stack([read.a for read in steps]),
            ids,
            [text.strip() for text in texts],
            [read.tokens for read in steps if read.tokens is not None],
        )

    def _choose(self, prompts: list[Prompt]) -> Engine:
        """The engine that is asked for, or the fastest one; before its first use it must do on two
        short prompts what the naive one does.
        """
        model, naive = self.reader.model, Naive(self.reader)
        plain = plain_attention(model)
        auto = self.config.engine == "auto"
        known = self.checked.chosen() if auto and self.checked is not None else None
        if known in FASTEST_FIRST:
            self.engine_name = known
            return naive if known == "naive" else self._shared(known)
        probes = sorted(prompts, key=len)[:2]
        expected: dict[int, Read] = {}
        problem = ""
        for name in FASTEST_FIRST if auto else [self.config.engine]:
            self.engine_name = name
            if name == "naive":
                self._remember(auto)
                return naive
            expected = expected or dict(naive.read(probes))
            try:
                engine = self._shared(name)
                error = max(deviation(read, expected[i]) for i, read in engine.read(probes))
                if error <= TOLERANCE.get(model.dtype, 0.1):
                    self._remember(auto)
                    return engine
                problem = f"differs from the naive engine by {error:.2g}"
            except (
                NotImplementedError,
                TypeError,
                ValueError,
                AttributeError,
                IndexError,
                RuntimeError,
            ) as reason:
                if exhausted(reason):
                    raise
                problem = f"does not work with this model ({' '.join(str(reason).split())[:120]})"
            model.set_attn_implementation(plain)
        raise UserError(f"extract.engine={self.engine_name}: {problem}: use extract.engine=auto")

    def _shared(self, name: str) -> Shared:
        return Shared(self.reader, self.template.prefix, self.budget, cast(Attention, name))

    def _remember(self, auto: bool) -> None:
        if auto and self.checked is not None:
            self.checked.remember(self.engine_name)

    def _prompts(self, windows: list[Window]) -> list[Prompt]:
        """The prompts about windows; a caption that merges with the tokens before it makes its
        prompt leave the prefix early.
        """
        prefix, found = self.template.prefix, []
        for first in range(0, len(windows), 256):
            for ids in self.template.encode(windows[first : first + 256]):
                same = [ours == theirs for ours, theirs in zip(ids, prefix, strict=False)]
                start = same.index(False) if False in same else len(same)
                found.append(Prompt(prefix if start == len(prefix) else ids[:start], ids[start:]))
        return found

    def _check_length(self, longest: int) -> None:
        limit = getattr(self.reader.model.config.get_text_config(), "max_position_embeddings", None)
        if limit is not None and longest + self.reader.max_tokens > limit:
            raise UserError(
                f"a prompt of {longest} tokens and an answer of {self.reader.max_tokens} exceed the"
                f" scorer's context of {limit}: reduce prompt.window, examples.count or"
                " caption.max_tokens"
            )


def stop_tokens(model: PreTrainedModel, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer, according to the checkpoint and its tokenizer."""
    ends = model.generation_config.eos_token_id
    ids = ends if isinstance(ends, list) else [ends]
    return frozenset(i for i in [*ids, tokenizer.eos_token_id] if i is not None)
