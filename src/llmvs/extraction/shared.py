"""The fast engine: the prefix of all prompts is computed once, the queries of a video in batches.

Windows are sorted by length and cut into batches of a token budget; rows are padded on the right
and every token gets its position explicitly. A cache object that is reused without copying would
silently grow from batch to batch, so every batch gets a new one around the same prefix tensors. The
output layer sees one position per row, never all of them.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

from llmvs.errors import UserError
from llmvs.extraction import cascade
from llmvs.extraction.engines import Naive, Prompt, Read, Reader
from llmvs.memory import exhausted

logger = logging.getLogger(__name__)

Attention = Literal["expand", "cascade"]


class Shared:
    """Batches of queries behind one shared prefix."""

    def __init__(
        self, reader: Reader, prefix: list[int], budget: int, attention: Attention
    ) -> None:
        """Run the prefix once.

        Args:
            reader: the model.
            prefix: token ids that (nearly) all prompts begin with.
            budget: most query tokens in a batch, padding included; halved whenever the memory does
                not suffice.
            attention: `expand`: the prefix's keys are repeated for every row; `cascade`: they are
                attended to once for all.
        """
        self.reader, self.prefix, self.budget, self.wanted = reader, prefix, budget, attention
        model = reader.model
        self.plain = cascade.plain_attention(model)
        self.window = getattr(model.config.get_text_config(), "sliding_window", None) or math.inf
        self._attend(len(prefix))
        whole = DynamicCache()
        model.base_model(
            torch.tensor([prefix], device=model.device), past_key_values=whole, use_cache=True
        )
        layers = cast(list[DynamicLayer], whole.layers)
        self.keys = [cast(Tensor, layer.keys) for layer in layers]
        self.values = [cast(Tensor, layer.values) for layer in layers]

    def read(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Read]]:
        """What every prompt gave, shortest queries first; prompts that leave the prefix early are
        read by themselves.
        """
        self._attend(max(map(len, prompts)) + self.reader.max_tokens)
        lengths = {
            i: len(prompt.query)
            for i, prompt in enumerate(prompts)
            if prompt.query and prompt.shared == self.prefix
        }
        alone = [i for i in range(len(prompts)) if i not in lengths]
        for i, (_, read) in zip(
            alone, Naive(self.reader).read([prompts[i] for i in alone]), strict=True
        ):
            yield i, read
        waiting = sorted(lengths, key=lambda i: (lengths[i], i))
        while waiting:
            size = self._fitting([lengths[i] for i in waiting])
            reads = self._attempt([prompts[i].query for i in waiting[:size]])
            if reads is None:  # here nothing holds on to the failed attempt any more
                self._halve(size)
                continue
            yield from zip(waiting[:size], reads, strict=True)
            waiting = waiting[size:]

    def _attend(self, longest: int) -> None:
        """Choose the attention for sequences of this length: the cascade does not know sliding
        windows.
        """
        self.slides = longest > self.window
        self.attention: Attention = "expand" if self.slides else self.wanted
        name = cascade.NAME if self.attention == "cascade" else self.plain
        if self.reader.model.config._attn_implementation != name:
            self.reader.model.set_attn_implementation(name)

    def _fitting(self, lengths: list[int]) -> int:
        """How many of the queries, sorted by length, fill the budget; at least one.

        A sliding window counts padding as tokens, so it allows only queries of one length.
        """
        size, most = 1, lengths.count(lengths[0]) if self.slides else len(lengths)
        while size < most and (size + 1) * lengths[size] <= self.budget:
            size += 1
        return size

    def _attempt(self, queries: list[list[int]]) -> list[Read] | None:
        """What a batch gave; None where the memory does not hold it."""
        try:
            return self._batch(queries)
        except (RuntimeError, MemoryError) as error:
            if not exhausted(error):
                raise
            return None

    def _halve(self, size: int) -> None:
        torch.cuda.empty_cache()
        if size == 1:
            raise UserError(
                "the scorer's memory does not suffice for a single prompt: set backbone.quantize or"
                " backbone.device_map, or reduce prompt.window or examples.count"
            )
        self.budget //= 2
        logger.warning("out of memory: going on with extract.tokens_per_batch=%s", self.budget)

    def _batch(self, queries: list[list[int]]) -> list[Read]:
        """Queries of similar length, together: first all their tokens, then their answers token by
        token.
        """
        reader, device, start = self.reader, self.reader.model.device, len(self.prefix)
        sizes = torch.tensor([len(query) for query in queries], device=device)
        longest = len(queries[-1])
        ids = torch.tensor(
            [query + [0] * (longest - len(query)) for query in queries], device=device
        )
        own = torch.arange(longest, device=device)
        batch = _Rows(self, real=own < sizes[:, None])
        states = batch.feed(ids, (start + own).expand(len(queries), -1))
        query_values = [
            reader.values(states[row, : len(query)]) for row, query in enumerate(queries)
        ]
        answers: list[list[int]] = [[] for _ in queries]
        fed: list[list[Tensor]] = [[] for _ in queries]
        rows = list(range(len(queries)))
        last, position = (
            states[torch.arange(len(queries)), (sizes - 1).to(states.device)],
            start + sizes,
        )
        for step in range(reader.max_tokens):
            tokens = reader.next_token(last).to(device)
            chosen = tokens.tolist()
            going = [
                i
                for i, token in enumerate(chosen)
                if step == 0 or (token not in reader.stop and len(answers[rows[i]]) == step)
            ]
            if not going:
                break
            if len(going) < len(rows):
                keep = torch.tensor(going, device=device)
                rows, chosen = [rows[i] for i in going], [chosen[i] for i in going]
                tokens, position = tokens[keep], position[keep]
                batch.select(keep)
            last = batch.feed(tokens[:, None], position[:, None])[:, 0]
            values = reader.values(last)
            for i, (row, token) in enumerate(zip(rows, chosen, strict=True)):
                fed[row].append(values[i])
                if token not in reader.stop:
                    answers[row].append(token)
            position = position + 1
        return [
            reader.read(query, torch.stack(own_fed), answer)
            for query, own_fed, answer in zip(query_values, fed, answers, strict=True)
        ]


class _Rows:
    """The model's memory of one batch: a fresh cache around the shared prefix."""

    def __init__(self, engine: Shared, real: Tensor) -> None:
        """`real`: bool [B, L], False where a row is padded."""
        self.engine, self.real = engine, real
        self.shared: cascade.SharedPrefix | None = None
        if engine.attention == "cascade":
            self.cache: Cache = DynamicCache()
            self.shared = cascade.SharedPrefix(engine.keys, engine.values)
        else:
            self.cache = expanded(engine.keys, engine.values, len(real))
        self.fed = 0

    def feed(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Feed ids [B, n] at their positions [B, n]; returns the states after the final norm [B, n,
        D].
        """
        self.fed += ids.shape[1]
        if self.fed > self.real.shape[1]:
            self.real = torch.cat([self.real, self.real.new_ones(len(self.real), 1)], 1)
        options: dict[str, Any] = {}
        if self.shared is None:
            prefix = self.real.new_ones(len(self.real), len(self.engine.prefix))
            options["attention_mask"] = torch.cat([prefix, self.real], 1).long()
        else:
            self.shared.padding = None if ids.shape[1] > 1 else ~self.real
            options["shared"] = self.shared
        output = self.engine.reader.model.base_model(
            ids, position_ids=positions, past_key_values=self.cache, use_cache=True, **options
        )
        return output.last_hidden_state

    def select(self, rows: Tensor) -> None:
        """Forget all rows but these."""
        self.real = self.real[rows]
        for layer in cast(list[DynamicLayer], self.cache.layers):
            layer.batch_select_indices(rows.to(layer.device))


def expanded(keys: list[Tensor], values: list[Tensor], rows: int) -> DynamicCache:
    """A new cache that holds the prefix for every row, as views: the first update copies them."""
    cache = DynamicCache()
    for key, value in zip(keys, values, strict=True):
        layer = DynamicLayer()
        layer.lazy_initialization(key, value)
        layer.keys, layer.values = key.expand(rows, -1, -1, -1), value.expand(rows, -1, -1, -1)
        cache.layers.append(layer)
    return cache
