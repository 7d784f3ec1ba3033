"""The head against an independent re-computation, its size, and its indifference to the videos beside."""

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from llmvs.config.schema import HeadConfig
from llmvs.errors import UserError
from llmvs.models.head import Head, step_embeddings
from llmvs.models.positions import sinusoids
from llmvs.models.storage import load_head, save_head

SMALL = HeadConfig(dim=32, feedforward=48, layers=3, heads=2)


def draw(config: HeadConfig = SMALL, input_dim: int = 12, seed: int = 0) -> Head:
    torch.manual_seed(seed)
    head = Head(input_dim, config)
    for (
        parameter
    ) in head.parameters():  # biases and norms away from 0 and 1, so that leaving one out shows
        if parameter.dim() == 1:
            torch.nn.init.uniform_(parameter, 0.2, 1.2)
    return head.eval()


def videos(*lengths: int, dim: int = 12) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(length, dim, generator=generator) for length in lengths]


def pack(rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.cat(rows), torch.tensor([len(row) for row in rows])


def norm(x: NDArray, weight: NDArray, bias: NDArray) -> NDArray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * weight + bias


def recompute(head: Head, steps: NDArray) -> NDArray:
    """The paper's network in numpy, float64, for one video [T, D]."""
    w = {name: value.detach().double().numpy() for name, value in head.state_dict().items()}

    def linear(x: NDArray, name: str) -> NDArray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    x = norm(
        linear(steps.astype(np.float64), "project.0"), w["project.1.weight"], w["project.1.bias"]
    )
    if head.config.positions == "sinusoidal":
        half = head.config.dim // 2
        x += [
            [math.sin(t / 10000 ** (i / half)) for i in range(half)]
            + [math.cos(t / 10000 ** (i / half)) for i in range(half)]
            for t in range(len(x))
        ]
    for i in range(head.config.layers if head.config.aggregator == "feedforward" else 0):
        inner = np.maximum(linear(x, f"encoder.{i}.mlp.0"), 0)
        x = norm(
            x + linear(inner, f"encoder.{i}.mlp.3"),
            w[f"encoder.{i}.norm.weight"],
            w[f"encoder.{i}.norm.bias"],
        )
    for i in range(head.config.layers if head.config.aggregator == "attention" else 0):
        layer = f"encoder.layers.{i}"
        q, k, v = np.split(
            x @ w[f"{layer}.self_attn.in_proj_weight"].T + w[f"{layer}.self_attn.in_proj_bias"],
            3,
            axis=-1,
        )
        mixed = []
        for qh, kh, vh in zip(
            *(np.split(part, head.config.heads, axis=-1) for part in (q, k, v)), strict=True
        ):
            weights = np.exp(qh @ kh.T / np.sqrt(qh.shape[-1]))
            mixed.append(weights / weights.sum(-1, keepdims=True) @ vh)
        attended = linear(np.concatenate(mixed, axis=-1), f"{layer}.self_attn.out_proj")
        x = norm(x + attended, w[f"{layer}.norm1.weight"], w[f"{layer}.norm1.bias"])
        x = norm(
            x + linear(np.maximum(linear(x, f"{layer}.linear1"), 0), f"{layer}.linear2"),
            w[f"{layer}.norm2.weight"],
            w[f"{layer}.norm2.bias"],
        )
    x = np.maximum(norm(linear(x, "score.0"), w["score.1.weight"], w["score.1.bias"]), 0)
    x = np.maximum(linear(x, "score.3"), 0)
    x = np.maximum(norm(linear(x, "score.5"), w["score.6.weight"], w["score.6.bias"]), 0)
    x = np.maximum(linear(x, "score.8"), 0)
    return 1 / (1 + np.exp(-linear(x, "score.10")[:, 0]))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aggregator": "mlp"},
        {"aggregator": "feedforward"},
        {"positions": "sinusoidal"},
        {"layers": 1},
        {"layers": 6, "positions": "sinusoidal"},
    ],
)
@pytest.mark.parametrize("grad", [True, False])
def test_equals_an_independent_recomputation(changes: dict[str, Any], grad: bool) -> None:
    head = draw(HeadConfig(dim=32, feedforward=48, **changes))
    rows = videos(20, 7)
    with torch.set_grad_enabled(grad):
        scores = head(*pack(rows))
    assert scores.shape == (27,)
    assert scores.dtype == torch.float32
    for row, found in zip(rows, scores.detach().split([20, 7]), strict=True):
        np.testing.assert_allclose(found.numpy(), recompute(head, row.numpy()), atol=1e-5)


