"""Ranks that torchrun or SLURM has started: what does not fit is one line, before anything is made."""

from pathlib import Path

import pytest

from llmvs.cli import main
from llmvs.errors import UserError
from llmvs.training.launch import check_launch, refuse_ranks, slurm_tasks
from tests.config.test_load import CONFIGS

WHOLE = {
    "SLURM_NTASKS": "4",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_JOB_NAME": "films",
}


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster, whatever the tests run on."""
    for name in (*WHOLE, "TORCHELASTIC_RUN_ID", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


def given(monkeypatch: pytest.MonkeyPatch, **variables: str | None) -> None:
    for name, value in {**WHOLE, **variables}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


def test_outside_any_launcher_every_number_of_devices_fits() -> None:
    assert slurm_tasks() is None
    check_launch(5, 2)
    refuse_ranks(1)


def test_the_tasks_of_slurm_have_to_be_the_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch)
    assert slurm_tasks() == 4
    check_launch(2, 2)
    with pytest.raises(
        UserError, match=r"^devices=4 num_nodes=2: SLURM has started 4 tasks: give as many devices"
    ):
        check_launch(4, 2)
    with pytest.raises(UserError, match=r"^several runs are shared out over the devices of one"):
        refuse_ranks(1)


def test_a_shell_of_slurm_is_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, SLURM_JOB_NAME="interactive", SLURM_PROCID=None)
    assert slurm_tasks() is None
    check_launch(2, 1)


def test_one_task_needs_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, SLURM_NTASKS="1", SLURM_NTASKS_PER_NODE=None, SLURM_PROCID=None)
    check_launch(1, 1)
    refuse_ranks(1)
    with pytest.raises(UserError, match=r"^devices=2 num_nodes=1: SLURM has started 1 task: give"):
        check_launch(2, 1)


HALF = [
    ({"SLURM_NTASKS_PER_NODE": None}, "SLURM_NTASKS=4 without SLURM_NTASKS_PER_NODE: SLURM's"),
    (
        {"SLURM_PROCID": None, "SLURM_LOCALID": ""},
        "=4 without SLURM_PROCID, SLURM_LOCALID: SLURM's",
    ),
    ({"SLURM_NTASKS": "many"}, "SLURM_NTASKS=many: expected a number of tasks: start it with srun"),
]


@pytest.mark.parametrize(("changes", "message"), HALF)
@pytest.mark.parametrize("verb", ["train", "extract", "crossval"])
def test_half_set_is_one_line_and_leaves_nothing(
    verb: str,
    changes: dict[str, str | None],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "film.mp4").write_bytes(b"")
    given(monkeypatch, **changes)
    settings = [f"runs={tmp_path / 'runs'}", f"cache={tmp_path / 'cache'}", "devices=4"]
    films = [str(tmp_path / "film.mp4")] if verb == "extract" else []
    layers = [str(CONFIGS / "dataset" / "demo.yaml"), str(CONFIGS / "backbone" / "tiny.yaml")]
    assert main([verb, *films, *layers[bool(films) :], *settings, "accelerator=cpu"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("llmvs: SLURM_NTASKS=")
    assert message in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4"]


def test_torchrun_with_another_number_of_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    check_launch(4, 1)
    with pytest.raises(
        UserError, match=r"^devices=2 num_nodes=1: torchrun has started 4 ranks: give as many"
    ):
        check_launch(2, 1)
