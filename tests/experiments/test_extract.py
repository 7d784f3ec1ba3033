"""`llmvs extract` over files of one's own: good ones are done, bad ones are named."""

import os
import shutil

import pytest

from llmvs.cache.embeddings import EmbeddingCache
from llmvs.cli import main
from llmvs.config.load import load_config
from llmvs.experiments import extract as under_test
from llmvs.experiments.extract import extract_dataset
from llmvs.experiments.opening import fold_of, open_dataset
from llmvs.extraction.pipeline import Extraction
from tests.config.test_load import CONFIGS
from tests.films import film, own_folder


def extract(cache, *arguments):
    return main(
        [
            "extract",
            str(CONFIGS / "backbone" / "tiny.yaml"),
            f"cache={cache}",
            "caption.max_tokens=3",
            *map(str, arguments),
        ]
    )


def test_a_real_clip_and_bad_company(shared, tmp_path, capsys):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("nasa_13013.mp4", "corrupted.mp4"):
        shutil.copy(shared / "clips" / name, folder)
    (folder / "empty.mp4").touch()
    assert extract(tmp_path / "cache", folder) == 2
    said = capsys.readouterr().err
    assert [
        line.split(":")[1].strip() for line in said.splitlines() if line.startswith("failed:")
    ] == [str(folder / "corrupted.mp4"), str(folder / "empty.mp4")]
    assert "failed: 2" in said
    cache = EmbeddingCache(next((tmp_path / "cache" / "own").glob("embeddings-*")))
    embeddings = cache.read("nasa_13013")
    assert cache.keys() == ["nasa_13013"]
    assert embeddings.q.shape == embeddings.a.shape
    assert (
        embeddings.q.shape[0] == len(embeddings.answers) == 26
    )  # 13 seconds at 2 steps per second
    before = cache.path("nasa_13013").stat().st_mtime_ns
    assert extract(tmp_path / "cache", folder / "nasa_13013.mp4") == 0
    assert "0 made, 1 reused" in capsys.readouterr().err
    assert cache.path("nasa_13013").stat().st_mtime_ns == before


def test_a_name_that_no_file_of_the_cache_can_have_is_named_and_the_others_go_on(tmp_path, capsys):
    folder = tmp_path / "videos"
    film(folder / "good.mp4", 1)
    for name in (".hidden.mp4", f"{'x' * 201}.mp4", os.fsdecode(b"caf\xe9.mp4"), "a\nb.mp4"):
        (folder / name).write_bytes((folder / "good.mp4").read_bytes())
    assert extract(tmp_path / "cache", folder) == 2
    failed = [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed:")]
    assert [line.split(": ")[2] for line in failed] == [
        "the name '.hidden' begins with a dot",
        "the name 'a\\nb' holds characters that cannot be printed",
        "the name 'caf\\udce9' holds characters that cannot be printed",
        f"the name '{'x' * 60}'... has 201 bytes, more than 200",
    ]
    assert failed[0].startswith(f"failed: {folder}/.hidden.mp4: ")
    cache = EmbeddingCache(next((tmp_path / "cache" / "own").glob("embeddings-*")))
    assert cache.keys() == ["good"]
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "videos"}
    assert extract(tmp_path / "cache", folder / ".hidden.mp4") == 2
    assert ".hidden.mp4: the name '.hidden' begins with a dot" in capsys.readouterr().err
    assert extract(tmp_path / "cache", "data.dataset=../own", folder / "good.mp4") == 2
    assert "data.dataset: the name '../own' begins with a dot" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (None, ["nowhere"], "nowhere: no such file or folder"),
        ("empty", [], "no videos in this folder"),
        (None, ["examples.source=fold", __file__], "files of your own belong to no fold"),
    ],
)
def test_mistakes(make, arguments, message, tmp_path, capsys):
    if make:
        (tmp_path / make).mkdir()
        arguments = [tmp_path / make]
    assert extract(tmp_path / "cache", *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("method", ["head", "scorer"])
def test_examples_of_a_fold_are_those_of_a_training(method, tmp_path, monkeypatch):
    """Else the training would not find the prompts again, and read everything twice."""
    own_folder(tmp_path / "mine", "abcdefgh", 2)
    config = load_config(
        [
            "data.dataset=folder",
            f"data.root={tmp_path / 'mine'}",
            "data.splits=disjoint",
            "examples.source=fold",
            f"method.model={method}",
        ]
    )
    asked = []

    def shared(config, dataset, sources, train):
        asked.extend(one.key for one in train)
        return Extraction(None, None)

    monkeypatch.setattr(under_test, "extract_shared", shared)
    assert extract_dataset(config) == 0
    assert asked == list(fold_of(config, open_dataset(config)).train)
    assert len(asked) == (5 if method == "head" else 6)
