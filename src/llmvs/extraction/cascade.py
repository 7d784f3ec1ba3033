"""Attention to a prefix that the whole batch shares, without a copy of it per row.

Softmax attention over two sets of keys can be computed set by set and merged: with outputs o1, o2
and log-sum-exps l1, l2 the result is o1 * exp(l1 - l) + o2 * exp(l2 - l), l = log(exp(l1) +
exp(l2)). The prefix part needs no mask, so all queries of all rows become one long query against
one set of keys; the rows' own part is causal. For a model of 13 B parameters, 64 rows and 1,000
prefix tokens the expanded cache would take 70 GB; here it takes 18 GB, most of it the rows' own
keys.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "llmvs_cascade"


@dataclass
class SharedPrefix:
    """What all rows of a batch attend to before themselves."""

    keys: list[Tensor]
    """Per layer [1, key heads, P, head size]."""
    values: list[Tensor]
    """Per layer [1, key heads, P, head size]."""
    padding: Tensor | None = None
    """bool [B, S], True where a row's own key is padding; None while causality alone hides it
    (right padding).
    """


def cascade_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    shared: SharedPrefix | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """Attention in the form that transformers calls; `shared` comes through the model's keyword
    arguments.

    Args:
        module: the attention layer, which knows its index.
        query: [B, heads, L, head size].
        key: [B, key heads, S, head size], the rows' own, S >= L.
        value: [B, key heads, S, head size].
        attention_mask: not used: transformers makes none for an attention it does not know.
        dropout: not used: the models are frozen.
        scaling: factor on the scores.
        shared: the prefix; None: plain causal attention.
        rest: whatever else the model passes on.

    Returns:
        [B, L, heads, head size], and None for the weights.
    """
    if any(rest.get(name) is not None for name in ("softcap", "s_aux", "position_bias")):
        raise NotImplementedError("this attention has terms that the cascade does not know")
    if shared is None:
        return sdpa_attention_forward(module, query, key, value, None, scaling=scaling)
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    far, far_weight = _prefix_part(query, shared.keys[layer], shared.values[layer], scale)
    near, near_weight = _own_part(query, key, value, shared.padding, scale)
    total = torch.logaddexp(far_weight, near_weight)
    merged = (
        far * (far_weight - total).exp()[..., None] + near * (near_weight - total).exp()[..., None]
    )
    return merged.to(query.dtype).transpose(1, 2).contiguous(), None


def _prefix_part(query: Tensor, key: Tensor, value: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """All rows' queries as one long query; query heads that share a key head join them.

    Returns:
        float32 outputs [B, heads, L, head size] and log-sum-exps [B, heads, L].
    """
    rows, heads, length, size = query.shape
    groups = heads // key.shape[1]
    long = (
        query.unflatten(1, (key.shape[1], groups))
        .permute(1, 2, 0, 3, 4)
        .reshape(1, key.shape[1], -1, size)
    )
    output, weight = attend(long, key, value, scale)
    shape = (key.shape[1], groups, rows, length)
    output = output.reshape(*shape, -1).permute(2, 0, 1, 3, 4).flatten(1, 2)
    return output.float(), weight.reshape(shape).permute(2, 0, 1, 3).flatten(1, 2)


def _own_part(
    query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    """Every row's queries against its own keys: causal in the first pass, everything but padding
    for a single new token.
    """
    groups = query.shape[1] // key.shape[1]
    if query.shape[2] > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        output, weight = attend(query, key, value, scale, causal=True)
        return output.float(), weight
    single = query.unflatten(1, (key.shape[1], groups)).squeeze(
        3
    )  # [B, key heads, groups, head size]
    scores = (single @ key.mT).float() * scale
    if padding is not None:
        scores = scores.masked_fill(padding.to(scores.device)[:, None, None], -torch.inf)
    output = (scores.softmax(-1).to(value.dtype) @ value).float()
    return output.flatten(1, 2)[:, :, None], scores.logsumexp(-1).flatten(1, 2)[:, :, None]


def attend(
    query: Tensor, key: Tensor, value: Tensor, scale: float, causal: bool = False
) -> tuple[Tensor, Tensor]:
    """Attention with its log-sum-exp, by the fused kernel of the device, which keeps no [L, S]
    matrix.

    Returns:
        [B, heads, L, head size] and float32 [B, heads, L].
    """
    ops, same = torch.ops.aten, query.shape[-1] == value.shape[-1]
    if query.device.type == "cpu" and same:
        output, weight = ops._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0.0, causal, scale=scale
        )
        return output, weight
    if query.device.type == "cuda" and same and query.shape[-1] % 8 == 0:
        if query.dtype in (torch.float16, torch.bfloat16) and query.shape[-1] <= 256:
            output, weight = ops._scaled_dot_product_flash_attention(
                query, key, value, 0.0, causal, scale=scale
            )[:2]
        else:
            output, weight = ops._scaled_dot_product_efficient_attention(
                query, key, value, None, True, 0.0, causal, scale=scale
            )[:2]
        return output, weight[:, :, : query.shape[2]].float()  # the kernels pad the log-sum-exps
    scores = (query @ key.mT).float() * scale
    if causal:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(hidden, -torch.inf)
    return scores.softmax(-1).to(value.dtype) @ value, scores.logsumexp(-1)


def plain_attention(model: Any) -> str:
    """The attention that the model was loaded with, also after the cascade took its place."""
    name = model.config._attn_implementation
    return "sdpa" if name == NAME else name


AttentionInterface.register(NAME, cascade_attention)
