"""A GPU that runs out of memory in training goes on with smaller parts of a batch, and with the same
gradients. It is played by a head that refuses more than so many videos at once.
"""

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor

from llmvs import EmbeddingDataModule, LLMVSModule
from llmvs.errors import UserError
from llmvs.models.batch import Batch
from llmvs.models.in_parts import InParts
from tests.toys import FOLD, WIDTH, assert_same_weights, make_cache, make_dataset, quiet_trainer

DATASET = make_dataset()
HEAD = {"dim": 32, "feedforward": 32, "layers": 1, "dropout": 0.0}
OPTIM = {"lr": 3e-3, "epochs": 3, "clip": 0.5, "batch_videos": 5}


class OnSmallGpu(LLMVSModule):
    """A head on a GPU with room for so many videos; where it says so: in the forward pass, or in
    the backward pass.
    """

    room, where, only_rank = 100, "forward", -1

    @staticmethod
    def may_run_out(values: Tensor) -> bool:
        return True

    def losses(self, batch: Batch) -> Tensor:
        losses = super().losses(batch)
        if len(batch.keys) <= self.room or self.only_rank not in (-1, self.global_rank):
            return losses
        if self.where == "forward":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        losses.register_hook(_run_out)
        return losses


def _run_out(gradient: Tensor) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cache(tmp_path_factory.mktemp("cache"), DATASET).folder


def small_gpu(room: int, where: str = "forward", only_rank: int = -1) -> OnSmallGpu:
    module = OnSmallGpu(WIDTH, HEAD, OPTIM, seed=1)
    module.room, module.where, module.only_rank = room, where, only_rank
    return module


def trained(
    module: LLMVSModule, folder: Path, place: Path, batch_videos: int = 5, **settings: Any
) -> dict[str, Tensor]:
    """The weights after two epochs."""
    trainer = quiet_trainer(place, **settings)
    trainer.fit(module, EmbeddingDataModule(DATASET, FOLD, folder, batch_videos=batch_videos))
    module.figures = {n: float(v) for n, v in trainer.callback_metrics.items()}  # type: ignore[assignment]
    return {name: value.clone() for name, value in module.trained().items()}


