"""What a Lightning user expects of the module and the data module, from a plain script's view."""

import csv
import importlib.util
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger
from torch import Tensor
from torch.utils.data import DataLoader

from llmvs import EmbeddingDataModule, LLMVSModule
from llmvs.config.schema import HeadConfig, OptimConfig
from llmvs.datasets.base import Fold
from llmvs.errors import UserError
from llmvs.evaluation.metric import VideoScores
from llmvs.evaluation.protocols import rank_correlations
from llmvs.models.aggregators import AGGREGATORS
from llmvs.models.aggregators.base import Aggregator
from llmvs.models.losses import LOSSES
from tests.toys import FOLD, WIDTH, assert_same_weights, make_cache, make_dataset, quiet_trainer

DATASET = make_dataset()
HEAD = {"dim": 32, "feedforward": 32, "layers": 1}
OPTIM = {"lr": 3e-3, "epochs": 3, "clip": 1.0}
PAPER = {f"{part}/paper/{name}" for part in ("val", "test") for name in ("tau", "rho")}


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cache(tmp_path_factory.mktemp("cache"), DATASET).folder


@pytest.fixture
def data(folder: Path) -> EmbeddingDataModule:
    return EmbeddingDataModule(DATASET, FOLD, folder, batch_videos=3)


@pytest.fixture
def module() -> LLMVSModule:
    return LLMVSModule(head=HEAD, optim=OPTIM, seed=1)


def figures(found: L.Trainer) -> dict[str, float]:
    return {name: float(value) for name, value in found.callback_metrics.items()}


def test_fit_takes_the_width_from_the_data_and_logs_every_figure(
    data: EmbeddingDataModule, module: LLMVSModule, tmp_path: Path
) -> None:
    ran = quiet_trainer(tmp_path)
    ran.fit(module, data)
    assert module.head.input_dim == module.hparams["input_dim"] == WIDTH
    assert {"train/loss", "val/loss", "lr", *PAPER} <= figures(ran).keys()


def test_a_width_that_is_given_or_found_makes_the_same_head(
    data: EmbeddingDataModule, module: LLMVSModule, tmp_path: Path
) -> None:
    given = LLMVSModule(WIDTH, HeadConfig(**HEAD), OptimConfig(**OPTIM), seed=1)
    first = {name: value.clone() for name, value in given.head.state_dict().items()}
    for one in (given, module):
        quiet_trainer(tmp_path).fit(one, data)
    module_weights = module.head.state_dict()
    assert all(torch.equal(v, module_weights[n]) for n, v in given.head.state_dict().items())
    assert any(not torch.equal(v, module_weights[n]) for n, v in first.items())
    assert module.hparams == given.hparams


def test_validate_test_and_predict_give_the_figures_of_the_fit(
    data: EmbeddingDataModule, module: LLMVSModule, folder: Path, tmp_path: Path
) -> None:
    ran = quiet_trainer(tmp_path)
    ran.fit(module, data)
    last = {name: value for name, value in figures(ran).items() if name in PAPER}
    fresh = EmbeddingDataModule(DATASET, FOLD, folder)
    [validated, _] = quiet_trainer(tmp_path).validate(module, fresh, verbose=False)
    assert {name: validated[name] for name in last} == last
    [tested] = quiet_trainer(tmp_path).test(
        module, EmbeddingDataModule(DATASET, FOLD, folder), verbose=False
    )
    assert {name for name in tested if name.endswith("tau")} == {
        "test/paper/tau",
        "test/per_annotator/tau",
    }
    assert tested["test/paper/tau"] == last["test/paper/tau"]
    predicted = quiet_trainer(tmp_path).predict(module, EmbeddingDataModule(DATASET, FOLD, folder))
    assert predicted is not None
    scores = {key: value for batch in predicted for key, value in batch.items()}  # type: ignore[union-attr]
    assert list(scores) == list(FOLD.test)
    metric = VideoScores(
        videos := [DATASET.annotations[key] for key in FOLD.test], rank_correlations(DATASET)
    )
    for i, video in enumerate(videos):
        metric.update(torch.tensor([i]), scores[video.key][None])
    assert metric.gathered().means["paper"]["tau"] == pytest.approx(
        last["test/paper/tau"], abs=1e-6
    )


