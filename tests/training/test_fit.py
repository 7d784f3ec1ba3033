"""One training end to end: it learns, it resumes exactly, ranks do not change it, and mistakes end
in one line.
"""

import csv
import math
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy
from safetensors.torch import load_file

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.schema import Config, HeadConfig, OptimConfig
from llmvs.datasets.base import Fold
from llmvs.errors import UserError
from llmvs.evaluation.protocols import protocols
from llmvs.models.batch import Batch, GlobalBatches
from llmvs.models.module import LLMVSModule
from llmvs.models.storage import load_head
from llmvs.training import fit as fitting
from llmvs.training import trainer as making
from llmvs.training.callbacks import AtomicCheckpointIO, EpochProgress, KeepEpochs
from llmvs.training.fit import Fit, fit
from llmvs.training.selection import Selection
from tests.evaluation.toys import BestByRank, register
from tests.toys import FOLD, embed, make_cache, make_config, make_dataset

DATASET = make_dataset()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingCache:
    torch.set_num_threads(1)
    return make_cache(tmp_path_factory.mktemp("cache"), DATASET)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    stored = load_file(folder / "model.safetensors")
    return {name.removeprefix("head."): value for name, value in stored.items()}


def assert_same(found: Path, want: Path) -> None:
    """Weights alike to the bit."""
    a, b = weights(found), weights(want)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def logged(folder: Path) -> str:
    """The table of what was logged."""
    return (folder / "logs" / "metrics.csv").read_text()


def interrupt_at(
    monkeypatch: pytest.MonkeyPatch, epoch: int, error: BaseException | None = None
) -> None:
    """Break down in the middle of an epoch, once."""
    original = LLMVSModule.training_step

    def step(self: LLMVSModule, batch: Any, batch_idx: int) -> torch.Tensor:
        if (self.current_epoch, batch_idx) == (epoch, 1):
            monkeypatch.setattr(LLMVSModule, "training_step", original)
            raise error or RuntimeError("power cut")
        return original(self, batch, batch_idx)

    monkeypatch.setattr(LLMVSModule, "training_step", step)


