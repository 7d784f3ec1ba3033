"""The examples run as they stand, from a folder that is not theirs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*arguments: str | Path, cwd: Path) -> str:
    """What a script prints; one thread, because cores are shared."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clips are drawn once for all examples."""
    return tmp_path_factory.mktemp("examples")


def test_train(place: Path) -> None:
    said = run(EXAMPLES / "train.py", place / "out", cwd=place)
    assert "test/paper/tau" in said
    assert "steps, the highest score 0." in said
    assert list((place / "out" / "checkpoints").glob("*.ckpt"))


@pytest.mark.parametrize("devices", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_refresh(place: Path, devices: str) -> None:
    said = run(EXAMPLES / "refresh.py", place / "out", devices, cwd=place)
    assert said.splitlines()[-1].startswith("test tau: ")
    assert len(list((place / "out" / "cache").rglob("embeddings-*/video_*.safetensors"))) == 5


@pytest.mark.parametrize(
    ("name", "shown", "said"),
    [
        ("quickstart", "sorted(figures)", "test/paper/tau"),
        pytest.param(
            "summarize",
            "scored.scores.shape == told.scores.shape",
            "True",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_notebooks(name: str, shown: str, said: str, tmp_path: Path) -> None:
    notebook = json.loads((EXAMPLES / f"{name}.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in notebook["cells"] if cell["cell_type"] == "code")
    script = tmp_path / f"{name}.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(EXAMPLES)!r})\n"
        + "\n\n".join(cells)
        + f"\nprint({shown})\n"
    )
    assert said in run(script, cwd=tmp_path)