def test_fit_after_validate_trains_as_if_it_came_first(
    data: EmbeddingDataModule, module: LLMVSModule, folder: Path, tmp_path: Path
) -> None:
    ran = quiet_trainer(tmp_path)
    ran.validate(module, data, verbose=False)
    assert "train" not in data.parts
    ran.fit(module, data)
    other = LLMVSModule(head=HEAD, optim=OPTIM, seed=1)
    quiet_trainer(tmp_path).fit(other, EmbeddingDataModule(DATASET, FOLD, folder, batch_videos=3))
    assert all(
        torch.equal(value, other.head.state_dict()[name])
        for name, value in module.head.state_dict().items()
    )


def test_a_module_without_metrics_trains_on_plain_loaders(
    data: EmbeddingDataModule, tmp_path: Path
) -> None:
    data.setup()
    module = LLMVSModule(WIDTH, HEAD, OPTIM)
    ran = quiet_trainer(tmp_path, callbacks=[EarlyStopping("val/loss")])
    ran.fit(module, data.train_dataloader(), data.val_dataloader()[0])
    assert not module.metrics
    assert {"train/loss", "val/loss"} <= figures(ran).keys()
    assert not any("tau" in name for name in figures(ran))
    [tested] = quiet_trainer(tmp_path).test(module, data.test_dataloader(), verbose=False)
    assert tested.keys() == {"test/loss"}


def test_without_a_width_plain_loaders_are_refused(
    data: EmbeddingDataModule, module: LLMVSModule, tmp_path: Path
) -> None:
    data.setup()
    with pytest.raises(UserError, match="input_dim=None: train with an EmbeddingDataModule"):
        quiet_trainer(tmp_path).fit(module, data.train_dataloader())


def test_a_checkpoint_loads_by_its_path_and_scores_alike(
    data: EmbeddingDataModule, module: LLMVSModule, tmp_path: Path
) -> None:
    best = ModelCheckpoint(tmp_path, monitor="val/paper/tau", mode="max", save_weights_only=False)
    ran = quiet_trainer(tmp_path, enable_checkpointing=True, callbacks=[best], max_epochs=3)
    ran.fit(module, data)
    taus = {path.name: path for path in tmp_path.glob("*.ckpt")}
    assert [Path(best.best_model_path).name] == list(taus)
    loaded = LLMVSModule.load_from_checkpoint(best.best_model_path, weights_only=True)
    assert loaded.hparams == module.hparams
    [again] = quiet_trainer(tmp_path).test(loaded, data, verbose=False)
    [by_path] = quiet_trainer(tmp_path).test(
        LLMVSModule(head=HEAD), data, ckpt_path=best.best_model_path, verbose=False
    )
    assert again == by_path
    assert float(best.best_model_score or 0) == pytest.approx(
        quiet_trainer(tmp_path).validate(loaded, data, verbose=False)[0]["val/paper/tau"]
    )
    changed = LLMVSModule.load_from_checkpoint(best.best_model_path, optim={"lr": 1.0})
    assert changed.optim.lr == 1.0
    with pytest.raises(UserError, match=r"optim.lr=0.003 \(expected 1.0\)"):
        quiet_trainer(tmp_path).fit(changed, data, ckpt_path=best.best_model_path)


def test_early_stopping_on_the_held_out_tau(data: EmbeddingDataModule, tmp_path: Path) -> None:
    module = LLMVSModule(head=HEAD, optim={"lr": 1e-12, "min_lr": 0.0})  # never gets better
    stop = EarlyStopping("val/paper/tau", mode="max", patience=2)
    ran = quiet_trainer(tmp_path, callbacks=[stop], max_epochs=50)
    ran.fit(module, data)
    assert ran.current_epoch == 3
    assert stop.stopped_epoch == 2


def rows(place: Path) -> list[dict[str, str]]:
    with next(place.rglob("metrics.csv")).open() as file:
        return list(csv.DictReader(file))


