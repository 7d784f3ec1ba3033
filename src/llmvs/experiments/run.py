"""One run: a fold from video files to its table. Every stage reuses what it finds and says so."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmvs.config import Config
from llmvs.console import is_first_process, say
from llmvs.datasets import Dataset, Fold
from llmvs.datasets.splits import fold as make_fold
from llmvs.embeddings import EmbeddingCache, differences
from llmvs.errors import UserError
from llmvs.evaluation.baselines import DRAWS, Figure, baselines
from llmvs.evaluation.judging import judge
from llmvs.experiments.environment import environment
from llmvs.experiments.judged import as_numbers, label, open_dataset, random_note, titles, undefined_notes, with_floors
from llmvs.experiments.tables import text_table
from llmvs.experiments.zeroshot import ROW, answered, judge_answered
from llmvs.files import read_json, write_json, write_text
from llmvs.layers import flat, load_config, run_folder, to_yaml

if TYPE_CHECKING:
    from llmvs.experiments.fit import Fit

RESULT = "result.json"
HOW = ("resume", "runs", "cache", "accelerator", "devices", "num_nodes", "log",
       "caption.batch", "extract.refresh", "extract.tokens_per_batch")
"""Settings (or groups) that may change between two attempts at the same run: they say how it runs, not what."""
RULES = {"val": "best on the held-out videos", "last": "the last one", "test": "best on the TEST videos, as published figures mostly are"}


def train(config: Config) -> tuple[dict[str, Any], str]:
    """Extract what is missing, train the head on one fold, judge it, and write the run's folder.

    The folder holds config.yaml, weights.safetensors and head.json of the selected epoch, scores/*.json, logs/, and
    result.json, which is written last: a folder that has it is finished, and is only read.

    Returns:
        The content of result.json, and the table as text.

    Raises:
        UserError: anything that the user can mend; what is already computed stays.
    """
    folder = run_folder(config)
    _claim(folder, config)
    if config.resume and (folder / RESULT).exists():
        say(f"reused: the finished run in {folder} (resume=false trains it anew)")
        document = read_json(folder / RESULT, "the result of a run")
        return document, _text(document)
    clock = _Clock()
    dataset = open_dataset(config)
    fold = make_fold(dataset, config.data.splits, config.fold, config.data.val_fraction if config.selection == "val" else 0.0)
    clock.lap("dataset")
    cache = _embeddings(config, dataset, fold)
    clock.lap("extraction")
    from llmvs.experiments.fit import fit

    fitted = fit(config, dataset, fold, cache, folder)
    clock.lap("training")
    document = _judge(config, dataset, fold, cache, fitted)
    clock.lap("evaluation")
    document |= {"seconds": clock.laps, "environment": environment()}
    _write(folder, document, fitted, fold.test)
    return document, _text(document)


def _judge(config: Config, dataset: Dataset, fold: Fold, cache: EmbeddingCache, fitted: "Fit") -> dict[str, Any]:
    """What is known of a run once its scores are there: all of result.json but its cost."""
    used = replace(dataset, videos={**dataset.videos, **{video.key: video for videos in fitted.videos.values() for video in videos}})
    chosen = fitted.selected
    judged = judge(used, chosen.scores, [fold.test])
    contenders, notes = {"This run": judged}, [random_note(DRAWS), *undefined_notes(judged)]
    if (numbers := answered(cache, fold.test)) is not None:
        contenders[ROW], more = judge_answered(used, numbers, fold.test)
        notes += more
    trimmed = [f"{video.key} ({video.name}): judged on the first {video.n_steps} of {dataset.video(video.key).n_steps} steps."
               for video in fitted.videos["test"] if video.n_steps < dataset.video(video.key).n_steps]
    return {
        "format": 1, "experiment": config.experiment, "folder": str(run_folder(config)),
        "dataset": dataset.name, "synthetic": dataset.synthetic, "heading": label(dataset), "splits": config.data.splits,
        "fold": config.fold, "seed": config.seed, "selection": config.selection, "epoch": chosen.epoch + 1, "epochs": config.optim.epochs,
        "videos": {"train": list(fold.train), "val": list(fold.val), "test": list(fold.test)},
        "titles": titles(dataset), "protocols": as_numbers(with_floors(contenders, baselines(used, [fold.test]))),
        "notes": [*notes, *trimmed],
        "per_video": {name: result.per_video for name, result in judged.items()},
        "per_video_of": {row: {name: result.per_video for name, result in contenders[row].items()} for row in (ROW,) if row in contenders},
        "rules": {rule: {"epoch": epoch.epoch + 1, "means": {part: {name: pair._asdict() for name, pair in rows.items()}
                         for part, rows in epoch.means.items()}} for rule, epoch in fitted.epochs.items()},
        "embeddings": {"folder": str(cache.folder), "identity": dict(cache.identity)},
    }


def _write(folder: Path, document: dict[str, Any], fitted: "Fit", test: Sequence[str]) -> None:
    """The scores of every rule, then the result; what an interrupted run would have needed is not needed any more."""
    if is_first_process():
        for rule, epoch in fitted.epochs.items():
            write_json(folder / "scores" / f"{rule}.json", {key: epoch.scores[key] for key in test})
        write_json(folder / RESULT, document)
        (folder / "last.ckpt").unlink(missing_ok=True)


def _embeddings(config: Config, dataset: Dataset, fold: Fold) -> EmbeddingCache:
    """The cache that the configuration asks for: the folder it names, or what extraction makes of the fold's videos."""
    if config.extract.embeddings:
        cache = EmbeddingCache(Path(config.extract.embeddings))
        settings = flat(config)
        said = {key: value for key, value in cache.identity.items() if key in settings}
        changes = differences(said, {key: settings[key] for key in said})
        if changes:
            raise UserError(f"extract.embeddings={cache.folder}: made with {'; '.join(changes)}: use the same settings, or another folder")
        say(f"reused: the embeddings in {cache.folder}, as they are")
        return cache
    from llmvs.experiments.ranks import extract_shared
    from llmvs.extraction.source import Source

    sources = [Source.of(dataset.video(key)) for key in (*fold.train, *fold.val, *fold.test)]
    extraction = extract_shared(config, dataset.name, sources, [dataset.video(key) for key in fold.train])
    extraction.check()
    return extraction.cache


def _claim(folder: Path, config: Config) -> None:
    """Make the folder this configuration's; refuse one that another configuration's run is in."""
    path = folder / "config.yaml"
    if path.exists() and config.resume:
        was, now = _what(load_config([str(path)])), _what(config)
        changes = differences(was, now)
        if changes:
            raise UserError(f"{folder}: holds a run made with {'; '.join(changes)}: give this one a name of its own with "
                            "experiment=NAME, or replace that one with resume=false")
        return
    if is_first_process():
        (folder / RESULT).unlink(missing_ok=True)
        write_text(path, to_yaml(config))


def _what(config: Config) -> dict[str, Any]:
    how = tuple(f"{key}." for key in HOW)
    return {key: value for key, value in flat(config).items() if not f"{key}.".startswith(how)}


def _text(document: Mapping[str, Any]) -> str:
    return f"{table(document)}\n\nrun: {document['folder']}"


def table(document: Mapping[str, Any]) -> str:
    """The table a run ends with, from its result alone."""
    blocks = {name: {row: Figure(*figure.values()) for row, figure in rows.items()} for name, rows in document["protocols"].items()}
    videos = document["videos"]
    lines = [
        f"{document['heading']}, {document['splits']} splits, fold {document['fold']}, seed {document['seed']}: "
        f"{len(videos['train'])} videos trained on, {len(videos['val'])} held out, {len(videos['test'])} tested",
        f"selection={document['selection']}: epoch {document['epoch']} of {document['epochs']}, {RULES[document['selection']]}",
    ]
    return "\n".join([*lines, "", text_table(_undefined(blocks), document["titles"], document["notes"])])


def _undefined(blocks: Mapping[str, Mapping[str, Figure]]) -> dict[str, dict[str, Figure]]:
    """JSON's null is NaN again."""
    nan = float("nan")
    return {name: {row: replace(figure, first=nan if figure.first is None else figure.first,
                                second=nan if figure.second is None else figure.second) for row, figure in rows.items()}
            for name, rows in blocks.items()}


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