def test_the_papers_head_has_88_8_million_parameters() -> None:
    with torch.device("meta"):
        head = Head(5120, HeadConfig())
    project = 5120 * 2048 + 2048 + 2 * 2048
    layer = (
        3 * (2048 * 2048 + 2048) + (2048 * 2048 + 2048) + 2 * (2048 * 2048 + 2048) + 2 * 2 * 2048
    )
    score = (
        (2048 * 1024 + 3 * 1024)
        + (1024 * 512 + 512)
        + (512 * 256 + 3 * 256)
        + (256 * 128 + 128)
        + (128 + 1)
    )
    assert sum(parameter.numel() for parameter in head.parameters()) == project + 3 * layer + score
    assert round((project + 3 * layer + score) / 1e6, 1) == 88.8
    widths = [layer.out_features for layer in head.score if isinstance(layer, torch.nn.Linear)]
    assert widths == [1024, 512, 256, 128, 1]
    assert head.encoder is not None
    assert [
        (layer.self_attn.num_heads, layer.linear1.out_features, layer.dropout.p, layer.norm_first)
        for layer in head.encoder.layers
    ] == [(2, 2048, 0.1, False)] * 3


def test_every_matrix_is_xavier_uniform() -> None:
    torch.manual_seed(0)
    for name, matrix in Head(96, HeadConfig(dim=128, feedforward=160)).named_parameters():
        if matrix.dim() == 2 and matrix.numel() > 5000:
            bound = (6 / sum(matrix.shape)) ** 0.5
            assert 0.99 * bound < matrix.abs().max() <= bound, name
            assert matrix.std().item() == pytest.approx(bound / 3**0.5, rel=0.03), name


def padded(head: Head, rows: list[torch.Tensor]) -> list[torch.Tensor]:
    """The same network the usual way: PyTorch's own encoder on padded videos with a mask."""
    mask = torch.arange(max(map(len, rows))) < torch.tensor([len(row) for row in rows])[:, None]
    steps = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=1e3)
    steps = head.project(head.standardize(steps))
    if head.config.positions == "sinusoidal":
        steps = steps + sinusoids(steps.shape[1], head.config.dim)
    if head.config.aggregator == "attention":
        layer = torch.nn.TransformerEncoderLayer(
            head.config.dim, head.config.heads, head.config.feedforward, 0.0, batch_first=True
        )
        encoder = torch.nn.TransformerEncoder(
            layer, head.config.layers, enable_nested_tensor=False
        ).train(head.training)
        weights = dict(head.encoder.named_parameters())
        steps = torch.func.functional_call(
            encoder, weights, (steps,), {"src_key_padding_mask": ~mask}
        )
    elif head.config.aggregator == "feedforward":
        for one in head.encoder.children():
            steps = one(steps)
    scores = head.score(steps).squeeze(-1).sigmoid()
    return list(scores[mask].split([len(row) for row in rows]))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aggregator": "mlp"},
        {"aggregator": "feedforward"},
        {"positions": "sinusoidal"},
        {"standardize": True},
        {"layers": 1, "heads": 4},
    ],
)
def test_packed_videos_have_the_scores_and_gradients_of_padded_ones(
    changes: dict[str, Any],
) -> None:
    head = draw(HeadConfig(**{"dim": 32, "feedforward": 48, "dropout": 0.0, **changes})).train()
    rows, truths = videos(15, 4, 9, 1), videos(15, 4, 9, 1, dim=1)

    def gradients(scores: list[torch.Tensor]) -> torch.Tensor:
        torch.stack(
            [(s - t[:, 0]).square().mean() for s, t in zip(scores, truths, strict=True)]
        ).mean().backward()
        found = torch.cat([p.grad.flatten() for p in head.parameters() if p.grad is not None])
        head.zero_grad()
        return found

    packed, reference = head(*pack(rows)), padded(head, rows)
    torch.testing.assert_close(packed, torch.cat(reference), atol=1e-6, rtol=0)
    found, want = gradients(list(packed.split([15, 4, 9, 1]))), gradients(reference)
    assert (found - want).norm() / want.norm() < 1e-5


@pytest.mark.parametrize(
    "changes", [{}, {"aggregator": "feedforward"}, {"positions": "sinusoidal"}]
)
@pytest.mark.parametrize("grad", [True, False])
def test_the_videos_beside_it_do_not_change_a_score(changes: dict[str, Any], grad: bool) -> None:
    head = draw(HeadConfig(dim=32, feedforward=48, **changes))
    rows = videos(15, 4, 9)
    with torch.set_grad_enabled(grad), warnings.catch_warnings():
        warnings.simplefilter("error")
        together = head(*pack([rows[0], rows[1] * 1e3, rows[2]])).split([15, 4, 9])
        each = [head(*pack([row])) for row in rows]
    for i in (0, 2):
        torch.testing.assert_close(together[i], each[i], atol=1e-6, rtol=0)


def test_steps_see_each_other_only_through_attention() -> None:
    rows = videos(6)
    changed = rows[0].clone()
    changed[5] += 1
    for aggregator, sees in (("attention", True), ("feedforward", False), ("mlp", False)):
        head = draw(HeadConfig(dim=32, feedforward=48, aggregator=aggregator))  # type: ignore[arg-type]
        before, after = head(*pack(rows)), head(*pack([changed]))
        assert bool((before[:5] != after[:5]).any()) == sees