def test_learning_rate_monitor_and_csv(
    data: EmbeddingDataModule, module: LLMVSModule, tmp_path: Path
) -> None:
    quiet_trainer(
        tmp_path,
        logger=CSVLogger(tmp_path),
        callbacks=[LearningRateMonitor("epoch")],
        log_every_n_steps=1,
    ).fit(module, data)
    written = rows(tmp_path)
    assert [float(row["lr-AdamW"]) for row in written if row["lr-AdamW"]] == pytest.approx(
        [float(row["lr"]) for row in written if row["lr"]]
    )
    assert len([row for row in written if row["val/paper/tau"]]) == 2
    hparams = next(tmp_path.rglob("hparams.yaml")).read_text()
    assert f"input_dim: {WIDTH}" in hparams
    assert "!!python" not in hparams


def make_logger(name: str, place: Path) -> Any:
    if name == "tensorboard":
        return TensorBoardLogger(place)
    if name == "mlflow":
        return MLFlowLogger(tracking_uri=f"sqlite:///{place}/mlflow.db")
    return WandbLogger(save_dir=place, offline=True)


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_other_loggers(
    name: str,
    data: EmbeddingDataModule,
    module: LLMVSModule,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = make_logger(name, tmp_path)
    seen: set[str] = set()
    original = logger.log_metrics

    def log(metrics: dict[str, float], step: int | None = None) -> None:
        seen.update(metrics)
        original(metrics, step)

    monkeypatch.setattr(logger, "log_metrics", log)
    quiet_trainer(tmp_path, logger=logger, log_every_n_steps=1).fit(module, data)
    if name == "wandb":
        logger.experiment.finish()
    assert {"train/loss", "lr", *PAPER} <= seen
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]


def test_profiler(data: EmbeddingDataModule, module: LLMVSModule, tmp_path: Path) -> None:
    ran = quiet_trainer(tmp_path, profiler="simple")
    ran.fit(module, data)
    assert "run_training_epoch" in ran.profiler.summary()


def test_fast_dev_run(data: EmbeddingDataModule, module: LLMVSModule, tmp_path: Path) -> None:
    ran = quiet_trainer(tmp_path, fast_dev_run=True)
    ran.fit(module, data)
    ran.test(module, data, verbose=False)
    assert ran.global_step == 1
    assert list(tmp_path.iterdir()) == []


def test_overfit_batches(data: EmbeddingDataModule, tmp_path: Path) -> None:
    module = LLMVSModule(head={**HEAD, "dropout": 0.0}, optim={**OPTIM, "epochs": 60})
    before = quiet_trainer(tmp_path, overfit_batches=1, max_epochs=1)
    before.fit(module, data)
    after = quiet_trainer(tmp_path, overfit_batches=1, max_epochs=60)
    after.fit(module, data)
    assert after.global_step == 60
    assert figures(after)["train/loss"] < 0.7 * figures(before)["train/loss"]


def test_accumulated_gradients_are_those_of_one_batch(folder: Path, tmp_path: Path) -> None:
    """Batches of one video, four and one accumulated, against batches of four and one."""
    plain = {**HEAD, "dropout": 0.0}
    weights = []
    for size, accumulate in ((1, 4), (4, 1)):
        module = LLMVSModule(head=plain, optim=OPTIM)
        data = EmbeddingDataModule(
            DATASET, Fold(0, FOLD.train[:4], (), FOLD.test), folder, batch_videos=size
        )
        quiet_trainer(tmp_path, accumulate_grad_batches=accumulate).fit(module, data)
        weights.append(module.head.state_dict())
    assert_same_weights(weights[1], weights[0])


@pytest.mark.parametrize("way", ["in place", "wrapped"])
def test_a_compiled_head_trains_alike_and_its_checkpoint_is_a_plain_one(
    way: str, data: EmbeddingDataModule, tmp_path: Path
) -> None:
    plain = {**HEAD, "dropout": 0.0}
    taus = []
    for compiled in (False, True):
        module = LLMVSModule(WIDTH, plain, OPTIM)
        if compiled and way == "wrapped":
            module.head = torch.compile(module.head, backend="eager")  # type: ignore[assignment]
        elif compiled:
            module.head.compile(backend="eager")
        ran = quiet_trainer(tmp_path, enable_checkpointing=True)
        ran.fit(module, data)
        taus.append(figures(ran)["val/loss"])
    assert taus[0] == pytest.approx(taus[1], rel=1e-4)
    [path] = [ran.checkpoint_callback.best_model_path]  # type: ignore[union-attr]
    loaded = LLMVSModule.load_from_checkpoint(path)
    assert loaded.trained().keys() == module.trained().keys()
    assert all(torch.equal(v, module.trained()[n]) for n, v in loaded.trained().items())
    again = LLMVSModule(WIDTH, plain, OPTIM)
    again.head = torch.compile(again.head, backend="eager")  # type: ignore[assignment]
    quiet_trainer(tmp_path, max_epochs=3).fit(again, data, ckpt_path=path)


