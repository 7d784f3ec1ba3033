"""What `llmvs baselines` and `llmvs evaluate` print: any scores, or none, beside what chance and
people reach.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy.typing as npt

from llmvs.config.schema import Config
from llmvs.datasets import Dataset
from llmvs.errors import UserError
from llmvs.evaluation.baselines import baselines
from llmvs.evaluation.bootstrap import paired_difference
from llmvs.evaluation.evaluate import (
    Evaluation,
    Folds,
    covered,
    evaluate,
    evaluate_untied,
    is_coarse,
)
from llmvs.evaluation.protocol import Values
from llmvs.evaluation.protocols import by_name, protocols
from llmvs.evaluation.scores_file import Per, read_scores
from llmvs.experiments.opening import open_dataset
from llmvs.results.labels import tie_broken
from llmvs.results.report import figures_text


def baselines_document(config: Config, draws: int) -> tuple[dict[str, Any], str]:
    """What chance and people reach on a dataset over all folds, as a JSON document and as text."""
    dataset = open_dataset(config, a_part=True)
    tests = _tests(config, dataset)
    blocks = baselines(dataset, list(tests.values()), draws)
    heading = f"{label(dataset)}, {config.data.splits} splits, mean over {len(tests)} folds"
    document = {
        **_about(config, dataset),
        "folds": list(tests),
        "draws": draws,
        "protocols": blocks,
    }
    table = figures_text(document["protocols"], titles(dataset), [random_note(draws)])
    return document, f"{heading}\n\n{table}"


def evaluate_document(
    config: Config, files: Sequence[Path], draws: int, per: Per = "step"
) -> tuple[dict[str, Any], str]:
    """Anybody's scores beside what chance and people reach on the folds that all files cover, as a
    JSON document and as text; several files are compared with the first, video by video.

    Raises:
        UserError: a file that cannot be read or is given twice, or no video that all files score.
    """
    dataset = open_dataset(config, a_part=True)
    named = _read_all(files, dataset, per)
    tests = _tests(config, dataset)
    common = set.intersection(*(set(scores) for scores in named.values()))
    if not common:
        raise UserError(f"{' and '.join(named)}: score no video in common")
    folds = [fold for fold, test in tests.items() if covered([test], common)]
    chosen = [tests[fold] for fold in folds] or [sorted(common)]
    scope = (
        f"mean over folds {', '.join(map(str, folds))}"
        if folds
        else f"the {len(common)} videos given (they cover no whole fold)"
    )
    rows: dict[str, dict[str, Evaluation]] = {}
    for own, scores in named.items():
        rows[own] = evaluate(dataset, scores, chosen)
        if is_coarse(scores):
            rows[tie_broken(own)] = evaluate_untied(dataset, scores, chosen)
    blocks = with_baselines(rows, baselines(dataset, chosen, draws))
    others = list(named)[1:]
    document = {
        **_about(config, dataset),
        "scores": [*named] if others else next(iter(named)),
        "folds": folds,
        "videos": sorted({k for t in chosen for k in t}),
        "draws": draws,
        "protocols": blocks,
    }
    per_video = {
        own: {name: in_order(found.per_video) for name, found in rows[own].items()} for own in named
    }
    document["per_video"] = per_video if others else per_video[document["scores"]]
    notes = [random_note(draws)]
    for own in named:
        notes += [f"{own}: {note}" if others else note for note in undefined_notes(rows[own])]
    if others:
        document["differences"] = differences([*named], rows, chosen)
        notes += difference_notes(document["differences"])
    heading = f"{label(dataset)}, {config.data.splits} splits, {scope}"
    return document, f"{heading}\n\n{figures_text(document['protocols'], titles(dataset), notes)}"


def differences(
    files: Sequence[str], rows: Mapping[str, Mapping[str, Evaluation]], folds: Folds
) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Protocol -> `other - first` -> measure -> mean difference over videos, its 95 % interval, and
    p; of protocols that are defined for every video of both.
    """
    shares = {key: 0.0 for fold in folds for key in fold}
    for fold in folds:
        for key in fold:
            shares[key] += 1 / len(fold) / len(folds)
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    first, *others = files
    for other in others:
        for name, mine in rows[first].items():
            theirs = rows[other][name]
            if mine.undefined or theirs.undefined:
                continue
            found.setdefault(name, {})[f"{other} - {first}"] = {
                measure: asdict(
                    paired_difference(
                        [theirs.per_video[key][measure] for key in shares],
                        [mine.per_video[key][measure] for key in shares],
                        weights=list(shares.values()),
                    )
                )
                for measure in mine.mean
            }
    return found


