"""The fast engines against the naive one: small random models of three families, mixed lengths,
every way to stop.
"""

import copy
import itertools
from collections.abc import Iterable

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from llmvs.extraction.engines import Naive, Prompt, Read, Reader, deviation
from llmvs.extraction.shared import Shared

SIZE = {
    "vocab_size": 97,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
}
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SIZE, num_key_value_heads=4)),
    "llama_gqa": (LlamaForCausalLM, LlamaConfig(**SIZE, num_key_value_heads=2)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SIZE, num_key_value_heads=2)),
    "mistral": (
        MistralForCausalLM,
        MistralConfig(**SIZE, num_key_value_heads=2, sliding_window=None),
    ),
    "mistral_sliding": (
        MistralForCausalLM,
        MistralConfig(**SIZE, num_key_value_heads=2, sliding_window=48),
    ),
}
PREFIX = torch.randint(3, 97, (60,), generator=torch.Generator().manual_seed(1)).tolist()


def prompts() -> list[Prompt]:
    """Queries of 1 to 41 tokens, out of order, two of them equally long; two prompts leave the
    prefix early.
    """
    rng = torch.Generator().manual_seed(2)
    lengths = [17, 3, 41, 1, 17, 29, 8, 33, 2]
    found = [Prompt(PREFIX, torch.randint(3, 97, (n,), generator=rng).tolist()) for n in lengths]
    return [
        *found[:4],
        Prompt(PREFIX[:40], [5, 6, 7] * 10),
        *found[4:],
        Prompt(PREFIX[:59], [2, 9]),
    ]


def build(name: str, dtype: torch.dtype = torch.float32):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    kind, config = MODELS[name]
    return (
        kind(copy.deepcopy(config)).eval().to(dtype)
    )  # a model's attention is written into its config


@torch.inference_mode()
def run(engine) -> list[Read]:
    reads = dict(engine.read(prompts()))
    return [reads[i] for i in range(len(prompts()))]


def stops(model) -> frozenset[int]:
    """Tokens that end some answers at once, some later and some never."""
    answers = [read.answer for read in run(Naive(Reader(model, 8, frozenset())))]
    ends = frozenset([answers[0][0], answers[1][3], answers[3][1]])
    cut = [next((i for i, token in enumerate(answer) if token in ends), 8) for answer in answers]
    assert len(set(cut)) > 2
    return ends


@pytest.mark.parametrize("attention", ["expand", "cascade"])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("budget", [1, 70, 10000])
def test_same_as_naive(name: str, attention, budget: int) -> None:
    model = build(name)
    reader = Reader(model, 8, stops(model))
    expected = run(Naive(reader))
    found = run(Shared(reader, PREFIX, budget, attention))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.answer == theirs.answer
        torch.testing.assert_close(ours.q, theirs.q, atol=1e-4, rtol=0)
        torch.testing.assert_close(ours.a, theirs.a, atol=1e-4, rtol=0)


@pytest.mark.parametrize("attention", ["expand", "cascade"])
def test_reading_twice_gives_the_same_bits(attention) -> None:
    model = build("llama_gqa")
    engine = Shared(Reader(model, 4, frozenset()), PREFIX, 100, attention)
    first, second = run(engine), run(engine)
    assert all(
        torch.equal(a.q, b.q) and torch.equal(a.a, b.a) for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("attention", ["expand", "cascade"])
def test_linear_readout_and_all_tokens(attention) -> None:
    model = build("qwen2")
    reader = Reader(model, 3, frozenset(), "linear", keep_tokens=True)
    for ours, theirs in zip(
        run(Shared(reader, PREFIX, 100, attention)), run(Naive(reader)), strict=True
    ):
        assert ours.q.shape == (97,)
        assert ours.tokens is not None
        assert theirs.tokens is not None
        for a, b in zip(ours.tokens, theirs.tokens, strict=True):
            torch.testing.assert_close(a, b, atol=2e-4, rtol=1e-4)
        assert torch.equal(ours.tokens[0].amax(0), ours.q)
        assert len(ours.tokens[1]) == 3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("attention", ["expand", "cascade"])
@pytest.mark.parametrize("name", ["llama", "qwen2", "mistral"])
def test_half_precision_is_no_worse_than_naive(name: str, attention, dtype: torch.dtype) -> None:
    exact = run(Naive(Reader(build(name), 1, frozenset())))
    half = Reader(build(name, dtype), 1, frozenset())
    naive = run(Naive(half))
    fast = run(Shared(half, PREFIX, 100, attention))

    # An answer that rounding changed has other tokens, whose states are no error of rounding.
    same = [
        i
        for i, reads in enumerate(zip(exact, naive, fast, strict=True))
        if len({tuple(read.answer) for read in reads}) == 1
    ]
    assert len(same) > len(exact) / 2

    def error(reads: list[Read], pooled: str, rows: Iterable[int]) -> float:
        difference = torch.cat(
            [getattr(reads[i], pooled).float() - getattr(exact[i], pooled) for i in rows]
        )
        return float(
            difference.norm() / torch.cat([getattr(exact[i], pooled) for i in rows]).norm()
        )

    for pooled, rows in (("q", range(len(exact))), ("a", same)):
        assert error(naive, pooled, rows) > 0
        assert error(fast, pooled, rows) <= 1.1 * error(naive, pooled, rows)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_running_out_of_memory_halves_the_budget_and_goes_on(error, monkeypatch, capsys) -> None:
    model = build("llama")
    reader = Reader(model, 2, frozenset())
    expected = run(Naive(reader))
    engine = Shared(reader, PREFIX, 10000, "cascade")
    whole, calls = engine._batch, itertools.count()

    def short_of_memory(queries: list[list[int]]) -> list[Read]:
        next(calls)
        if len(queries) * len(queries[-1]) > 100:
            raise error
        return whole(queries)

    monkeypatch.setattr(engine, "_batch", short_of_memory)
    found = run(engine)
    assert [read.answer for read in found] == [read.answer for read in expected]
    assert max(deviation(a, b) for a, b in zip(found, expected, strict=True)) < 1e-4
    assert engine.budget < 10000
    assert "out of memory" in capsys.readouterr().err
