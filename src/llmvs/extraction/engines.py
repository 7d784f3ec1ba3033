"""Ways to run the scorer over prompts. `Naive` is the reference that every faster one is compared
with.

An engine is made once per model and prompt template; `read` then takes the distinct prompts of one
video. Work is batched within a video only, so what a video gives never depends on its neighbours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

Readout = Literal["rmsnorm", "linear"]


@dataclass(frozen=True)
class Prompt:
    """One prompt about one window."""

    shared: list[int]
    """Token ids before the query; one and the same list for (nearly) all prompts, so that it is in
    memory once.
    """
    query: list[int]
    """Token ids of the query."""

    @property
    def ids(self) -> list[int]:
        """Token ids of the whole prompt."""
        return self.shared + self.query

    def __len__(self) -> int:
        return len(self.shared) + len(self.query)


class Read(NamedTuple):
    """What one prompt gave, on the CPU, in the model's dtype."""

    q: Tensor
    """[D] maximum over the query's tokens."""
    a: Tensor
    """[D] maximum over the answer's tokens."""
    answer: list[int]
    """Token ids of the answer, without the end token."""
    tokens: tuple[Tensor, Tensor] | None = None
    """[L_q, D] and [L_a, D] before the maximum, where they are kept."""


@dataclass(frozen=True)
class Reader:
    """The model and what is read from it; the same for all engines."""

    model: Any
    """A causal language model in evaluation mode."""
    max_tokens: int
    """Most tokens of an answer."""
    stop: frozenset[int]
    """Tokens that end an answer."""
    readout: Readout = "rmsnorm"
    """`rmsnorm`: hidden states after the final norm; `linear`: what the output layer makes of them.
    """
    keep_tokens: bool = False
    """Keep every token's vector, not only the maximum."""

    def next_token(self, state: Tensor) -> Tensor:
        """Greedy choice: states [..., D] -> token ids [...]."""
        return self.model.get_output_embeddings()(state).argmax(-1)

    def values(self, states: Tensor) -> Tensor:
        """What is kept of hidden states [..., D]: themselves, or the output layer's [...,
        vocabulary].
        """
        return states if self.readout == "rmsnorm" else self.model.get_output_embeddings()(states)

    def read(self, query: Tensor, answer: Tensor, ids: list[int]) -> Read:
        """Pool the values of the query's tokens [L_q, D] and the answer's fed tokens [L_a, D]."""
        tokens = (query.cpu(), answer.cpu()) if self.keep_tokens else None
        return Read(query.amax(0).cpu(), answer.amax(0).cpu(), ids, tokens)


class Engine(Protocol):
    """Runs prompts through the model."""

    def read(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Read]]:
        """What every prompt gave, with its position in `prompts`, in any order."""


class Naive:
    """One whole prompt after the other: nothing shared, nothing padded."""

    def __init__(self, reader: Reader) -> None:
        """Take the model."""
        self.reader = reader

    def read(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Read]]:
        """What every prompt gave, in order."""
        for index, prompt in enumerate(prompts):
            yield index, self._one(prompt)

    def _one(self, prompt: Prompt) -> Read:
        reader, model = self.reader, self.reader.model
        output = model.base_model(torch.tensor([prompt.ids], device=model.device), use_cache=True)
        states = output.last_hidden_state[0]
        query = reader.values(states[len(prompt.shared) :])
        answer: list[int] = []
        fed: list[Tensor] = []
        while len(answer) < reader.max_tokens:
            token = int(reader.next_token(states[-1]))
            if token in reader.stop and answer:
                break
            output = model.base_model(
                torch.tensor([[token]], device=model.device),
                past_key_values=output.past_key_values,
                use_cache=True,
            )
            states = output.last_hidden_state[0]
            fed.append(reader.values(states[-1]))
            if token in reader.stop:
                break
            answer.append(token)
        return reader.read(query, torch.stack(fed), answer)


def deviation(found: Read, expected: Read) -> float:
    """Relative root mean square error of q, and of a where the answers are the same."""
    pairs = [(found.q, expected.q), (found.a, expected.a)][
        : 2 if found.answer == expected.answer else 1
    ]
    return max(
        float((ours.float() - theirs.float()).norm() / theirs.float().norm())
        for ours, theirs in pairs
    )
