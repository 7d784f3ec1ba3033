"""A dataset is one file and one line: a stranger's own is trained and tabled like those that ship."""

import sys
import textwrap

import pytest

from llmvs import datasets
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.cli import main
from tests.toys import embed, make_dataset

FILE = '''
    """Ten drawn videos, of which seven are trained on."""

    from dataclasses import replace

    from tests.toys import make_dataset


    def load(root):
        """Read nothing: the videos are drawn."""
        assert root.is_dir()
        dataset = make_dataset()
        keys = list(dataset.annotations)
        folds = [(keys[:7], keys[7:]), (keys[3:], keys[:3])]
        return replace(dataset, name="drawn", splits={"paper": folds, "disjoint": folds})
'''


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """A folder to work in, with the dataset's file, its line, its layer, and embeddings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drawn_dataset.py").write_text(textwrap.dedent(FILE))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(datasets.DATASETS, "drawn", "drawn_dataset")
    (tmp_path / "configs" / "dataset").mkdir(parents=True)
    (tmp_path / "configs" / "dataset" / "drawn.yaml").write_text("data: {dataset: drawn}\n")
    (tmp_path / "data" / "drawn").mkdir(parents=True)
    cache = EmbeddingCache(tmp_path / "embeddings", {"scorer": "toy"})
    for video in make_dataset().annotations.values():
        cache.write(video.key, embed(video))
    yield tmp_path
    sys.modules.pop("drawn_dataset", None)


def test_its_baselines_are_tabled(drawn, capsys):
    assert main(["baselines", "drawn"]) == 0
    out = capsys.readouterr().out
    assert "drawn" in out
    assert "Random" in out


def test_a_head_is_trained_on_it(drawn, capsys):
    quick = ["optim.epochs=4", "head.dim=64", "head.layers=1", "optim.lr=3e-3", "optim.clip=1"]
    quick += ["extract.embeddings=embeddings", "accelerator=cpu", "log.wandb=disabled", "fold=1"]
    assert main(["train", "drawn", *quick]) == 0
    assert len(list((drawn / "runs").glob("drawn-*/fold1/seed*/model.safetensors"))) == 1
    rows = capsys.readouterr().out.splitlines()
    own = next(row for row in rows if "This run" in row)
    assert float(own.split()[2]) > 0.1  # the embeddings know something of the importance


def test_a_fold_that_it_lacks_is_one_line(drawn, capsys):
    assert main(["train", "drawn", "fold=2", "extract.embeddings=embeddings"]) == 2
    assert "fold=2" in capsys.readouterr().err
    assert not (drawn / "runs").exists()
