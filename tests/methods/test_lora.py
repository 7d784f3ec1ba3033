"""Fine-tuned runs: a row like any other, adapters that load back, an interruption that changes
nothing.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from llmvs.cache.captions import read_captions
from llmvs.config.schema import ExamplesConfig, LoraConfig
from llmvs.errors import UserError
from llmvs.experiments.run import train
from llmvs.extraction import peft_folder
from llmvs.methods import lora
from llmvs.models.adapters.answering import Answering
from llmvs.models.adapters.questions import load_captioner, load_scorer

QUICK = LoraConfig(rank=2, lr=1e-2, epochs=3, batch_steps=8, at_once=8, steps_per_video=3)


def settings_of(world, model="scorer", **changes):
    usual = {"selection": "last", "lora": QUICK, "examples": ExamplesConfig(count=0)}
    return replace(world[1](model, lora=True), **{**usual, **changes})


@pytest.fixture
def answers_differ(monkeypatch):
    """The tiny captioner finds all digits equally likely; give it another output layer."""

    def load(config):
        model, numbers, questions = load_captioner(config)
        model.get_output_embeddings().weight.normal_(
            0, 0.1, generator=torch.Generator().manual_seed(0)
        )
        return model, numbers, questions

    monkeypatch.setattr(lora, "load_captioner", load)


def captions(config, keys):
    files = {key: next(Path(config.cache).glob(f"films/captions-*/{key}.jsonl")) for key in keys}
    return {key: read_captions(path) for key, path in files.items()}


def curve(folder):
    lines = (folder / "logs" / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("train/loss")
    return [float(line.split(",")[column]) for line in lines[1:] if line.split(",")[column]]


@pytest.mark.parametrize("model", ["scorer", "captioner"])
def test_a_fine_tuned_run_is_a_run_like_any_other(world, model, answers_differ):
    dataset, _ = world
    config = settings_of(world, model, lora=replace(QUICK, at_once=8 if model == "scorer" else 3))
    document, text = train(config)
    folder = Path(document["folder"])
    assert {path.name for path in folder.iterdir()} == {
        "config.yaml",
        "result.json",
        "run.log",
        "scores",
        "logs",
        "adapter",
    }
    losses = curve(folder)
    assert len(losses) == 3
    assert losses[0] - 0.1 > losses[1] > losses[2]
    assert (
        document["selection"],
        document["epoch"],
        document["epochs"],
        set(document["rules"]),
    ) == ("last", 3, 3, {"last"})
    reference = "zero_shot" if model == "scorer" else "captioner_zero_shot"
    assert list(document["protocols"]["paper"])[:2] == ["This run", reference]
    assert f"the {model}, fine-tuned (LoRA); selection=last: epoch 3 of 3, last epoch" in text
    assert np.isfinite(document["protocols"]["paper"]["This run"]["tau"])
    assert train(config)[1] == text
    saved = json.loads((folder / "scores" / "last.json").read_text())
    base, numbers, questions = (
        load_scorer(config, [], captions(config, saved))
        if model == "scorer"
        else lora.load_captioner(config)
    )
    peft_folder.load(base, folder / "adapter")
    for key, scores in saved.items():
        again = Answering(base, numbers).scores(questions.about(dataset.annotations_of(key)), 12)
        assert again.tolist() == pytest.approx(scores, abs=1e-6)


@pytest.mark.slow
def test_a_rule_that_chooses_among_epochs_evaluates_each(world):
    document, _ = train(settings_of(world, selection="val"))
    assert set(document["rules"]) == {"last", "val", "test"}
    assert len(document["videos"]["val"]) == 1
    adapter_file = Path(document["folder"]) / "adapter" / "adapter_model.safetensors"
    assert load_file(adapter_file)
    folder = Path(document["folder"])
    assert {path.name for path in (folder / "scores").iterdir()} == {
        "last.json",
        "val.json",
        "test.json",
    }


class Killed(BaseException):
    """No handler of ours or Lightning's knows it."""