def test_order_of_the_steps_matters_only_with_positions() -> None:
    [row] = videos(8)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))

    def difference(head: Head) -> float:
        with torch.no_grad():
            return float((head(*pack([row[order]])) - head(*pack([row]))[order]).abs().max())

    assert difference(draw()) < 1e-6
    for aggregator in ("attention", "feedforward", "mlp"):
        config = HeadConfig(dim=32, feedforward=48, aggregator=aggregator, positions="sinusoidal")  # type: ignore[arg-type]
        assert difference(draw(config)) > 1e-3


def test_text_and_visual_features_are_each_projected_and_added() -> None:
    [q, a, v] = [*videos(6, 6), *videos(6, dim=5)]
    steps = step_embeddings(q.half(), a.half(), "qav", v.half())
    text = step_embeddings(q.half(), a.half(), "qa")
    assert text.dtype == torch.float16  # the maximum is exact in any
    text = text.float()
    torch.testing.assert_close(steps[:, :12], text)
    torch.testing.assert_close(steps[:, 12:].norm(dim=1), text.norm(dim=1))
    linear = draw(input_dim=17).project[0]
    assert isinstance(linear, torch.nn.Linear)
    parts = text @ linear.weight[:, :12].T + steps[:, 12:] @ linear.weight[:, 12:].T + linear.bias
    torch.testing.assert_close(linear(steps), parts)
    assert step_embeddings(q, a, "qav", torch.zeros(6, 5)).isfinite().all()
    with pytest.raises(
        UserError, match=r"head.inputs=qav: this head reads visual features, and none are given"
    ):
        step_embeddings(q, a, "qav")


def test_the_first_waves_by_hand() -> None:
    waves = sinusoids(3, 4)
    want = [
        [0, 0, 1, 1],
        [math.sin(1), math.sin(0.01), math.cos(1), math.cos(0.01)],
        [math.sin(2), math.sin(0.02), math.cos(2), math.cos(0.02)],
    ]
    torch.testing.assert_close(waves, torch.tensor(want), atol=1e-6, rtol=0)


def test_positions_have_no_weights() -> None:
    plain, placed = draw(), draw(HeadConfig(dim=32, feedforward=48, positions="sinusoidal"))
    assert plain.state_dict().keys() == placed.state_dict().keys()
    assert plain.config.positions == HeadConfig().positions == "none"


def test_a_standardizing_head_is_a_plain_one_after_means_and_deviations(tmp_path: Path) -> None:
    """Oracle: numpy over all steps, then the same network without it. A dimension that never
    changes stays finite.
    """
    shown = [
        torch.cat([3 + 0.1 * rows, torch.full((len(rows), 1), 7.0)], dim=1)
        for rows in videos(5, 9, dim=11)
    ]
    plain = draw()
    head = Head(12, HeadConfig(**{**vars(SMALL), "standardize": True}))
    head.load_state_dict(plain.state_dict(), strict=False)
    head.eval().standardize.fit(shown)
    steps = np.concatenate([rows.double().numpy() for rows in shown])
    deviation = np.append(steps.std(axis=0)[:-1], 1)
    expected = [
        torch.from_numpy((rows.double().numpy() - steps.mean(axis=0)) / deviation).float()
        for rows in shown
    ]
    torch.testing.assert_close(head(*pack(shown)), plain(*pack(expected)), atol=1e-4, rtol=0)
    save_head(tmp_path, head.state_dict(), head.input_dim, head.config)
    assert torch.equal(load_head(tmp_path)(*pack(shown)), head(*pack(shown)))


def test_scores_are_float32_under_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert draw()(*pack(videos(40))).dtype == torch.float32


def test_saved_and_loaded_head_scores_alike(tmp_path: Path) -> None:
    head = draw(HeadConfig(dim=32, feedforward=48, inputs="a"))
    save_head(tmp_path, head.state_dict(), head.input_dim, head.config)
    loaded = load_head(tmp_path)
    assert loaded.config == head.config
    assert torch.equal(loaded(*pack(videos(5))), head(*pack(videos(5))))


def test_a_head_described_before_there_were_positions_loads(tmp_path: Path) -> None:
    head = draw()
    save_head(tmp_path, head.state_dict(), head.input_dim, head.config)
    description = json.loads((tmp_path / "config.json").read_text())
    del description["head"]["positions"]
    (tmp_path / "config.json").write_text(json.dumps(description))
    assert torch.equal(load_head(tmp_path)(*pack(videos(5))), head(*pack(videos(5))))


def test_a_head_whose_files_do_not_belong_together_is_refused(tmp_path: Path) -> None:
    head = draw()
    save_head(tmp_path, head.state_dict(), input_dim=13, config=head.config)
    with pytest.raises(UserError, match=r"are not a trained head.*size mismatch") as caught:
        load_head(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no such file"):
        load_head(tmp_path)
