"""What comes with the package is what was shipped, or one line says how to mend it."""

import shutil
from pathlib import Path

import pytest
from tools.demo_head import main as ship

from llmvs.cli import main
from llmvs.demo.models.shipped import HEAD, SHIPPED, WEIGHTS, shipped
from llmvs.errors import UserError
from llmvs.extraction import builtin
from llmvs.models.pretrained import LLMVS
from tests.films import film


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WEIGHTS, tmp_path / "weights"))


def test_all_is_there_and_small() -> None:
    assert [shipped(name) for name in SHIPPED] == [WEIGHTS / name for name in SHIPPED]
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*.safetensors")) < 20e6
    assert (WEIGHTS / "README.md").read_text().startswith("---\n")


def test_a_damaged_file_is_one_line_with_the_cure(weights: Path) -> None:
    path = weights / "demo-llama" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors: damaged.*make demo-backbones"):
        shipped("demo-llama", weights)
    assert shipped("demo-llava", weights)


@pytest.mark.parametrize(
    "file", ["demo-llava/model.safetensors", "demo-llava/tokenizer.json", "checksums.json"]
)
def test_a_missing_file_is_one_line_with_the_cure(weights: Path, file: str) -> None:
    (weights / file).unlink()
    with pytest.raises(UserError, match=r"make demo-backbones"):
        shipped("demo-llava", weights)


@pytest.mark.parametrize(
    "name", ["demo-llava", "demo-llama"]
)  # the scorer too, before anything is captioned
def test_extraction_stops_before_a_damaged_model_is_used(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    weights: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    (weights / name / "model.safetensors").write_bytes(b"")
    monkeypatch.setattr(shipped, "__defaults__", (weights,))
    film(tmp_path / "film.mp4", 1)
    assert (
        main(
            [
                "extract",
                str(tmp_path / "film.mp4"),
                "configs/backbone/demo.yaml",
                f"cache={tmp_path / 'cache'}",
            ]
        )
        == 2
    )
    assert "damaged" in capsys.readouterr().err.strip().splitlines()[-1]


def test_the_shipped_head_reads_the_shipped_scorer() -> None:
    head = LLMVS.from_pretrained("builtin:demo-head")
    assert head.extraction["backbone.scorer"] == "builtin:demo-llama"
    assert head.identity["scorer"] == builtin.version("builtin:demo-llama")
    assert shipped(HEAD) == WEIGHTS / HEAD


def test_a_runs_head_is_shipped_whole(weights: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(WEIGHTS / HEAD, tmp_path / "run"))
    shutil.rmtree(weights / HEAD)
    assert ship([str(run), "--to", str(weights)]) == 0
    assert (weights / "checksums.json").read_text() == (WEIGHTS / "checksums.json").read_text()
    assert shipped(HEAD, weights).is_dir()
