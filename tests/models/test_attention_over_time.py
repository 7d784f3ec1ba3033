"""On which steps a score leans: the weights are those that the head computes with."""

import numpy as np
import torch
from numpy.testing import assert_allclose

from llmvs.config.schema import HeadConfig
from llmvs.models.head import Head
from llmvs.models.pretrained import LLMVS

SMALL = HeadConfig(dim=16, layers=3, feedforward=24, heads=2, dropout=0.1)


def head(**changes: object) -> Head:
    torch.manual_seed(0)
    return Head(8, HeadConfig(**{**SMALL.__dict__, **changes})).eval()


def test_weights_are_those_of_torchs_own_attention() -> None:
    made, steps = head(), torch.randn(7, 8)
    projected = made.project(steps)
    want, flow = projected, torch.eye(7)
    for layer in made.encoder.layers:
        mixed, weights = layer.self_attn(
            *[want[:, None]] * 3, need_weights=True, average_attn_weights=True
        )
        flow = 0.5 * flow + 0.5 * weights[0] @ flow
        want = layer.norm1(want + mixed[:, 0])
        want = layer.norm2(want + layer.linear2(torch.relu(layer.linear1(want))))
    found = made.attention(steps)
    assert found is not None
    assert_allclose(found.detach(), flow.detach(), atol=1e-6)
    assert_allclose(found.sum(dim=1).detach(), np.ones(7), atol=1e-6)
    assert_allclose(made.encoder(projected, torch.tensor([7])).detach(), want.detach(), atol=1e-5)


def test_a_head_in_which_no_step_sees_another_one_leans_on_nothing() -> None:
    for name in ("mlp", "feedforward"):
        assert head(aggregator=name).attention(torch.randn(5, 8)) is None


def test_the_public_model_says_it_too() -> None:
    model = LLMVS(8, SMALL).train()
    q, a = torch.randn(6, 8), torch.randn(6, 8)
    found = model.attention(q, a)
    assert model.training
    want = model.eval().head.attention(torch.maximum(q, a))
    assert found is not None
    assert want is not None
    assert torch.equal(found, want)


def test_positions_are_seen() -> None:
    made, steps = head(positions="sinusoidal"), torch.zeros(5, 8)
    found = made.attention(steps)
    assert found is not None
    assert not torch.allclose(found[0], found[1])
