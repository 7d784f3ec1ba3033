"""Batches: what is in them, who gets which videos, and what is refused."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llmvs.cache.captions import CaptionCache, Captions
from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.datasets.base import Dataset, Fold
from llmvs.datasets.splits import fold
from llmvs.errors import UserError
from llmvs.models.batch import Batch, GlobalBatches, OneByOne
from llmvs.models.datamodule import EmbeddingDataModule
from tests.toys import FOLD, WIDTH, embed, make_cache, make_dataset, make_visual_cache, visual

DATASET = make_dataset()


def make_data(tmp_path: Path, fold: Fold = FOLD, **settings: Any) -> EmbeddingDataModule:
    cache = (
        make_cache(tmp_path, DATASET)
        if not tmp_path.joinpath("fingerprint.json").exists()
        else EmbeddingCache(tmp_path)
    )
    return EmbeddingDataModule(DATASET, fold, cache, batch_videos=3, **settings)


def test_a_batch_is_packed_and_in_order(tmp_path: Path) -> None:
    data = make_data(tmp_path)
    data.setup()
    for batch in data.train_dataloader():
        assert isinstance(batch, Batch)
        assert batch.steps.dtype == batch.gtscore.dtype == torch.float32
        videos = [DATASET.annotations[FOLD.train[position]] for position in batch.position.tolist()]
        assert batch.lengths.tolist() == [video.n_steps for video in videos]
        assert batch.keys == [video.key for video in videos]
        assert batch.names == [video.name for video in videos]
        made = [embed(video) for video in videos]
        want = torch.cat([torch.maximum(one.q.float(), one.a.float()) for one in made])
        assert torch.equal(batch.steps, want)
        truths = torch.cat([torch.from_numpy(video.gtscore) for video in videos])
        assert torch.equal(batch.gtscore, truths)


@pytest.mark.parametrize("inputs", ["q", "a"])
def test_one_of_the_two_inputs_alone(tmp_path: Path, inputs: str) -> None:
    data = make_data(tmp_path, inputs=inputs)
    data.setup()
    batch = next(iter(data.test_dataloader()))
    assert torch.equal(batch.steps, getattr(embed(DATASET.annotations["video_7"]), inputs).float())


@pytest.mark.parametrize("inputs", ["v", "qav"])
def test_visual_features_come_from_the_captions_beside_the_embeddings(
    tmp_path: Path, inputs: Any
) -> None:
    data = EmbeddingDataModule(DATASET, FOLD, make_visual_cache(tmp_path, DATASET), inputs=inputs)
    data.setup()
    for video, found in zip(data.videos["test"], data.parts["test"].embeddings, strict=True):
        made, v = embed(video), visual(video).float()
        text = torch.maximum(made.q, made.a).float()
        want = (
            v
            if inputs == "v"
            else torch.cat([text, v / v.norm(dim=1)[:, None] * text.norm(dim=1)[:, None]], dim=1)
        )
        torch.testing.assert_close(found, want)
    assert data.input_dim == {"v": 5, "qav": WIDTH + 5}[inputs]


def test_visual_features_that_are_missing_or_of_other_frames_are_one_line(tmp_path: Path) -> None:
    def fails(cache: EmbeddingCache, says: str) -> None:
        with pytest.raises(UserError, match=says) as caught:
            EmbeddingDataModule(DATASET, FOLD, cache, inputs="qav").setup()
        assert "\n" not in str(caught.value)

    fails(
        make_cache(tmp_path / "text", DATASET),
        "video_0: no visual features beside .*text: extract from the video files .*inputs=qa",
    )
    cache = make_visual_cache(tmp_path, DATASET)
    captions = CaptionCache(tmp_path / "captions-toy", {"captioner": "toy"})
    video = DATASET.annotations["video_3"]
    said = captions.read("video_3")
    captions.write("video_3", said, torch.full((video.n_steps, 5), torch.nan), source="")
    fails(cache, "video_3: its visual features in .* hold NaN")
    captions.write("video_3", said, torch.empty(video.n_steps, 0), source="")
    fails(cache, "captions-toy: this captioner left no visual features")
    captions.write(
        "video_3", Captions(said.frames, ["a cat"] * len(said.frames)), visual(video), source=""
    )
    fails(
        cache,
        "video_3.safetensors: made from other captions than those in .*video_3.jsonl: extract"
        " again",
    )
    captions.path("video_3").unlink()
    fails(cache, "video_3: no visual features beside")


def epoch_of(
    epoch: int, world_size: int = 1, n: int = 11, size: int = 4, seed: int = 0
) -> list[list[Any]]:
    ranks = [GlobalBatches(n, size, seed, rank, world_size) for rank in range(world_size)]
    for shares in ranks:
        shares.set_epoch(epoch)
        assert len(shares) == len(list(shares)) == -(-n // size)
    return [list(step) for step in zip(*ranks, strict=True)]


def test_an_epoch_holds_every_video_once_shuffled_by_seed_and_epoch() -> None:
    orders = [
        [i for [share] in epoch_of(epoch, seed=seed) for i in share.which]
        for seed in (0, 1)
        for epoch in (0, 1)
    ]
    assert all(sorted(order) == list(range(11)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert orders[0] == [i for [share] in epoch_of(0) for i in share.which]


@pytest.mark.parametrize("world_size", [2, 3, 5, 16])
def test_every_rank_count_shares_the_same_global_batches(world_size: int) -> None:
    for alone, shared in zip(epoch_of(3), epoch_of(3, world_size), strict=True):
        real = [
            (i, weight)
            for share in shared
            for i, weight in zip(share.which, share.weight, strict=True)
            if weight
        ]
        assert sorted(i for i, _ in real) == sorted(alone[0].which)
        assert {share.n_videos for share in shared} == {len(alone[0].which)}
        # DDP averages over ranks: the weights must then be those of the mean over the global batch.
        assert [weight / world_size for _, weight in real] == pytest.approx(
            [1 / len(alone[0].which)] * len(real)
        )
        assert all(share.which for share in shared)


@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
def test_evaluation_covers_every_video_and_keeps_ranks_in_step(world_size: int) -> None:
    ranks = [[share.which for share in OneByOne(5, rank, world_size)] for rank in range(world_size)]
    assert {len(rank) for rank in ranks} == {-(-5 // world_size)}
    assert {i for rank in ranks for which in rank for i in which} == set(range(5))
    assert all(len(which) == 1 for rank in ranks for which in rank)


def test_evaluated_parts_follow_the_fold(tmp_path: Path) -> None:
    data = make_data(tmp_path)
    data.setup()
    assert data.evaluated == ["val", "test"]
    assert [
        [DATASET.annotations[key].n_steps for key in keys] for keys in (FOLD.val, FOLD.test)
    ] == [[int(batch.lengths.sum()) for batch in loader] for loader in data.val_dataloader()]
    without = make_data(tmp_path, replace(FOLD, val=()))
    without.setup()
    assert without.evaluated == ["test"]


def test_reading_batches_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    data = make_data(tmp_path)
    data.setup()
    before = torch.get_rng_state()
    for loader in (data.train_dataloader(), *data.val_dataloader(), data.test_dataloader()):
        list(loader)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_video_to_learn_from_is_used_as_far_as_it_goes(
    tmp_path: Path, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_data(tmp_path)
    key = getattr(FOLD, part)[1]
    data.cache.write(key, embed(DATASET.annotations[key], steps=4))
    data.setup()
    assert data.videos[part][1].n_steps == len(data.parts[part].embeddings[1]) == 4
    assert capsys.readouterr().err.count(f"{key} (clip") == 1


def test_a_test_video_cut_short_is_refused_unless_asked(tmp_path: Path) -> None:
    make_data(tmp_path).cache.write("video_8", embed(DATASET.annotations["video_8"], steps=5))
    with pytest.raises(
        UserError,
        match=r"video_8 \(clip 8\): embeddings end after 5 of \d+ steps: .*data.incomplete=trim",
    ):
        make_data(tmp_path).setup()
    data = make_data(tmp_path, incomplete="trim")
    data.setup()
    video = data.videos["test"][1]
    assert (video.key, video.n_steps, video.n_frames) == ("video_8", 5, 75)
    assert video.user_scores is not None
    assert video.user_scores.shape[1] == 75


def test_other_steps_than_the_annotated_ones_are_refused(tmp_path: Path) -> None:
    data, video = make_data(tmp_path), DATASET.annotations["video_2"]
    good = embed(video)
    longer = Embeddings(
        torch.cat([good.q, good.q]),
        torch.cat([good.a, good.a]),
        torch.arange(2 * video.n_steps) * 15,
    )
    shifted = Embeddings(
        good.q, good.a, torch.from_numpy(np.concatenate([video.picks[:3], video.picks[3:] + 1]))
    )
    for wrong, step in ((longer, video.n_steps), (shifted, 3)):
        data.cache.write(video.key, wrong)
        with pytest.raises(
            UserError,
            match=(
                rf"video_2.safetensors: holds .* of video_2 \(clip 2\) \(they part at step {step}\)"
            ),
        ):
            data.setup()


def test_missing_mixed_and_empty_are_refused_in_one_line(tmp_path: Path) -> None:
    data = make_data(tmp_path)
    data.cache.path("video_3").unlink()
    with pytest.raises(UserError, match="no embeddings of video_3") as caught:
        data.setup()
    assert "\n" not in str(caught.value)
    data.cache.write("video_3", embed(DATASET.annotations["video_3"], width=20))
    with pytest.raises(UserError, match="embeddings of width 20, but those of video_0 have 12"):
        data.setup()
    with pytest.raises(UserError, match="fold 0 of toy has no test videos"):
        make_data(tmp_path, Fold(0, FOLD.train[:2], (), ())).setup()


def test_a_checkpoint_of_other_videos_or_embeddings_is_refused(tmp_path: Path) -> None:
    data = make_data(tmp_path)
    data.setup()
    state = data.state_dict()
    data.load_state_dict(state)
    with pytest.raises(
        UserError, match="trained with other val videos: start over with resume=false"
    ):
        data.load_state_dict({**state, "videos": {**state["videos"], "val": ["video_6"]}})
    with pytest.raises(UserError, match="scorer=other"):
        data.load_state_dict({**state, "identity": {"scorer": "other"}})


@pytest.mark.parametrize(
    ("stage", "parts"),
    [
        ("fit", ["train", "val", "test"]),
        ("validate", ["val", "test"]),
        ("test", ["test"]),
        ("predict", ["test"]),
    ],
)
def test_a_stage_reads_the_videos_that_it_needs(
    tmp_path: Path, stage: str, parts: list[str]
) -> None:
    data = make_data(tmp_path)
    for part in {"train", "val", "test"} - set(parts):
        for key in getattr(FOLD, part):
            data.cache.path(key).unlink()
    data.setup(stage)
    assert list(data.parts) == parts
    if stage != "fit":
        with pytest.raises(UserError, match="no embeddings of video_0"):
            data.setup("fit")


def test_what_is_loaded_is_kept_for_the_next_stage(tmp_path: Path) -> None:
    data = make_data(tmp_path)
    data.setup("test")
    part = data.parts["test"]
    data.setup("fit")
    assert list(data.parts) == ["train", "val", "test"]
    assert data.parts["test"] is part


def test_a_folder_and_a_number_are_enough(tmp_path: Path, tvsum: Dataset) -> None:
    make_cache(tmp_path, DATASET)
    data = EmbeddingDataModule(DATASET, FOLD, str(tmp_path))
    data.setup()
    assert data.input_dim == WIDTH
    assert EmbeddingDataModule(tvsum, 2, None).fold == fold(tvsum, "paper", 2, 0.2)
    with pytest.raises(UserError, match=r"nothing.fingerprint.json"):
        EmbeddingDataModule(DATASET, FOLD, tmp_path / "nothing")


def batches(data: EmbeddingDataModule) -> list[Batch]:
    """All batches of an epoch, those of training first."""
    data.setup()
    return [
        batch
        for loader in [data.train_dataloader(), *data.val_dataloader()]
        for batch in list(loader)
    ]


@pytest.mark.parametrize("memory_gb", [0.0, 1.5e-6, 1.0])
def test_what_does_not_fit_is_read_when_it_is_asked_for(
    memory_gb: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    want = batches(make_data(tmp_path))
    read: list[str] = []
    original = EmbeddingCache.read

    def note(cache: EmbeddingCache, key: str, tokens: bool = False) -> Embeddings:
        read.append(key)
        return original(cache, key, tokens)

    monkeypatch.setattr(EmbeddingCache, "read", note)
    data = make_data(tmp_path, memory_gb=memory_gb)
    data.setup()
    assert {0.0: len(read) == 0, 1.5e-6: 0 < len(read) < 10, 1.0: len(read) == 10}[memory_gb]
    assert data.input_dim == WIDTH
    for found, wanted in zip(batches(data), want, strict=True):
        assert torch.equal(found.steps, wanted.steps)
        assert found.keys == wanted.keys
    assert len(read) == 10  # each once: those in memory before, the others in their batch
    again = pickle.loads(pickle.dumps(data.parts["train"].embeddings))
    assert torch.equal(again[0], data.parts["train"].embeddings[0])


def test_the_next_batch_is_read_while_one_is_trained_on(tmp_path: Path) -> None:
    data = make_data(tmp_path, memory_gb=0.0)
    data.setup()
    coming = iter(data.train_dataloader())
    next(coming)
    held = data.parts["train"].embeddings
    assert len(held._coming) == 2  # of five videos three are in the first batch
    next(coming)
    assert not held._coming


def test_a_damaged_file_is_named_although_it_is_read_late(tmp_path: Path) -> None:
    data = make_data(tmp_path, memory_gb=0.0)
    data.setup()
    path = data.cache.path(FOLD.test[0])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=f"{path.name}: damaged"):
        next(iter(data.test_dataloader()))
    with pytest.raises(UserError, match=f"{path.name}: damaged"):
        make_data(tmp_path, memory_gb=0.0).setup()