def test_where_the_memory_suffices_the_weights_are_those_of_a_backward_pass(
    folder: Path, tmp_path: Path
) -> None:
    want = trained(LLMVSModule(WIDTH, HEAD, OPTIM, seed=1), folder, tmp_path)
    found = trained(small_gpu(100), folder, tmp_path)
    assert all(torch.equal(value, found[name]) for name, value in want.items())


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize(("room", "parts"), [(4, 2), (2, 4), (1, 8)])
def test_a_step_is_done_again_in_parts_with_the_same_result(
    room: int, parts: int, where: str, folder: Path, tmp_path: Path, caplog: Any
) -> None:
    clip: dict[str, Any] = {"gradient_clip_val": 0.5}
    plain = LLMVSModule(WIDTH, HEAD, OPTIM, seed=1)
    want = trained(plain, folder, tmp_path, **clip)
    module = small_gpu(room, where)
    with caplog.at_level(logging.WARNING, "llmvs"):
        found = trained(module, folder, tmp_path, **clip)
    assert_same_weights(found, want)
    assert module.figures == pytest.approx(plain.figures, rel=1e-3, abs=1e-4)  # type: ignore[operator]
    lines = [record.getMessage() for record in caplog.records if "out of memory" in record.msg]
    assert len(lines) == 1
    assert f"in {parts} parts" in lines[0]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_with_accumulated_batches_and_16_bit(precision: str, folder: Path, tmp_path: Path) -> None:
    def settings() -> dict[str, Any]:
        if precision == "32-true":
            return {"gradient_clip_val": 0.5, "accumulate_grad_batches": 3}
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12) if "bf" not in precision else None
        plugin = MixedPrecision(precision, "cpu", scaler)  # type: ignore[arg-type]
        return {"plugins": [plugin], "accumulate_grad_batches": 3, "gradient_clip_val": 0.5}

    want = trained(LLMVSModule(WIDTH, HEAD, OPTIM, seed=1), folder, tmp_path, 2, **settings())
    whole = trained(small_gpu(100), folder, tmp_path, 2, **settings())
    assert all(torch.equal(value, whole[name]) for name, value in want.items())
    parted = trained(small_gpu(1), folder, tmp_path, 2, **settings())
    norm = torch.cat([value.flatten() for value in want.values()]).norm()
    apart = torch.cat([(parted[name] - value).flatten() for name, value in want.items()]).norm()
    assert apart / norm < (1e-4 if precision == "32-true" else 1e-2)


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_a_rank_that_runs_out_keeps_no_other_waiting(
    where: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    plain = LLMVSModule(WIDTH, HEAD, OPTIM, seed=1)
    trained(plain, folder, tmp_path)
    module = small_gpu(1, where, only_rank=1)
    trained(module, folder, tmp_path, devices=2, strategy="ddp_fork")
    found = {name: module.figures[name] for name in plain.figures}  # type: ignore[operator, index, union-attr]
    assert found == pytest.approx(plain.figures, rel=1e-3, abs=1e-4)


def test_a_video_that_does_not_fit_alone_is_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        trained(small_gpu(0), folder, tmp_path)
    line = str(caught.value)
    key = line.split(" ")[0]
    assert line.startswith(f"{key} ({DATASET.annotations[key].name}), ")
    assert f"{DATASET.annotations[key].n_steps} steps: the GPU is out of memory" in line
    assert "precision=bf16-mixed" in line
    assert "\n" not in line


def test_another_error_is_not_taken_for_want_of_memory(folder: Path, tmp_path: Path) -> None:
    class Broken(OnSmallGpu):
        def losses(self, batch: Batch) -> Tensor:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes cannot"):
        trained(Broken(WIDTH, HEAD, OPTIM, seed=1), folder, tmp_path)


def test_a_failed_attempt_holds_no_memory() -> None:
    """What a GPU has computed before it runs out must be free for the next attempt."""
    import weakref

    alive: list[Any] = []
    weight = torch.nn.Parameter(torch.ones(3))

    def losses(batch: Batch) -> Tensor:
        assert all(one() is None for one in alive)
        hidden = batch.steps * weight
        if len(batch.keys) > 1:
            alive.append(weakref.ref(hidden))
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return hidden.sum().square()[None]

    lengths = torch.tensor([2, 1, 3])
    batch = Batch(
        torch.arange(18.0).view(6, 3),
        lengths,
        torch.zeros(6),
        torch.arange(3),
        torch.tensor([1.0, 2.0, 3.0]),
        3,
        ["a", "b", "c"],
        ["a", "b", "c"],
    )
    in_parts = InParts()
    found, [gradient] = in_parts.differentiate(batch, losses, [weight], torch.tensor(2.0))
    sums = torch.stack([video.sum() for video in batch.steps.split(lengths.tolist())])
    assert found.tolist() == sums.square().tolist()
    inner = torch.stack([video.sum(dim=0) for video in batch.steps.split(lengths.tolist())])
    want = 2 * (batch.weight * 2 * sums) @ inner
    assert gradient is not None
    torch.testing.assert_close(gradient, want)
    assert in_parts.parts == 4
    assert alive


def test_a_batch_is_cut_between_videos() -> None:
    lengths = torch.tensor([2, 1, 3])
    steps = torch.arange(6.0)[:, None]
    names = ["a", "b", "c"]
    batch = Batch(steps, lengths, steps[:, 0], torch.arange(3), lengths / 6, 5, names, names)
    for count, want in ((1, [names]), (2, [["a"], ["b", "c"]]), (8, [["a"], ["b"], ["c"]])):
        parts = batch.parts(count)
        assert [part.keys for part in parts] == want
        assert torch.equal(torch.cat([part.steps for part in parts]), steps)
        assert all(len(part.steps) == int(part.lengths.sum()) for part in parts)
        assert all(part.n_videos == 5 for part in parts)