def test_two_ranks_of_a_plain_trainer_share_the_videos(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = []
    for devices in (1, 2):
        module = LLMVSModule(WIDTH, {**HEAD, "dropout": 0.0}, OPTIM)
        data = EmbeddingDataModule(DATASET, FOLD, folder, batch_videos=3)
        ran = quiet_trainer(
            tmp_path, devices=devices, strategy="ddp_fork" if devices > 1 else "auto"
        )
        ran.fit(module, data)
        found.append(figures(ran))
    assert found[1].keys() == found[0].keys()
    assert found[1] == pytest.approx(found[0], rel=1e-3, abs=1e-4)


class Smooth(Aggregator):
    """A toy: every step becomes the mean of its video and itself."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__(config)
        self.mix = torch.nn.Linear(config.dim, config.dim)

    def aggregate(self, video: Tensor) -> Tensor:
        return (video + self.mix(video).mean(dim=0)) / 2


def absolute_error(
    scores: Tensor, gtscore: Tensor, lengths: Tensor, settings: OptimConfig
) -> Tensor:
    """A toy: the mean absolute error of every video."""
    split = (scores - gtscore).abs().split(lengths.tolist())
    return torch.stack([video.mean() for video in split])


def test_a_new_aggregator_and_a_new_loss_are_one_line_each(
    data: EmbeddingDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(AGGREGATORS, "smooth", Smooth)
    monkeypatch.setitem(LOSSES, "absolute", absolute_error)
    module = LLMVSModule(
        head={**HEAD, "aggregator": "smooth", "dropout": 0.0},
        optim={**OPTIM, "losses": {"absolute": 2.0}},
    )
    ran = quiet_trainer(tmp_path, max_epochs=20, enable_checkpointing=True)
    data.setup()
    batch = next(iter(data.train_dataloader()))
    module.configure_metrics(data)
    ran.fit(module, data)
    scores = module.head.eval()(batch.steps, batch.lengths)
    want = 2 * absolute_error(scores, batch.gtscore, batch.lengths, module.optim)
    torch.testing.assert_close(module.losses(batch), want)
    with torch.no_grad():  # the toy does what the base class promises: one video at a time
        alone = [
            module.head(s, torch.tensor([len(s)]))
            for s in batch.steps.split(batch.lengths.tolist())
        ]
    torch.testing.assert_close(torch.cat(alone), scores, atol=1e-6, rtol=0)
    assert figures(ran)["train/loss"] < 0.5
    path = ran.checkpoint_callback.best_model_path  # type: ignore[union-attr]
    assert isinstance(LLMVSModule.load_from_checkpoint(path).head.encoder, Smooth)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"head": {"aggregator": "atention"}},
            r"^head.aggregator=atention: no such aggregator: did you mean attention\?$",
        ),
        (
            {"optim": {"losses": {"rankin": 1.0}}},
            r"^optim.losses.rankin=1.0: no such loss: did you mean ranking\?$",
        ),
        ({"optim": {"losses": {"mse": 0.0}}}, r"^optim.losses=.*: must be"),
    ],
)
def test_an_unknown_part_is_named_with_the_nearest(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        LLMVSModule(WIDTH, **settings)


def test_a_bare_dataset_serves_single_videos(data: EmbeddingDataModule) -> None:
    data.setup("test")
    found = next(iter(DataLoader(data.parts["test"], batch_size=None)))
    assert found.keys == [FOLD.test[0]]
    assert found.weight.tolist() == [1.0]
