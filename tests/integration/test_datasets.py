"""Mr. HiSum, and folders of one's own together, from video files to the table."""

import json

import numpy as np
import pytest
import torch

from llmvs.cache.embeddings import EmbeddingCache, Embeddings
from llmvs.cli import main
from llmvs.datasets import load
from tests.config.test_load import CONFIGS
from tests.datasets.test_mrhisum import SPLITS, write
from tests.films import film

QUICK = [
    "head.dim=16",
    "head.feedforward=16",
    "head.layers=1",
    "optim.epochs=2",
    "log.wandb=disabled",
    "accelerator=cpu",
]
TINY = [
    str(CONFIGS / "backbone" / "tiny.yaml"),
    "caption.max_tokens=2",
    "prompt.max_tokens=1",
    "prompt.window=1",
]


def result(place):
    return json.loads(next((place / "runs").rglob("result.json")).read_text())


def test_mrhisum_from_embeddings_to_its_table(tmp_path, capsys):
    root = tmp_path / "mrhisum"
    root.mkdir()
    dataset = load("mrhisum", write(root))
    cache = EmbeddingCache(tmp_path / "made", {"source": "made up"})
    for video in dataset.annotations.values():
        q, a = torch.randn(2, video.n_steps, 8)
        cache.write(video.key, Embeddings(q, a, torch.from_numpy(video.picks)))
    assert (
        main(
            [
                "train",
                str(CONFIGS / "dataset" / "mrhisum.yaml"),
                f"data.root={root}",
                f"extract.embeddings={cache.folder}",
                f"runs={tmp_path / 'runs'}",
                *QUICK,
            ]
        )
        == 0
    )
    found = result(tmp_path)
    assert [found["videos"][part] for part in ("train", "val", "test")] == list(SPLITS.values())
    assert {name: list(rows) for name, rows in found["protocols"].items()} == {
        name: ["This run", "position", "embedding_ridge", "random", "ceiling"]
        for name in ("paper", "f1", "map", "authors", "authors_f1")
    }
    assert set(found["protocols"]["map"]["random"]) == {"at_50", "at_15", "at_50_sd", "at_15_sd"}
    shown = capsys.readouterr().out
    assert "mAP50 %  mAP15 %" in shown
    assert "Human" not in shown


def test_mrhisum_is_extracted_once_a_second(tmp_path):
    root = tmp_path / "mrhisum"
    root.mkdir()
    write(
        root,
        gtscore=np.linspace(0, 1, 4),
        change_points=np.array([[0, 2], [2, 4]]),
        gt_summary=np.array([0, 0, 0, 1]),
    )
    film(root / "videos" / "video_2.mp4", 4)
    (root / "mr_hisum_split.json").write_text(
        json.dumps({"train_keys": ["video_2"], "val_keys": ["video_1"], "test_keys": ["video_3"]})
    )
    assert (
        main(
            [
                "extract",
                str(CONFIGS / "dataset" / "mrhisum.yaml"),
                f"data.root={root}",
                f"cache={tmp_path / 'cache'}",
                "data.absent=skip",
                *TINY,
            ]
        )
        == 0
    )
    cache = EmbeddingCache(next((tmp_path / "cache" / "mrhisum").glob("embeddings-*")))
    assert cache.keys() == ["video_2"]  # of the others there is no file
    assert cache.read("video_2").steps.tolist() == [0, 1, 2, 3]


@pytest.fixture
def folders(tmp_path):
    """Two folders of videos by the same names."""
    for seed, name in enumerate(("mine", "yours")):
        for i in range(3):
            film(tmp_path / name / f"clip_{i}.mp4", 2, 10 * seed + i)
        rows = [
            f"clip_{i},{second},{(i + second + seed) % 3}" for i in range(3) for second in range(2)
        ]
        (tmp_path / name / "scores.csv").write_text(
            "\n".join(["video,second,anna", *rows]), encoding="utf-8"
        )
    return tmp_path


def test_two_folders_are_extracted_apart_and_train_together(folders):
    settings = [
        str(CONFIGS / "dataset" / "folder.yaml"),
        f"data.root={folders / 'mine'}",
        f"data.extra=[folder={folders / 'yours'}]",
        f"cache={folders / 'cache'}",
        *TINY,
    ]
    assert main(["extract", *settings]) == 0
    caches = [
        EmbeddingCache(next((folders / "cache" / f"folder-{name}").glob("embeddings-*")))
        for name in ("mine", "yours")
    ]
    assert caches[0].keys() == caches[1].keys() == ["clip_0", "clip_1", "clip_2"]
    assert caches[0].identity == caches[1].identity
    assert not torch.equal(caches[0].read("clip_0").q, caches[1].read("clip_0").q)
    assert (
        main(["train", *settings, f"runs={folders / 'runs'}", "extract.refresh=never", *QUICK]) == 0
    )
    trained = result(folders)["videos"]
    assert trained["test"] == ["clip_0"]  # three videos: every fold tests one
    assert sorted(trained["train"] + trained["val"]) == [
        "clip_1",
        "clip_2",
        *(f"folder-yours/clip_{i}" for i in range(3)),
    ]
