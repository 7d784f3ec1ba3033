"""`launcher=slurm`: runs as jobs in a queue. submitit's local executor stands for the cluster, and
once a small imitation of SLURM's commands, so that its batch scripts are run as well.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from llmvs.config.load import load_config
from llmvs.config.schema import Config
from llmvs.demo import dataset as demo
from llmvs.errors import UserError
from llmvs.experiments import cluster, job_queue
from llmvs.experiments.crossval import crossval
from llmvs.files import read_json
from tests.config.test_load import CONFIGS
from tests.experiments import jobs
from tests.experiments.test_run import SMALL
from tests.toys import make_cache

submitit = pytest.importorskip("submitit")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("cluster")
    make_cache(folder / "toy", demo.load(folder / "demo", clips=7, seconds=(6.0, 8.0)))
    return folder


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue on this machine, which is soon asked and answers soon."""
    monkeypatch.setattr(job_queue, "CLUSTER", "local")
    monkeypatch.setattr(cluster, "LOOK", 0.1)
    monkeypatch.setattr(submitit.Job, "_results_timeout_s", 0.1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def config(place: Path, *more: str) -> Config:
    return load_config(
        [
            str(CONFIGS / "dataset" / "demo.yaml"),
            str(CONFIGS / "backbone" / "tiny.yaml"),
            f"data.root={place / 'demo'}",
            f"cache={place / 'cache'}",
            f"runs={place / 'runs'}",
            f"extract.embeddings={place / 'toy'}",
            "accelerator=cpu",
            "log.wandb=disabled",
            *SMALL,
            "head.dim=64",
            "launcher=slurm",
            *more,
        ]
    )


@pytest.fixture(scope="module")
def here(place: Path) -> dict[str, Any]:
    """What the runs give on this machine, one by one."""
    return crossval(config(place, "experiment=here", "launcher=local"), [0], [3])[0]


def test_jobs_find_the_same_as_runs_one_by_one(
    place: Path, here: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    document, _ = crossval(config(place, "experiment=queued"), [0], [3])
    assert document["protocols"] == here["protocols"]
    said = capfd.readouterr()
    assert f"launcher=slurm: jobs sent: 1, found in the queue: 0; logs in {place}/runs/" in said.err
    assert said.out == ""
    assert not list((place / "runs" / "queued").rglob("job.json"))
    again, _ = crossval(config(place, "experiment=queued"), [0], [3])
    assert again == document
    assert "jobs sent" not in capfd.readouterr().err


def test_what_was_run_here_is_reused_there_and_the_other_way_round(
    place: Path, here: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_queue.JobQueue, "send", None)
    assert crossval(config(place, "experiment=here"), [0], [3])[0] == here


@pytest.mark.slow
def test_extraction_is_a_job_of_its_own(
    place: Path, here: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    wanted = config(place, "experiment=extracted", "extract.embeddings=null", "optim.epochs=1")
    crossval(wanted, [0], [3])
    said = capfd.readouterr().err
    assert "launcher=slurm: extraction is job " in said
    log = Path(said.split("extraction is job ")[1].split("log ")[1].splitlines()[0])
    assert "captions: 7 made" in log.read_text() or "embeddings: 7 made" in log.read_text()
    crossval(wanted, [0], [4])
    assert "extraction is job" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_mistake_in_a_job_is_one_line_with_its_log(place: Path, here: dict[str, Any]) -> None:
    wanted = config(place, "experiment=broken", "optim.lr=1e38", "optim.clip=0")
    with pytest.raises(
        UserError, match=r"broken/fold0/seed3: the (loss|score) became NaN or infinite"
    ) as caught:
        crossval(wanted, [0], [3])
    message = str(caught.value)
    assert "\n" not in message
    log = Path(message.split(", log ")[1].rstrip(")"))
    assert log.exists()
    assert log.parent == place / "runs" / ".jobs"


@pytest.mark.slow
def test_a_job_that_dies_is_named_and_the_same_command_goes_on(
    place: Path, here: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = config(place, "experiment=dies")
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "train_run", jobs.die)
        with pytest.raises(UserError) as caught:
            crossval(wanted, [0], [3])
    said = str(caught.value)
    assert said.startswith(f"{place}/runs/dies/fold0/seed3: ended without a result, state FINISHED")
    assert Path(said.split(", log ")[1].split(")")[0]).exists()
    document, _ = crossval(wanted, [0], [3])
    assert document["seeds"] == [3]


@pytest.mark.slow
def test_jobs_outlive_the_command_and_are_not_sent_twice(
    place: Path,
    here: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    wanted = config(place, "experiment=outlive")

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cluster, "_collected", interrupt)
        with pytest.raises(KeyboardInterrupt):
            crossval(wanted, [0], [3])
    notes = sorted((place / "runs" / "outlive").rglob("job.json"))
    assert len(notes) == 1
    jobs = [read_json(note, "a note")["job"] for note in notes]

    def state(self: Any, mode: str = "force") -> dict[str, str]:
        """As sacct would say, also of jobs that another command has sent."""
        running = not self.paths.result_pickle.exists() and Path(f"/proc/{self.job_id}").exists()
        return {"jobState": "RUNNING" if running else "FINISHED"}

    monkeypatch.setattr(submitit.LocalJob, "get_info", state)
    capfd.readouterr()
    document, _ = crossval(wanted, [0], [3])
    assert "jobs sent: 0, found in the queue: 1" in capfd.readouterr().err
    assert document["protocols"] == here["protocols"]
    pickles = {path.name.split("_")[0] for path in (place / "runs" / ".jobs").glob("*_result.pkl")}
    assert set(jobs) <= pickles


def test_a_run_whose_time_is_over_goes_on_from_its_checkpoint(
    place: Path, here: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(cluster, "train", lambda run: (seen.append(run.resume), {})[1:] * 2)
    call = job_queue._Call(cluster.train_run, config(place, "experiment=long", "resume=false"))
    call()
    call.checkpoint().result()
    assert seen == [False, True]


def test_mistakes_are_one_line(
    place: Path, here: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = config(place, "experiment=mistakes")
    with pytest.raises(UserError, match=r"^devices=2: with launcher=slurm every run is a job on"):
        crossval(replace(wanted, devices=2), [0], [3])
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "submitit", None)
        with pytest.raises(
            UserError, match=r"^launcher=slurm needs submitit: pip install 'llmvs\["
        ):
            crossval(wanted, [0], [3])
    monkeypatch.setattr(job_queue, "CLUSTER", "slurm")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"^launcher=slurm: this machine has no srun: run the"):
        crossval(wanted, [0], [3])
    assert not (place / "runs" / "mistakes").exists()
