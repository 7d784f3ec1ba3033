"""The numbers 0 to 10 as a model spells them, and how likely it finds each of them as its answer.

A tokenizer may write 10 as one token or as `1`, `0`, and put a space of its own before either.
Whatever it does, one forward pass over the prompt and all but the last token of "10" tells the
probability of every number: 0 to 9 differ from that *path* in their last token at most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llmvs.errors import UserError
from llmvs.extraction.chat import Form, form_of_answers

TEN = 10


@dataclass(frozen=True)
class Numbers:
    """Answers as token ids."""

    ids: tuple[tuple[int, ...], ...]
    """Eleven answers, 0 to 10, without what ends them."""
    tail: tuple[int, ...]
    """What follows a number up to the end of its turn, as the prompt's own examples have it."""

    @classmethod
    def of(cls, tokenizer: Any, render: Callable[[str | None], str]) -> "Numbers":
        """How `tokenizer` spells the numbers as answers in a conversation.

        Args:
            tokenizer: of the model.
            render: gives the conversation up to the answer (None), or with that answer.

        Raises:
            UserError: a number merges with the prompt, or is spelt in a way that no path leads
                through.
        """
        prompt = render(None)
        lead, tail = form_of_answers(render) or Form("", tokenizer.eos_token)
        texts = [f"{prompt}{lead}{number}" for number in range(TEN + 1)]
        start, *whole = tokenizer([prompt, *texts], add_special_tokens=False).input_ids
        ids = tuple(tuple(one[len(start) :]) for one in whole)
        if not all(one[: len(start)] == start for one in whole) or not all(
            one and one[:-1] == ids[TEN][: len(one) - 1] for one in ids
        ):
            raise UserError(
                "this model's tokenizer spells the numbers 0 to 10 in a way that cannot be read:"
                " choose another model"
            )
        return cls(ids, _ending(tokenizer, texts, whole, tail))

    @property
    def path(self) -> list[int]:
        """What is fed behind a prompt to learn the probability of every number."""
        return list(self.ids[TEN][:-1])

    def answer(self, number: int) -> list[int]:
        """The tokens of a whole answer."""
        return [*self.ids[number], *self.tail]

    def probabilities(self, logits: Tensor) -> Tensor:
        """[B, 11] probabilities of 0 to 10, given that the answer is one of them.

        Args:
            logits: [B, len(path) + 1, vocabulary] behind the prompt and behind every token of the
                path.
        """
        likely, ten = logits.float().log_softmax(-1), self.ids[TEN]
        columns = []
        for ids in self.ids:
            found = sum(
                (likely[:, depth, token] for depth, token in enumerate(ids)),
                likely.new_zeros(len(likely)),
            )
            if (
                len(ids) < len(ten) and ids == ten[: len(ids)]
            ):  # 1, where 10 is 1 and then 0: it does not go on
                found = found + torch.log1p(
                    -likely[:, len(ids), ten[len(ids)]].exp().clamp(max=1 - 1e-6)
                )
            columns.append(found)
        return torch.stack(columns, 1).softmax(-1)

    def expected(self, logits: Tensor) -> Tensor:
        """[B] the number that is expected, 0 to 10; arguments as for `probabilities`."""
        return self.probabilities(logits) @ torch.arange(
            TEN + 1, dtype=torch.float32, device=logits.device
        )


def _ending(tokenizer: Any, texts: list[str], whole: list[list[int]], tail: str) -> tuple[int, ...]:
    """The tokens of `tail` behind every one of the numbers, up to the first that ends a turn; that
    token alone where they are not the same behind all numbers.
    """
    longer = tokenizer([text + tail for text in texts], add_special_tokens=False).input_ids
    endings = {
        tuple(more[len(ids) :]) if more[: len(ids)] == ids else ()
        for more, ids in zip(longer, whole, strict=True)
    }
    marks = {tokenizer.eos_token_id, *getattr(tokenizer, "all_special_ids", ())}
    ending = endings.pop() if len(endings) == 1 else ()
    for place, token in enumerate(ending):
        if token in marks:
            return ending[: place + 1]
    return (tokenizer.eos_token_id,)


def nearest(gtscore: Sequence[float]) -> list[int]:
    """The number from 0 to 10 that says an importance in [0, 1] best."""
    return [round(TEN * float(score)) for score in gtscore]
