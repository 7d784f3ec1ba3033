"""One run: a fold from video files to its table. Every stage reuses what it finds and says so."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from llmvs.cache.embeddings import EmbeddingCache, differences
from llmvs.config.load import flat, load_config, run_folder, to_yaml
from llmvs.config.schema import Config
from llmvs.console import is_first_process, say
from llmvs.datasets import Fold
from llmvs.errors import UserError
from llmvs.evaluation.baselines import DRAWS, Figure, PerVideo, averaged
from llmvs.evaluation.judging import Judged, judge
from llmvs.experiments.evaluate import (
    as_numbers,
    label,
    random_note,
    titles,
    undefined_notes,
    with_floors,
)
from llmvs.experiments.resources import Bench
from llmvs.files import locked, read_json, write_json, write_text
from llmvs.methods.answers import ROW, Answered, answered, judge_answered
from llmvs.results.environment import environment
from llmvs.results.run_table import text_table

if TYPE_CHECKING:
    from llmvs.cache.captions import CaptionCache
    from llmvs.training.fit import Fit
    from llmvs.training.loggers import Diary

RESULT = "result.json"
OURS = "This run"
FORMAT = 2
"""2: `per_video` and `floors` hold every rule's and every floor's figures of each video, not the
selected rule's alone.
"""
Tick = Callable[[float], None]
"""Told the share of a run that is done, 0 to 1."""
HOW = (
    "resume",
    "runs",
    "cache",
    "accelerator",
    "devices",
    "num_nodes",
    "log",
    "caption.batch",
    "extract.refresh",
    "extract.tokens_per_batch",
)
"""Settings (or groups) that may change between two attempts at the same run: they say how it runs,
not what.
"""
RULES = {
    "val": "best on the held-out videos",
    "last": "the last one",
    "test": "best on the TEST videos, as published figures mostly are",
}


def train(
    config: Config, bench: Bench | None = None, tick: Tick | None = None
) -> tuple[dict[str, Any], str]:
    """Extract what is missing, train the head on one fold, judge it, and write the run's folder.

    The folder holds config.yaml, weights.safetensors and head.json of the selected epoch,
    scores/*.json, logs/, and result.json, which is written last: a folder that has it is finished,
    and is only read.

    Args:
        config: the run.
        bench: what runs on the same dataset share; None: this run is the only one.
        tick: told what share of the training is done, in place of a progress bar.

    Returns:
        The content of result.json, and the table as text.

    Raises:
        UserError: anything that the user can mend; what is already computed stays. Another process
            works on this run.
    """
    document = finished(config)
    if document is not None:
        say(f"reused: the finished run in {run_folder(config)} (resume=false trains it anew)")
    else:
        with _alone(run_folder(config)):
            _claim(run_folder(config), config)
            document = _run(config, bench, tick)
    return document, _text(document)


def finished(config: Config) -> dict[str, Any] | None:
    """The content of result.json where the run is finished and may be reused.

    Raises:
        UserError: the folder holds another configuration's run, or an unreadable result.
    """
    place = run_folder(config) / RESULT
    if not (config.resume and place.exists()):
        return None
    _refuse_other(run_folder(config), config)
    document: dict[str, Any] = read_json(place, "the result of a run")
    return document


def _run(config: Config, bench: Bench | None, tick: Tick | None) -> dict[str, Any]:
    clock = _Clock()
    bench = bench or Bench([config])
    fold = bench.fold(config)
    clock.lap("dataset")
    from llmvs.training.loggers import Diary

    with Diary(config, run_folder(config)) as diary:
        scored = _scores(config, bench, fold, clock, tick, diary)
        document = _judge(config, bench, fold, scored)
        clock.lap("evaluation")
        document |= {"seconds": clock.laps, "environment": environment()}
        _write(run_folder(config), document, scored.fitted, fold.test)
        diary.conclude(document, scored.fitted.videos["test"], scored.fitted.selected.scores)
    return document


class _Scored(NamedTuple):
    """What the configured method gave."""

    fitted: "Fit"
    cache: "EmbeddingCache | CaptionCache"
    """What the scores were made from."""
    numbers: Answered | None
    """What a frozen model answered by itself, where it was asked for numbers."""


def _scores(
    config: Config, bench: Bench, fold: Fold, clock: "_Clock", tick: Tick | None, diary: "Diary"
) -> _Scored:
    """Extract what is missing, and score the videos by the configured method."""
    if config.method.zero_shot:
        from llmvs.methods.zero_shot import ask, read

        if config.method.model == "captioner":
            asked = ask(config, bench.dataset, fold)
        else:
            asked = read(config, bench.dataset, fold, bench.embeddings(config, fold))
        clock.lap("extraction")
        return _Scored(*asked)
    if config.method.lora:
        return _tuned(config, bench, fold, clock, tick, diary)
    cache, extra = bench.embeddings(config, fold), bench.extra(config)
    clock.lap("extraction")
    from llmvs.training.fit import fit

    fitted = fit(config, bench.dataset, fold, cache, run_folder(config), tick, diary, extra)
    clock.lap("training")
    return _Scored(fitted, cache, answered(cache, fold.test))


def _tuned(
    config: Config, bench: Bench, fold: Fold, clock: "_Clock", tick: Tick | None, diary: "Diary"
) -> _Scored:
    """Fine-tune the scorer or the captioner; beside its scores, what it answered before."""
    from llmvs.extraction.models import free_memory
    from llmvs.methods.lora import tune
    from llmvs.methods.zero_shot import ask
    from llmvs.models.adapters.adapter import require_peft

    require_peft()
    cache: EmbeddingCache | CaptionCache
    numbers: Answered | None
    if config.method.model == "captioner":
        _, cache, numbers = ask(config, bench.dataset, fold)
    else:
        cache = bench.embeddings(config, fold)
        numbers = answered(cache, fold.test)
    clock.lap("extraction")
    fitted = tune(config, bench.dataset, fold, cache, run_folder(config), tick, diary)
    free_memory()
    clock.lap("training")
    return _Scored(fitted, cache, numbers)


def _judge(config: Config, bench: Bench, fold: Fold, scored: _Scored) -> dict[str, Any]:
    """What is known of a run once its scores are there: all of result.json but its cost."""
    dataset, (fitted, cache, numbers) = bench.dataset, scored
    judged = [video for part in ("val", "test") for video in fitted.videos.get(part, [])]
    used = replace(dataset, videos={**dataset.videos, **{video.key: video for video in judged}})
    rules = {rule: judge(used, epoch.scores, [fold.test]) for rule, epoch in fitted.epochs.items()}
    floors, notes = bench.floors(used, fold.test), [random_note(DRAWS)]
    row = (
        OURS
        if config.method.zero_shot
        else f"captioner_{ROW}"
        if config.method.model == "captioner"
        else ROW
    )
    alone, more = judge_answered(used, numbers, fold.test, row) if numbers is not None else ({}, [])
    if row == OURS:
        rules = {fitted.selection: alone[OURS]}
    else:
        notes += undefined_notes(rules[fitted.selection])
    contenders = {OURS: rules[fitted.selection], **alone}
    trimmed = [
        f"{video.key} ({video.name}): judged on the first {video.n_steps} of"
        f" {dataset.video(video.key).n_steps} steps."
        for video in fitted.videos["test"]
        if video.n_steps < dataset.video(video.key).n_steps
    ]
    return {
        "format": FORMAT,
        "experiment": config.experiment,
        "folder": str(run_folder(config)),
        "dataset": dataset.name,
        "synthetic": dataset.synthetic,
        "heading": label(dataset),
        "splits": config.data.splits,
        "fold": config.fold,
        "seed": config.seed,
        "selection": fitted.selection,
        "method": asdict(config.method),
        "epoch": fitted.selected.epoch + 1,
        "epochs": _epochs(config),
        "videos": {
            "train": [video.key for video in fitted.videos.get("train", [])],
            "val": list(fold.val),
            "test": list(fold.test),
        },
        "titles": titles(dataset),
        "protocols": as_numbers(with_floors(contenders, averaged(floors, [fold.test]))),
        "notes": [*notes, *more, *trimmed],
        "per_video": {
            **_per_video(rules),
            **_per_video({row: found for row, found in contenders.items() if row != OURS}),
        },
        "floors": _floors_per_video(floors),
        "rules": {
            rule: {
                "epoch": epoch.epoch + 1,
                "means": {
                    part: {name: pair._asdict() for name, pair in rows.items()}
                    for part, rows in epoch.means.items()
                },
            }
            for rule, epoch in fitted.epochs.items()
        },
        "embeddings": _made_with(cache),
        "extra": {other.name: _made_with(made) for other, made in bench.extra(config)},
        "transfer": config.data.transfer,
    }


def _made_with(cache: "EmbeddingCache | CaptionCache") -> dict[str, Any]:
    return {"folder": str(cache.folder), "identity": dict(cache.identity)}


def _per_video(
    rows: Mapping[str, Mapping[str, Judged]],
) -> dict[str, dict[str, dict[str, tuple[float, float]]]]:
    """Row -> protocol -> video -> tau and rho (or mean and maximum F1)."""
    return {
        row: {name: judged.per_video for name, judged in found.items()}
        for row, found in rows.items()
    }


def _floors_per_video(floors: Mapping[str, Mapping[str, PerVideo]]) -> dict[str, Any]:
    """Row -> protocol -> video -> the same two numbers; of Random their means over draws, then
    their deviations.
    """
    table: dict[str, Any] = {}
    for key, blocks in floors.items():
        for name, rows in blocks.items():
            for row, values in rows.items():
                numbers = (
                    [*values.mean(axis=0), *values.std(axis=0)] if values.ndim == 2 else values
                )
                table.setdefault(row, {}).setdefault(name, {})[key] = numbers
    return table


def _write(folder: Path, document: dict[str, Any], fitted: "Fit", test: Sequence[str]) -> None:
    """The scores of every rule, then the result; what an interrupted run would have needed is not
    needed any more.
    """
    if is_first_process():
        for rule, epoch in fitted.epochs.items():
            write_json(folder / "scores" / f"{rule}.json", {key: epoch.scores[key] for key in test})
        write_json(folder / RESULT, document)
        (folder / "last.ckpt").unlink(missing_ok=True)


def _alone(folder: Path) -> AbstractContextManager[None]:
    """Hold the run's folder against other processes; a run's first rank holds it for all ranks."""
    if not is_first_process():
        return nullcontext()
    return locked(
        folder / ".lock",
        f"{folder}: another process is at work on this run: wait for it, or give this one a name of"
        " its own with experiment=NAME",
    )


def _claim(folder: Path, config: Config) -> None:
    """Make the folder this configuration's; refuse one that another configuration's run is in."""
    path = folder / "config.yaml"
    if path.exists() and config.resume:
        _refuse_other(folder, config)
    elif is_first_process():
        (folder / RESULT).unlink(missing_ok=True)
        write_text(path, to_yaml(config))


def _refuse_other(folder: Path, config: Config) -> None:
    path = folder / "config.yaml"
    changes = differences(_what(load_config([str(path)])), _what(config)) if path.exists() else []
    if changes:
        raise UserError(
            f"{folder}: holds a run made with {'; '.join(changes)}: give this one a name of its own"
            " with experiment=NAME, or replace that one with resume=false"
        )


def _what(config: Config) -> dict[str, Any]:
    how = tuple(f"{key}." for key in HOW)
    return {key: value for key, value in flat(config).items() if not f"{key}.".startswith(how)}


def _text(document: Mapping[str, Any]) -> str:
    return f"{table(document)}\n\nrun: {document['folder']}"


def table(document: Mapping[str, Any]) -> str:
    """The table a run ends with, from its result alone."""
    blocks = {
        name: {row: Figure(*figure.values()) for row, figure in rows.items()}
        for name, rows in document["protocols"].items()
    }
    videos = document["videos"]
    lines = [
        (
            f"{document['heading']}, {document['splits']} splits, fold {document['fold']}, seed"
            f" {document['seed']}: {len(videos['train'])} videos trained on{_elsewhere(document)},"
            f" {len(videos['val'])} held out, {len(videos['test'])} tested"
        ),
        _chosen(document),
    ]
    return "\n".join(
        [*lines, "", text_table(_undefined(blocks), document["titles"], document["notes"])]
    )


def _elsewhere(document: Mapping[str, Any]) -> str:
    """How many of the training videos other datasets gave."""
    counts = {
        name: sum(key.startswith(f"{name}/") for key in document["videos"]["train"])
        for name in document.get("extra", {})
    }
    return (
        f" ({', '.join(f'{count} of {name}' for name, count in counts.items())})" if counts else ""
    )


def _epochs(config: Config) -> int:
    return (
        0
        if config.method.zero_shot
        else config.lora.epochs
        if config.method.lora
        else config.optim.epochs
    )


def _chosen(document: Mapping[str, Any]) -> str:
    """Which epoch of what the row shows."""
    if not document["epochs"]:
        return f"the {document['method']['model']} alone, zero-shot: nothing is trained"
    method = document.get("method", {})
    tuned = f"the {method['model']}, fine-tuned (LoRA); " if method.get("lora") else ""
    return (
        f"{tuned}selection={document['selection']}: epoch {document['epoch']} of"
        f" {document['epochs']}, {RULES[document['selection']]}"
    )


def _undefined(blocks: Mapping[str, Mapping[str, Figure]]) -> dict[str, dict[str, Figure]]:
    """JSON's null is NaN again."""
    nan = float("nan")
    return {
        name: {
            row: replace(
                figure,
                first=nan if figure.first is None else figure.first,
                second=nan if figure.second is None else figure.second,
            )
            for row, figure in rows.items()
        }
        for name, rows in blocks.items()
    }


@dataclass
class _Clock:
    """Seconds per stage."""

    laps: dict[str, float]
    last: float

    def __init__(self) -> None:
        self.laps, self.last = {}, time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage], self.last = round(now - self.last, 2), now