def test_an_interrupted_training_ends_with_the_same_adapter(world, monkeypatch):
    config = settings_of(world)
    whole = Path(train(replace(config, experiment="whole"))[0]["folder"])

    start = lora.FinetuneModule.on_train_epoch_start

    def die(self):
        if self.current_epoch == 2:
            raise Killed
        start(self)

    config = replace(config, experiment="parts", log=replace(config.log, checkpoint_seconds=0))
    with monkeypatch.context() as patch:
        patch.setattr(lora.FinetuneModule, "on_train_epoch_start", die)
        with pytest.raises(Killed):
            train(config)
    folder = Path(config.runs) / "parts" / "fold0" / "seed1112"
    assert (
        folder / "last.ckpt"
    ).stat().st_size < 1_000_000  # the adapter and its optimizer, not the model
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()
    trained = []

    def count(self):
        trained.append(self.current_epoch)
        start(self)

    monkeypatch.setattr(lora.FinetuneModule, "on_train_epoch_start", count)
    train(config)
    assert trained == [2]
    one, other = (
        load_file(place / "adapter" / "adapter_model.safetensors") for place in (whole, folder)
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert (folder / "scores" / "last.json").read_text() == (
        whole / "scores" / "last.json"
    ).read_text()


def test_a_loss_that_breaks_down_is_placed_and_the_last_good_adapter_stays(world, monkeypatch):
    losses, seen = Answering.losses, []

    def breaking(self, asked, right):
        seen.append(len(asked))
        return losses(self, asked, right) * (float("nan") if sum(seen) > 16 else 1.0)

    monkeypatch.setattr(Answering, "losses", breaking)
    config = settings_of(world)
    with pytest.raises(
        UserError,
        match=(
            r"the loss became NaN or infinite in epoch 1 at step \d+ of video_\d \(video_\d\):"
            r" lower lora\.lr"
        ),
    ):
        train(config)
    folder = Path(config.runs) / "films" / "fold0" / "seed1112"
    assert all(
        torch.isfinite(value).all()
        for value in load_file(folder / "adapter" / "adapter_model.safetensors").values()
    )
    assert not (folder / "result.json").exists()


def test_other_settings_do_not_continue_a_checkpoint(world):
    saved = {
        "hyper_parameters": dict(lora.FinetuneModule(settings_of(world), pytest.fail, {}).hparams)
    }
    other = lora.FinetuneModule(settings_of(world, lora=replace(QUICK, rank=4)), pytest.fail, {})
    with pytest.raises(UserError, match=r"made with lora\.rank=2 \(expected 4\): start over"):
        other.refuse_other_training(saved)


@pytest.mark.slow
def test_examples_of_the_fold_stand_in_the_prompt(world, monkeypatch):
    shown = []

    def load(config, examples, captions):
        shown.extend(examples)
        return load_scorer(config, examples, captions)

    monkeypatch.setattr(lora, "load_scorer", load)
    document, _ = train(
        settings_of(
            world, examples=ExamplesConfig(source="fold", count=2), lora=replace(QUICK, epochs=1)
        )
    )
    cache = next(Path(document["embeddings"]["folder"]).parent.glob("captions-*"))
    texts = {key: (cache / f"{key}.jsonl").read_text() for key in document["videos"]["train"]}
    assert len(shown) == 2
    for example in shown:
        assert any(
            all(caption in text for caption in example.window.captions) for text in texts.values()
        )


@pytest.mark.slow
def test_two_ranks_train_the_same_adapter_as_one(world):
    plain = settings_of(world, lora=replace(QUICK, dropout=0.0))
    one, two = (
        Path(train(replace(plain, experiment=f"on{devices}", devices=devices))[0]["folder"])
        for devices in (1, 2)
    )
    first, second = (
        load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (one, two)
    )
    # Adam divides a gradient by its own size: where it is all but zero (below Adam's eps), rounding
    # becomes a visible part of a step, which is 1e-2 here. Such entries are few and move no score.
    apart = torch.cat([(first[name] - second[name]).abs().flatten() for name in first])
    assert float((apart > 1e-5).float().mean()) < 0.01
    assert float(apart.max()) < QUICK.lr / 100
    scores, again = (
        json.loads((folder / "scores" / "last.json").read_text()) for folder in (one, two)
    )
    for key in scores:
        assert again[key] == pytest.approx(scores[key], abs=1e-5)