def difference_notes(
    found: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]],
) -> list[str]:
    """One line per protocol and pair: the first measure's difference."""
    notes = []
    for name, pairs in found.items():
        percent = by_name(name).percent
        for pair, measures in pairs.items():
            measure, value = next(iter(measures.items()))
            mean, low, high = (
                f"{100 * value[key]:+.2f}" if percent else f"{value[key]:+.4f}"
                for key in ("mean", "low", "high")
            )
            chance = f"p {value['p']:.3f}" if value["p"] >= 0.001 else "p < .001"
            unit = " %" if percent else ""
            held = f"{low} to {high}" if math.isfinite(value["low"]) else "unbounded"
            notes.append(
                f"{name}: {pair}: {measure} {mean}{unit} (95 %: {held}; {chance}), video by video."
            )
    return notes


def _read_all(
    files: Sequence[Path], dataset: Dataset, per: Per
) -> dict[str, dict[str, npt.NDArray]]:
    """Every file's scores by its name."""
    named: dict[str, dict[str, npt.NDArray]] = {}
    for file in files:
        if str(file) in named:
            raise UserError(f"--scores {file}: given twice: name every file once")
        named[str(file)] = dict(read_scores(file, dataset, per))
    return named


def with_baselines(
    rows: Mapping[str, Mapping[str, Evaluation]], below: Mapping[str, Mapping[str, Values]]
) -> dict[str, dict[str, Values]]:
    """Per protocol the rows of scores above the baselines."""
    return {
        name: {
            **{row: found[name].mean for row, found in rows.items() if name in found},
            **baseline_rows,
        }
        for name, baseline_rows in below.items()
    }


def titles(dataset: Dataset) -> dict[str, str]:
    """What every protocol of the dataset compares."""
    return {name: protocol.title for name, protocol in protocols(dataset).items()}


def in_order(per_video: Mapping[str, Values]) -> dict[str, list[float]]:
    """Video -> its values without the measures' names, in their order, as documents hold them."""
    return {key: list(values.values()) for key, values in per_video.items()}


def label(dataset: Dataset) -> str:
    """The dataset's name, with a word of warning where no human made the annotations, and where
    videos are left out.
    """
    name = f"{dataset.name} (synthetic annotators)" if dataset.synthetic else dataset.name
    if not dataset.absent:
        return name
    reasons = Counter(dataset.absent.values())
    said = ", ".join(f"{reason}: {count}" for reason, count in reasons.items())
    whole = len(dataset.absent) + len(dataset.annotations)
    return f"{name} ({len(dataset.absent)} of {whole} videos left out; {said})"


def random_note(draws: int) -> str:
    """How the Random row was made."""
    return (
        f"Random: mean and standard deviation over {draws} draws; standard error of the mean: sd /"
        f" {math.sqrt(draws):.1f}."
    )


def undefined_notes(found: Mapping[str, Evaluation]) -> list[str]:
    """One line per protocol that is undefined for some video."""
    return [
        f"{name}: undefined, because the scores of {', '.join(result.undefined)} have no ranking"
        " (constant, or no shot fits)."
        for name, result in found.items()
        if result.undefined
    ]


def _tests(config: Config, dataset: Dataset) -> dict[int, list[str]]:
    """Fold -> its test videos; a fold none of whose test videos is there is left out.

    Raises:
        UserError: no fold has any.
    """
    folds = dataset.splits[config.data.splits]
    tests = {fold: test for fold, (_, test) in enumerate(folds) if test}
    if not tests:
        raise UserError(
            f"{label(dataset)}: no test video of its {config.data.splits} splits is left"
        )
    return tests


def _about(config: Config, dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "synthetic": dataset.synthetic,
        "root": config.data.root,
        "splits": config.data.splits,
        "absent": dict(dataset.absent),
    }
