"""The installed package holds what the command line reads: configurations, grids, sweeps."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from setuptools.config.pyprojecttoml import load_file

ROOT = Path(__file__).parents[1]
DATA = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("configs/*/*.yaml"), *ROOT.glob("sweeps/*.yaml")]
)


def test_every_configuration_is_data_of_the_package() -> None:
    patterns = load_file(ROOT / "pyproject.toml")["tool"]["setuptools"]["package-data"]["llmvs"]
    package = ROOT / "src" / "llmvs"
    covered = {
        path.relative_to(package).as_posix() for one in patterns for path in package.glob(one)
    }
    assert covered == {*DATA, "py.typed"}
    everything = [*ROOT.glob("configs/**/*"), *ROOT.glob("sweeps/**/*")]
    files = {path.relative_to(ROOT).as_posix() for path in everything if path.is_file()}
    assert files == set(DATA), "a file that would not be shipped"


@pytest.mark.slow
def test_wheel_and_source_distribution_hold_them(tmp_path: Path) -> None:
    source = tmp_path / "source"
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("not a git checkout")
    source.mkdir()
    subprocess.run(["tar", "x", "-C", source], input=archive.stdout, check=True)
    build = "import sys, setuptools.build_meta as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"

    def made(kind: str, place: Path) -> Path:
        done = subprocess.run(
            [sys.executable, "-c", build, kind, str(tmp_path)],
            cwd=place,
            capture_output=True,
            text=True,
            check=True,
        )
        return tmp_path / done.stdout.split()[-1]

    with tarfile.open(made("build_sdist", source)) as packed:
        names = {name.partition("/src/llmvs/")[2] for name in packed.getnames()}
        assert set(DATA) <= names
        assert not any(member.issym() for member in packed.getmembers())
        packed.extractall(tmp_path / "unpacked", filter="data")
    [unpacked] = (tmp_path / "unpacked").iterdir()
    for place in (source, unpacked):
        with zipfile.ZipFile(made("build_wheel", place)) as wheel:
            assert {f"llmvs/{name}" for name in DATA} <= set(wheel.namelist())
    installed = tmp_path / "installed"
    with zipfile.ZipFile(made("build_wheel", unpacked)) as wheel:
        wheel.extractall(installed)
    empty = tmp_path / "empty"
    empty.mkdir()
    run = f"import sys; sys.path.insert(0, {str(installed)!r}); from llmvs.cli import main; main()"
    for arguments, said in (
        (["config", "tvsum", "query_only"], "# folder of the run: runs/tvsum-query_only/fold0"),
        (["config", "demo", "backbone=tiny"], "scorer: builtin:tiny-llama"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", run, *arguments],
            cwd=empty,
            capture_output=True,
            text=True,
            check=True,
        )
        assert said in done.stdout
    assert list(empty.iterdir()) == []