def interrupted(
    monkeypatch: pytest.MonkeyPatch, epoch: int, config: Config, cache: EmbeddingCache, folder: Path
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(patch, epoch)
        with pytest.raises(RuntimeError, match="power cut"):
            fit(config, DATASET, FOLD, cache, folder)


def test_it_learns_what_the_embeddings_know(
    cache: EmbeddingCache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = fit(
        make_config(optim=OptimConfig(lr=3e-3, epochs=30, batch_videos=3, clip=1.0)),
        DATASET,
        FOLD,
        cache,
        tmp_path,
    )
    losses = [row["train/loss"] for row in found.history]
    assert losses[-1] < losses[0] / 2
    assert found.selected.means["test"]["paper"]["tau"] > 0.25
    assert found.started_at == 0
    assert [
        line
        for line in capsys.readouterr().err.splitlines()
        if line and "toy fold 0 seed 1112" not in line
    ] == []


def test_a_standardizing_head_takes_its_means_from_the_training_videos_alone(
    cache: EmbeddingCache, tmp_path: Path
) -> None:
    fit(
        make_config(head=HeadConfig(dim=32, feedforward=32, standardize=True)),
        DATASET,
        FOLD,
        cache,
        tmp_path,
    )
    steps = torch.cat(
        [
            torch.maximum(found.q, found.a).double()
            for found in (cache.read(key) for key in FOLD.train)
        ]
    )
    head = load_head(tmp_path)
    torch.testing.assert_close(head.standardize.mean.double(), steps.mean(0))
    torch.testing.assert_close(head.standardize.deviation.double(), steps.std(0, correction=0))


def test_what_is_kept_is_what_the_files_say(cache: EmbeddingCache, tmp_path: Path) -> None:
    found = fit(make_config(), DATASET, FOLD, cache, tmp_path)
    assert set(found.epochs) == {"last", "val", "test"}
    assert found.epochs["last"].epoch == 3
    for rule in ("val", "test"):
        taus = [row[f"{rule}/paper/tau"] for row in found.history]
        assert found.epochs[rule].epoch == int(np.argmax(taus))
        assert found.epochs[rule].means[rule]["paper"]["tau"] == pytest.approx(max(taus))
    assert found.selection == Selection("val", ("paper/tau",))
    assert set(found.selected.scores) == {*FOLD.val, *FOLD.test}
    head, named = load_head(tmp_path), protocols(DATASET)
    taus = []
    for key, scores in found.selected.scores.items():
        made, video = embed(DATASET.annotations[key]), DATASET.annotations[key]
        with torch.inference_mode():
            again = head(
                torch.maximum(made.q.float(), made.a.float()), torch.tensor([video.n_steps])
            )
        assert np.array_equal(again.numpy(), scores)
        if key in FOLD.test:
            taus.append(named["paper"].evaluate(scores, video)["tau"])
    assert found.selected.means["test"]["paper"]["tau"] == pytest.approx(np.mean(taus), abs=1e-12)


def test_a_registered_rank_correlation_is_computed_after_every_epoch(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, BestByRank())
    found = fit(make_config(), DATASET, FOLD, cache, tmp_path)
    best = [
        BestByRank().evaluate(scores, DATASET.annotations[key])["importance"]
        for key, scores in found.selected.scores.items()
        if key in FOLD.test
    ]
    assert found.selected.means["test"]["best_by_rank"] == {
        "importance": pytest.approx(np.mean(best))
    }
    assert all("val/best_by_rank/importance" in row for row in found.history)


def test_logs_have_one_row_per_epoch_also_after_a_resume(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(monkeypatch, 2, make_config(), cache, tmp_path)
    found = fit(make_config(), DATASET, FOLD, cache, tmp_path)
    with (tmp_path / "logs" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["epoch"]) for row in rows] == [0, 1, 2, 3]
    for row, kept in zip(rows, found.history, strict=True):
        assert {name: float(value) for name, value in row.items()} == pytest.approx(kept)
    assert set(rows[0]) == {
        "epoch",
        "step",
        "lr",
        "train/loss",
        *(
            f"{part}/{name}"
            for part in ("val", "test")
            for name in ("loss", "paper/tau", "paper/rho", "per_annotator/tau", "per_annotator/rho")
        ),
    }


def test_every_epoch_sees_its_own_order(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = [[], [], [], []]
    original = LLMVSModule.training_step

    def step(self: LLMVSModule, batch: Batch, batch_idx: int) -> torch.Tensor:
        seen[self.current_epoch] += batch.position.tolist()
        return original(self, batch, batch_idx)

    monkeypatch.setattr(LLMVSModule, "training_step", step)
    interrupted(monkeypatch, 2, make_config(), cache, tmp_path)
    seen[2].clear()  # the broken epoch is done again
    fit(make_config(), DATASET, FOLD, cache, tmp_path)
    for epoch, order in enumerate(seen):
        batches = GlobalBatches(len(FOLD.train), 3, seed=1112)
        batches.set_epoch(epoch)
        assert order == [i for share in batches for i in share.which]
    assert len({tuple(order) for order in seen}) > 1


TWO_LOOKS = {"selection_by": ["paper/rho", "paper/tau"], "selection_looks": 2}


def check_logged_looks(folder: Path, looks: list[tuple[int, int, float]], name: str) -> None:
    """The table holds what every look saw; the last of an epoch stands in the epoch's own row."""
    with (folder / "logs" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(float(row["epoch"]), row["look"]) for row in rows] == [
        (epoch, "1.0" if look == 1 else "") for epoch, look, _ in looks
    ]
    assert [float(row["step"]) for row in rows] == sorted({float(row["step"]) for row in rows})
    sign = -1 if name == "test/loss" else 1
    assert [float(row[name]) for row in rows] == pytest.approx(
        [sign * seen for *_, seen in looks], rel=1e-5
    )
    assert all((row["train/loss"] == "") == (row["look"] != "") for row in rows)


@pytest.mark.parametrize("by", ["paper/rho", "loss"])
def test_two_looks_at_an_epoch_keep_what_they_see_and_change_no_training(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    looks: list[tuple[int, int, float]] = []
    original = KeepEpochs._keep

    def keep(
        self: KeepEpochs, trainer: Any, module: LLMVSModule, look: int, weights: Any
    ) -> dict[str, Any]:
        for part in ("val", "test"):
            videos = [DATASET.annotations[key] for key in getattr(FOLD, part)]
            head = module.head.eval()
            losses, values = [], []
            for video in videos:
                made = embed(video)
                steps = torch.maximum(made.q.float(), made.a.float())
                with torch.no_grad():
                    scores = head(steps, torch.tensor([video.n_steps])).numpy()
                losses.append(-np.mean((scores.astype(np.float64) - video.gtscore) ** 2))
                values.append(protocols(DATASET)["paper"].evaluate(scores, video)["rho"])
            if part == "test":
                figure = np.mean(losses if by == "loss" else values)
                looks.append((trainer.current_epoch, look, float(figure)))
        head.train()
        return original(self, trainer, module, look, weights)

    plain = fit(make_config(selection="last"), DATASET, FOLD, cache, tmp_path / "plain")
    monkeypatch.setattr(KeepEpochs, "_keep", keep)
    config = make_config(selection="test", selection_by=[by, "paper/tau"], selection_looks=2)
    found = fit(config, DATASET, FOLD, cache, tmp_path / "looks")
    assert [(epoch, look) for epoch, look, _ in looks] == [(e, k) for e in range(4) for k in (1, 2)]
    best = max(looks, key=lambda one: one[2])
    assert (found.selected.epoch, found.selected.look) == best[:2]
    head = load_head(tmp_path / "looks")
    for key in FOLD.test:
        made, video = embed(DATASET.annotations[key]), DATASET.annotations[key]
        with torch.inference_mode():
            again = head(
                torch.maximum(made.q.float(), made.a.float()), torch.tensor([video.n_steps])
            )
        assert np.array_equal(again.numpy(), found.selected.scores[key])
    assert set(found.epochs) == {
        *("last", "val", "val-by-paper-tau", "test", "test-by-paper-tau"),
    }
    assert found.history == plain.history
    check_logged_looks(tmp_path / "looks", looks, f"test/{by}")
    np.testing.assert_equal(found.epochs["last"].scores, plain.epochs["last"].scores)


@pytest.mark.parametrize(
    "choice", [{"selection": "val"}, {"selection": "last"}, {"selection": "test", **TWO_LOOKS}]
)
def test_resume_after_any_epoch_gives_the_same_bits(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: dict[str, Any]
) -> None:
    config = make_config(**choice)
    whole = fit(config, DATASET, FOLD, cache, tmp_path / "whole")
    for epoch in (0, 1, 2, 3):
        folder = tmp_path / str(epoch)
        interrupted(monkeypatch, epoch, config, cache, folder)
        found = fit(config, DATASET, FOLD, cache, folder)
        assert found.started_at == epoch
        assert_same(folder, tmp_path / "whole")
        assert found.history == whole.history
        assert logged(folder) == logged(tmp_path / "whole")
        np.testing.assert_equal(asdict(found)["epochs"], asdict(whole)["epochs"])


def test_a_finished_training_is_not_repeated(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fit(make_config(), DATASET, FOLD, cache, tmp_path)
    monkeypatch.setattr(fitting, "_train", None)
    again = fit(make_config(), DATASET, FOLD, cache, tmp_path)
    assert again.started_at == 4
    np.testing.assert_equal(asdict(again)["epochs"], asdict(first)["epochs"])


def test_resume_false_starts_over(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(make_config(), DATASET, FOLD, cache, tmp_path)
    assert fit(make_config(resume=False, seed=7), DATASET, FOLD, cache, tmp_path).started_at == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"head": HeadConfig(dim=32, feedforward=32, layers=1)}, r"head.dim=64 \(expected 32\)"),
        (
            {"optim": OptimConfig(lr=3e-3, epochs=9, batch_videos=3, clip=1.0)},
            r"optim.epochs=4 \(expected 9\)",
        ),
        ({"seed": 2}, r"seed=1112 \(expected 2\)"),
        ({"selection": "test"}, r"selection=val \(expected test\)"),
        ({"selection_looks": 2}, r"selection_looks=1 \(expected 2\)"),
        ({"selection_by": ["loss"]}, r"selection_by=paper/tau \(expected loss\)"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(
    cache: EmbeddingCache, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    fit(make_config(), DATASET, FOLD, cache, tmp_path)
    with pytest.raises(
        UserError, match=rf"last.ckpt: .*{says}: start over with resume=false"
    ) as caught:
        fit(make_config(**changes), DATASET, FOLD, cache, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_fold_or_a_damaged_one_is_refused(
    cache: EmbeddingCache, tmp_path: Path
) -> None:
    fit(make_config(), DATASET, FOLD, cache, tmp_path)
    with pytest.raises(UserError, match="other val videos; other test videos"):
        fit(
            make_config(), DATASET, replace(FOLD, val=FOLD.test[:1], test=FOLD.val), cache, tmp_path
        )
    whole = (tmp_path / "last.ckpt").read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"something else"):
        (tmp_path / "last.ckpt").write_bytes(broken)
        with pytest.raises(
            UserError,
            match=r"last.ckpt: not a checkpoint of this training, or damaged .*: delete it",
        ) as caught:
            fit(make_config(), DATASET, FOLD, cache, tmp_path)
        assert "\n" not in str(caught.value)


def test_a_flipped_bit_of_a_checkpoint_is_never_trained_on(
    cache: EmbeddingCache, tmp_path: Path
) -> None:
    fit(make_config(), DATASET, FOLD, cache, tmp_path)
    path = tmp_path / "last.ckpt"
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:  # the middle of every tensor, which torch takes as it is
        sizes = [(one.header_offset, one.file_size) for one in archive.infolist() if one.file_size]
    tried = 0
    for offset, size in sizes[:: max(1, len(sizes) // 12)]:
        name_length = int.from_bytes(whole[offset + 26 : offset + 28], "little")
        extra = int.from_bytes(whole[offset + 28 : offset + 30], "little")
        damaged = bytearray(whole)
        damaged[offset + 30 + name_length + extra + size // 2] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"last.ckpt: .*damaged .*: delete it"):
            fit(make_config(), DATASET, FOLD, cache, tmp_path)
        tried += 1
    assert tried > 8
    path.write_bytes(whole)
    assert fit(make_config(), DATASET, FOLD, cache, tmp_path).started_at > 0


def test_evaluation_does_not_change_the_training(cache: EmbeddingCache, tmp_path: Path) -> None:
    config = make_config(selection="last")
    fit(config, DATASET, FOLD, cache, tmp_path / "evaluated")
    fit(config, DATASET, replace(FOLD, val=(), test=FOLD.test[:1]), cache, tmp_path / "hardly")
    assert_same(tmp_path / "evaluated", tmp_path / "hardly")


def test_without_held_out_videos_val_cannot_choose(cache: EmbeddingCache, tmp_path: Path) -> None:
    fold = Fold(0, FOLD.train, (), FOLD.test)
    with pytest.raises(UserError, match="selection=val: fold 0 of toy holds no videos out"):
        fit(make_config(), DATASET, fold, cache, tmp_path)
    assert set(fit(make_config(selection="last"), DATASET, fold, cache, tmp_path).epochs) == {
        "last",
        "test",
    }


def test_the_last_checkpoint_has_no_optimizer_state_and_earlier_ones_have(
    cache: EmbeddingCache, tmp_path: Path
) -> None:
    seen: list[int] = []
    original = AtomicCheckpointIO.save_checkpoint

    def save(
        self: AtomicCheckpointIO,
        checkpoint: dict[str, Any],
        path: Path,
        storage_options: Any = None,
    ) -> None:
        seen.append(len(checkpoint["optimizer_states"]))
        original(self, checkpoint, path)

    config = make_config()
    config = replace(config, log=replace(config.log, checkpoint_seconds=0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AtomicCheckpointIO, "save_checkpoint", save)
        found = fit(config, DATASET, FOLD, cache, tmp_path)
    assert seen == [1] * (config.optim.epochs - 1) + [0]
    again = fit(config, DATASET, FOLD, cache, tmp_path)  # reads what the first has left
    assert again.started_at == config.optim.epochs
    assert again.selected.means == found.selected.means


def test_the_cosine_climbs_back_past_t_max(cache: EmbeddingCache, tmp_path: Path) -> None:
    optim = OptimConfig(lr=1e-3, min_lr=1e-5, epochs=7, t_max=3, batch_videos=3)
    found = fit(make_config(optim=optim), DATASET, FOLD, cache, tmp_path)
    want = [1e-5 + (1e-3 - 1e-5) * (1 + math.cos(math.pi * epoch / 3)) / 2 for epoch in range(7)]
    assert [row["lr"] for row in found.history] == pytest.approx(want)
    assert want[6] == pytest.approx(1e-3)


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "at the epoch's end"])
def test_a_training_that_breaks_down_names_epoch_and_video(
    waits: bool, cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LLMVSModule, "waits_for_looks", lambda self, values: waits)
    where = r"became NaN or infinite in epoch 0, optimizer step 1, at"
    with pytest.raises(
        UserError, match=rf"^the loss {where} video_\d \(clip \d\): lower optim.lr=1e\+38"
    ):
        fit(
            make_config(optim=OptimConfig(lr=1e38, epochs=4, batch_videos=4)),
            DATASET,
            FOLD,
            cache,
            tmp_path,
        )
    optim = OptimConfig(lr=1e38, epochs=4, batch_videos=5)
    with pytest.raises(
        UserError, match=rf"^the score {where} video_5 \(clip 5\): lower optim"
    ) as caught:
        fit(make_config(optim=optim), DATASET, FOLD, cache, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("resumed", [False, True])
def test_a_training_that_breaks_down_later_leaves_its_last_good_weights(
    cache: EmbeddingCache, tmp_path: Path, resumed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, original = tmp_path / "broken", LLMVSModule.losses
    fit(
        make_config(
            optim=OptimConfig(lr=3e-3, epochs=2, t_max=4, batch_videos=3, clip=1.0),
            selection="last",
        ),
        DATASET,
        FOLD,
        cache,
        tmp_path / "whole",
    )
    config = make_config(optim=OptimConfig(lr=3e-3, epochs=4, t_max=4, batch_videos=3, clip=1.0))
    if resumed:
        interrupted(monkeypatch, 2, config, cache, folder)

    def losses(self: LLMVSModule, batch: Batch) -> torch.Tensor:
        return original(self, batch) * (math.inf if self.global_step == 5 else 1)

    monkeypatch.setattr(LLMVSModule, "losses", losses)
    with pytest.raises(
        UserError,
        match=r"in epoch 2, optimizer step 5, at video_\d .*; the weights after epoch 1, the",
    ) as caught:
        fit(config, DATASET, FOLD, cache, folder)
    assert str(caught.value).endswith(f"are in {folder}")
    assert_same(folder, tmp_path / "whole")


def test_ctrl_c_keeps_the_checkpoint_and_stays_usable(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            fit(make_config(), DATASET, FOLD, cache, tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert fit(make_config(), DATASET, FOLD, cache, tmp_path).started_at == 2


def test_constant_scores_are_reported_and_not_averaged_away(
    cache: EmbeddingCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        "llmvs.models.head.Head.forward",
        lambda self, steps, lengths: self.score[-1].bias.sigmoid().expand(len(steps)),
    )
    found = fit(make_config(), DATASET, FOLD, cache, tmp_path)
    assert math.isnan(found.selected.means["test"]["paper"]["tau"])
    assert found.selected.undefined["test"]["paper"] == list(FOLD.test)
    assert found.selected.epoch == 0
    assert (
        "selection=val: paper tau is undefined in every epoch, because the scores of video_5, video_6 are"
        " constant; epoch 0 is kept\n" in capsys.readouterr().err
    )


def two_ranks_by_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork instead of spawn: the ranks need not import everything again. One thread, because OpenMP
    does not survive a fork.
    """
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(
        making,
        "strategy",
        lambda config: DDPStrategy(start_method="fork") if config.devices > 1 else "auto",
    )


def assert_ranks_agree(one: Fit, two: Fit, folder: Path) -> None:
    for row, shared in zip(one.history, two.history, strict=True):
        assert shared == pytest.approx(row, rel=1e-4, abs=1e-5)
    for name, value in weights(folder / "one").items():
        if name.endswith("in_proj_bias"):
            value[64:128] = weights(folder / "two")[name][
                64:128
            ]  # keys' biases have no gradient but rounding, which Adam blows up
        torch.testing.assert_close(weights(folder / "two")[name], value, rtol=1e-4, atol=1e-5)
    for key, scores in one.selected.scores.items():
        np.testing.assert_allclose(two.selected.scores[key], scores, atol=1e-5)


# 5 videos: shares of 2 + 1, or of 2 + 2 and a rank without a video
@pytest.mark.parametrize(("batch_videos", "ranking"), [(3, 0.0), (4, 0.0), (4, 0.5)])
def test_two_ranks_train_and_score_like_one(
    cache: EmbeddingCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    batch_videos: int,
    ranking: float,
) -> None:
    two_ranks_by_fork(monkeypatch)
    original = EpochProgress.on_train_start

    def count_ranks(self: EpochProgress, trainer: Any, pl_module: Any) -> None:
        original(self, trainer, pl_module)
        (tmp_path / f"rank {trainer.global_rank} of {torch.distributed.get_world_size()}").touch()

    head = HeadConfig(
        dim=64, feedforward=32, layers=1, dropout=0.0
    )  # each rank draws its own dropout
    optim = OptimConfig(lr=1e-3, epochs=3, batch_videos=batch_videos, clip=1.0, ranking=ranking)
    config = make_config(head=head, selection="last", optim=optim)
    one = fit(config, DATASET, FOLD, cache, tmp_path / "one")
    monkeypatch.setattr(EpochProgress, "on_train_start", count_ranks)
    two = fit(replace(config, devices=2), DATASET, FOLD, cache, tmp_path / "two")
    assert sorted(path.name for path in tmp_path.glob("rank*")) == ["rank 0 of 2", "rank 1 of 2"]
    assert_ranks_agree(one, two, tmp_path)


def test_a_mistake_on_another_rank_is_still_one_line(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_ranks_by_fork(monkeypatch)
    with pytest.raises(UserError, match=r"^the loss became NaN or infinite in epoch 0") as caught:
        fit(
            make_config(devices=2, optim=OptimConfig(lr=1e38, epochs=4, batch_videos=4)),
            DATASET,
            FOLD,
            cache,
            tmp_path,
        )
    assert "\n" not in str(caught.value)


def test_scores_are_ranked_in_fp32_under_bf16(cache: EmbeddingCache, tmp_path: Path) -> None:
    found = fit(
        make_config(precision="bf16-mixed", selection="last"), DATASET, FOLD, cache, tmp_path
    )
    head = load_head(tmp_path)
    for key, scores in found.selected.scores.items():
        made = embed(DATASET.annotations[key])
        with torch.inference_mode():
            again = head(torch.maximum(made.q.float(), made.a.float()), torch.tensor([len(scores)]))
        assert np.array_equal(again.numpy(), scores)


def test_fp16_on_a_cpu_trains_in_fp32_and_says_so(
    cache: EmbeddingCache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(make_config(precision="16-mixed"), DATASET, FOLD, cache, tmp_path / "16")
    assert (
        "precision=16-mixed needs a GPU: training in 32-true on this CPU\n"
        in capsys.readouterr().err
    )
    fit(make_config(), DATASET, FOLD, cache, tmp_path / "32")
    assert_same(tmp_path / "16", tmp_path / "32")


@pytest.mark.parametrize("changes", [{"accelerator": "abacus"}, {"accelerator": "tpu"}])
def test_hardware_that_is_not_there_is_one_line(
    cache: EmbeddingCache, tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(
        UserError, match=f"^accelerator={changes['accelerator']} devices=1"
    ) as caught:
        fit(make_config(**changes), DATASET, FOLD, cache, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_one_line(cache: EmbeddingCache, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        fit(make_config(), DATASET, FOLD, cache, tmp_path / "file")


@pytest.mark.slow
@pytest.mark.parametrize("choice", [{"selection": "last"}, {"selection": "test", **TWO_LOOKS}])
def test_two_spawned_ranks_train_and_score_like_one(
    cache: EmbeddingCache, tmp_path: Path, choice: dict[str, Any]
) -> None:
    config = make_config(head=HeadConfig(dim=64, feedforward=32, layers=1, dropout=0.0), **choice)
    one = fit(config, DATASET, FOLD, cache, tmp_path / "one")
    assert_ranks_agree(
        one, fit(replace(config, devices=2), DATASET, FOLD, cache, tmp_path / "two"), tmp_path
    )


SCRIPT = """
import sys
from pathlib import Path
from llmvs.config.schema import OptimConfig
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.training.fit import fit
from tests.toys import FOLD, make_config, make_dataset
config = make_config(optim=OptimConfig(lr=3e-3, epochs=60, batch_videos=3, clip=1.0))
fit(config, make_dataset(), FOLD, EmbeddingCache(Path(sys.argv[1])), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_kill_9_and_resume_gives_the_same_bits(cache: EmbeddingCache, tmp_path: Path) -> None:
    def start(folder: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(cache.folder), str(folder)],
            cwd=Path(__file__).parents[2],
        )

    assert start(tmp_path / "whole").wait() == 0
    kills = 0
    for delay in (0.0, 0.35, 0.9):
        folder = tmp_path / "killed"
        process = start(folder)
        written = folder / "last.ckpt"
        before = written.stat().st_mtime_ns if written.exists() else 0
        while process.poll() is None and not (
            written.exists() and written.stat().st_mtime_ns > before
        ):
            time.sleep(0.01)
        time.sleep(delay)
        kills += process.poll() is None
        process.kill()
        process.wait()
    assert kills >= 2
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    assert start(tmp_path / "killed").wait() == 0
    assert_same(tmp_path / "killed", tmp_path / "whole")
    shutil.rmtree(tmp_path)
