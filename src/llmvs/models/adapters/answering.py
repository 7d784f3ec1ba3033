"""A model that answers with a number: what it costs to be wrong, and which number it is expected to
answer.

The score of a step is the *expected* number under the model's probabilities of 0 to 10, divided by
10, not the number that it would write. The paper speaks of the number. Ours because a fine-tuned
model soon answers the commonest number of its training nearly everywhere: such scores tie, and a
tie has no rank. The expected number keeps the order that the probabilities still hold, and costs
the same forward pass. The zero-shot rows are the numbers as written.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, takewhile
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from llmvs.extraction.numbers import TEN, Numbers
from llmvs.extraction.shared import expanded

IGNORED = -100
WORTH_SHARING = 32
"""Tokens that prompts must begin with alike before these are read once for all of them."""


class Asked(NamedTuple):
    """One question, ready for the model."""

    ids: list[int]
    """Token ids of the whole prompt."""
    extras: dict[str, Tensor]
    """What else the model reads, each [1, ...]: the picture; empty for a language model."""


class Answering:
    """Reads prompts of different lengths together, padded on the right; what all of them begin with
    is read once.
    """

    def __init__(self, model: Any, numbers: Numbers) -> None:
        """Take a model in evaluation mode (its adapters' dropout may train) and how it spells
        numbers.
        """
        self.model, self.numbers = model, numbers

    def losses(self, asked: Sequence[Asked], right: Sequence[int]) -> Tensor:
        """[B] cross-entropy of the right numbers, averaged over each answer's tokens (those that
        end it, too).
        """
        answers = [self.numbers.answer(number) for number in right]
        logits = self._logits(asked, [answer[:-1] for answer in answers])
        longest = logits.shape[1]
        wanted = torch.tensor(
            [answer + [IGNORED] * (longest - len(answer)) for answer in answers],
            device=logits.device,
        )
        losses = cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="none"
        ).view_as(wanted)
        return losses.sum(1) / (wanted != IGNORED).sum(1)

    @torch.inference_mode()
    def expected(self, asked: Sequence[Asked]) -> Tensor:
        """[B] the expected number, as a score in [0, 1]."""
        return self.numbers.expected(self._logits(asked, [self.numbers.path] * len(asked))) / TEN

    def scores(
        self,
        asked: Iterable[Asked],
        at_once: int,
        progress: Callable[[int], Any] = lambda steps: None,
    ) -> Tensor:
        """[T] float32 scores of T questions, on the CPU; prompts without pictures that are the same
        are read once.

        Args:
            asked: about the steps of one video, in order; read as far as it is needed.
            at_once: questions in the model at once.
            progress: told the number of steps just done.
        """
        found: list[Tensor] = []
        seen: dict[tuple[int, ...], Tensor] = {}
        for chunk in _chunks(asked, at_once):
            new = {_name(one, i): one for i, one in enumerate(chunk)}
            new = {name: one for name, one in new.items() if name not in seen}
            if new:
                seen |= dict(zip(new, self.expected(list(new.values())).cpu(), strict=True))
            found += [seen[_name(one, i)] for i, one in enumerate(chunk)]
            seen = {name: score for name, score in seen.items() if len(name) > 1}
            progress(len(chunk))
        return torch.stack(found)

    def _logits(self, asked: Sequence[Asked], suffixes: Sequence[list[int]]) -> Tensor:
        """float32 [B, S + 1, vocabulary] behind each prompt and each token of its suffix; S is the
        longest suffix.
        """
        model, device = self.model, self.model.device
        shared = self._shared(asked)
        rows = [[*one.ids[shared:], *suffix] for one, suffix in zip(asked, suffixes, strict=True)]
        longest = max(map(len, rows))
        ids = torch.tensor(
            [row + [self.numbers.tail[-1]] * (longest - len(row)) for row in rows], device=device
        )
        real = torch.arange(-shared, longest, device=device) < torch.tensor(
            [[len(row)] for row in rows], device=device
        )
        seen = {
            name: torch.cat([one.extras[name] for one in asked]).to(device)
            for name in asked[0].extras
        }
        extras: dict[str, Any] = {
            name: value.to(model.dtype) if value.is_floating_point() else value
            for name, value in seen.items()
        }
        if shared:
            extras |= {
                "past_key_values": self._prefix(asked[0].ids[:shared], len(rows)),
                "position_ids": (
                    torch.arange(shared, shared + longest, device=device).expand(len(rows), -1)
                ),
            }
        states = model.base_model(
            input_ids=ids, attention_mask=real.long(), use_cache=shared > 0, **extras
        ).last_hidden_state
        starts = torch.tensor([[len(one.ids) - shared - 1] for one in asked], device=device)
        places = (starts + torch.arange(max(map(len, suffixes)) + 1, device=device)).clamp(
            max=longest - 1
        )
        picked = states[torch.arange(len(rows), device=device)[:, None], places]
        return model.get_output_embeddings()(picked).float()

    def _shared(self, asked: Sequence[Asked]) -> int:
        """How many tokens all prompts begin with, if it pays to read them once; 0 with pictures and
        sliding windows.
        """
        slides = getattr(self.model.config.get_text_config(), "sliding_window", None)
        if len(asked) == 1 or asked[0].extras or slides:
            return 0
        same = takewhile(
            lambda column: len(set(column)) == 1, zip(*(one.ids for one in asked), strict=False)
        )
        common = min(sum(1 for _ in same), min(len(one.ids) for one in asked) - 1)
        return common if common >= WORTH_SHARING else 0

    def _prefix(self, ids: list[int], rows: int) -> DynamicCache:
        """The model's memory of the tokens that all rows begin with; gradients go through it."""
        cache = DynamicCache()
        self.model.base_model(
            input_ids=torch.tensor([ids], device=self.model.device),
            past_key_values=cache,
            use_cache=True,
        )
        layers = cast(list[DynamicLayer], cache.layers)
        return expanded(
            [cast(Tensor, layer.keys) for layer in layers],
            [cast(Tensor, layer.values) for layer in layers],
            rows,
        )


def _chunks(items: Iterable[Asked], size: int) -> Iterator[list[Asked]]:
    items = iter(items)
    while chunk := list(islice(items, size)):
        yield chunk


def _name(one: Asked, position: int) -> tuple[int, ...]:
    """What tells questions apart: their words, or (with a picture) their place in the chunk."""
    return (position,) if one.extras else tuple(one.ids)
