"""Training over several datasets: the real annotations of SumMe and TVSum, with made-up embeddings."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.cli import main
from llmvs.config.load import load_config
from llmvs.config.schema import DataConfig, ExtractConfig
from llmvs.datasets.base import Dataset, Sampling
from llmvs.datasets.video import Video
from llmvs.errors import UserError
from llmvs.experiments.evaluate import open_dataset
from llmvs.experiments.extra import open_extra
from llmvs.extraction.steps import counted, only_picks
from llmvs.models.datamodule import EmbeddingDataModule
from llmvs.video.reader import sample
from tests.config.test_load import CONFIGS
from tests.films import film
from tests.toys import FOLD, make_cache, make_config, make_dataset

WIDTH = 8
QUICK = [
    "head.dim=16",
    "head.feedforward=16",
    "head.layers=1",
    "optim.epochs=2",
    "log.wandb=disabled",
    "accelerator=cpu",
]


def embed(folder, dataset):
    """Random embeddings of all videos."""
    generator = torch.Generator().manual_seed(len(dataset.name))
    cache = EmbeddingCache(folder, {"source": f"made up for {dataset.name}"})
    for video in dataset.annotations.values():
        q, a = torch.randn(2, video.n_steps, WIDTH, generator=generator)
        cache.write(video.key, Embeddings(q, a, torch.from_numpy(video.picks)))


@pytest.fixture(scope="module")
def place(tmp_path_factory, summe, tvsum):
    folder = tmp_path_factory.mktemp("extra")
    for dataset in (summe, tvsum):
        embed(folder / "cache" / dataset.name / "made", dataset)
    return folder


def run(place, shared, *more):
    """The result of a training on fold 0 of SumMe."""
    assert (
        main(
            [
                "train",
                str(CONFIGS / "dataset" / "summe.yaml"),
                f"data.root={shared / 'summe'}",
                f"runs={place / 'runs'}",
                f"extract.embeddings={place / 'cache' / '{dataset}' / 'made'}",
                *QUICK,
                *more,
            ]
        )
        == 0
    )
    results = sorted((place / "runs").rglob("result.json"), key=lambda path: path.stat().st_mtime)
    return json.loads(results[-1].read_text())


def test_augmented_trains_on_the_fold_and_on_all_of_the_other(place, shared, summe, capsys):
    result = run(place, shared, f"data.extra=[tvsum={shared / 'tvsum'}]")
    trained = result["videos"]["train"]
    own = [key for key in trained if "/" not in key]
    assert sorted(trained[len(own) :]) == sorted(f"tvsum/video_{i}" for i in range(1, 51))
    assert sorted([*own, *result["videos"]["val"], *result["videos"]["test"]]) == sorted(
        summe.videos
    )
    assert result["extra"]["tvsum"]["identity"] == {"source": "made up for tvsum"}
    assert set(result["protocols"]) == {
        "paper",
        "per_annotator",
        "f1",
    }  # SumMe's, although TVSum has no votes
    assert f"{len(trained)} videos trained on (50 of tvsum)" in capsys.readouterr().out
    config = load_config([f"{result['folder']}/config.yaml"])
    assert config.data.extra == [f"tvsum={shared / 'tvsum'}"]


def test_transfer_trains_on_the_other_alone(place, shared, summe):
    result = run(
        place,
        shared,
        f"data.extra=tvsum={shared / 'tvsum'}",
        "data.transfer=true",
        "selection=last",
    )
    assert result["videos"]["train"] == [f"tvsum/video_{i}" for i in range(1, 51)]
    assert result["videos"]["val"] == []
    assert result["videos"]["test"] == summe.splits["paper"][0][1]
    assert result["transfer"] is True


def test_the_other_datasets_videos_keep_their_names_scores_and_identity_apart(tmp_path):
    own = make_dataset()
    other = replace(
        make_dataset(),
        name="other",
        annotations={
            key: replace(video, gtscore=1 - video.gtscore)
            for key, video in make_dataset().annotations.items()
        },
    )
    caches = [
        make_cache(tmp_path / name, dataset) for name, dataset in (("own", own), ("other", other))
    ]
    data = EmbeddingDataModule(own, FOLD, caches[0], other_datasets=[(other, caches[1])])
    data.setup()
    part = data.parts["train"]
    assert [video.key for video in part.videos] == [
        *FOLD.train,
        *(f"other/video_{i}" for i in range(10)),
    ]
    for i in range(5):  # the same key in both
        assert torch.equal(
            part.gtscores[i], torch.from_numpy(own.annotations[f"video_{i}"].gtscore)
        )
        assert torch.equal(part.gtscores[5 + i], 1 - part.gtscores[i])
    assert [video.key for video in data.videos["test"]] == list(FOLD.test)
    state = data.state_dict()
    assert state["identity"] == {"scorer": "toy", "other: scorer": "toy"}
    alone = EmbeddingDataModule(own, FOLD, caches[0])
    alone.setup()
    with pytest.raises(UserError, match="other: scorer=toy"):
        alone.load_state_dict(state)


def test_without_own_training_videos_there_must_be_others(tmp_path):
    dataset, empty = make_dataset(), replace(FOLD, train=(), val=())
    cache = make_cache(tmp_path, dataset)
    with pytest.raises(UserError, match="has no train videos"):
        EmbeddingDataModule(dataset, empty, cache).setup()
    data = EmbeddingDataModule(
        dataset, empty, cache, other_datasets=[(replace(dataset, name="other"), cache)]
    )
    data.setup()
    assert len(data.videos["train"]) == 10


def test_another_width_names_the_file(tmp_path):
    dataset = make_dataset()
    wide = make_cache(tmp_path / "wide", dataset, width=20)
    with pytest.raises(
        UserError,
        match=r"wide/video_0\.safetensors: embeddings of width 20, but those of video_0 have 12",
    ):
        EmbeddingDataModule(
            dataset,
            FOLD,
            make_cache(tmp_path / "own", dataset),
            other_datasets=[(replace(dataset, name="wide"), wide)],
        ).setup()


def test_an_other_dataset_is_sampled_as_it_is_annotated(shared, summe):
    extra = [f"summe={shared / 'summe'}"]
    config = make_config(
        data=DataConfig(dataset="demo", extra=extra), extract=ExtractConfig(captions="c/{dataset}")
    )
    ((settings, dataset),) = open_extra(config, make_dataset())
    assert dataset.name == "summe"
    assert (settings.extract.fps, settings.extract.every_nth_frame) == (None, 15)
    assert (settings.data.dataset, settings.data.extra) == ("summe", [])
    alone = load_config([str(CONFIGS / "dataset" / "summe.yaml")])
    assert (
        dataset.sampling
        == Sampling(alone.extract.fps, alone.extract.every_nth_frame)
        == open_dataset(settings).sampling
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["data.transfer=true", "selection=last"],
            "data.transfer=True: must be false, or name training datasets in data.extra",
        ),
        (
            ["data.extra=[tvsum]", "data.transfer=true"],
            "selection=val: must be last or test with data.transfer=true",
        ),
        (
            ["data.extra=[tvsum]", "examples.source=fold"],
            r"data.extra=\['tvsum'\]: must be empty with examples.source=fold",
        ),
    ],
)
def test_settings_that_do_not_go_together(arguments, message):
    with pytest.raises(UserError, match=message):
        load_config(["data.dataset=summe", *arguments])


def test_one_dataset_twice_and_one_folder_for_two_are_refused(shared, summe):
    extra = [f"summe={shared / 'summe'}"]
    again = make_config(data=DataConfig(dataset="summe", extra=extra))
    with pytest.raises(
        UserError,
        match=r"data\.extra=summe=.*: summe is there already: its test videos would be trained on",
    ):
        open_extra(again, summe)
    one = make_config(
        data=DataConfig(dataset="demo", extra=extra),
        extract=ExtractConfig(embeddings="cache/imported"),
    )
    with pytest.raises(
        UserError,
        match=(
            r"extract\.embeddings=cache/imported: with data\.extra every dataset needs a folder of"
            r" its own"
        ),
    ):
        open_extra(one, Dataset("demo", "ratings", {}, {}))
    unknown = make_config(data=DataConfig(dataset="demo", extra=["tvsun"]))
    with pytest.raises(UserError, match="no such dataset: did you mean tvsum"):
        open_extra(unknown, summe)


def test_lists_on_the_command_line():
    def extra(*arguments):
        return load_config(["data.dataset=summe", *arguments]).data.extra

    assert extra() == []
    assert extra("data.extra=[tvsum, demo=some/where]") == ["tvsum", "demo=some/where"]
    assert extra("--data.extra=tvsum") == ["tvsum"]
    assert (
        load_config(["data.dataset=summe", "data.extra=[tvsum=/a/b]"]).experiment
        == "summe+data.extra=b"
    )


def test_steps_of_seconds_are_numbered(tmp_path):
    path = film(tmp_path / "v.mp4", 4)
    source = Video("v", "v", path, np.arange(4), counts_steps=True)
    assert source.counts_steps
    assert [
        step.index for step in only_picks(path, counted(sample(path, fps=1)), source.picks)
    ] == [0, 1, 2, 3]
