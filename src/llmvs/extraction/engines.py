"""Ways to run the scorer over prompts. `naive` is the reference that every faster one is compared with."""

from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel


class Read(NamedTuple):
    """What one prompt gave."""

    q: Tensor
    """[D] maximum over the query's tokens, on the CPU, in the model's dtype."""
    a: Tensor
    """[D] maximum over the answer's tokens."""
    answer: list[int]
    """Token ids of the answer, without the end token."""


def naive(model: PreTrainedModel, prompt: list[int], query: int, max_tokens: int, stop: frozenset[int]) -> Read:
    """One whole prompt by itself: nothing shared, nothing padded.

    Args:
        model: any causal language model.
        prompt: token ids of the whole prompt.
        query: position in `prompt` where the query's tokens begin.
        max_tokens: most tokens of the answer.
        stop: tokens that end the answer.
    """
    head = model.get_output_embeddings()
    output = model.base_model(torch.tensor([prompt], device=model.device), use_cache=True)
    states = output.last_hidden_state[0]
    q = states[query:].amax(0)
    answer: list[int] = []
    fed = []
    while len(answer) < max_tokens:
        token = int(head(states[-1]).argmax())
        if token in stop and answer:
            break
        output = model.base_model(torch.tensor([[token]], device=model.device), past_key_values=output.past_key_values, use_cache=True)
        states = output.last_hidden_state[0]
        fed.append(states[-1])
        if token in stop:
            break
        answer.append(token)
    return Read(q.cpu(), torch.stack(fed).amax(0).cpu(), answer)
