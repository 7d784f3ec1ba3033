"""From a run's scores to its result: evaluated beside what a frozen model answers, chance and
people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmvs.config.schema import Config
from llmvs.datasets import Dataset, Fold
from llmvs.datasets.video import Array
from llmvs.evaluation.baselines import DRAWS, Rows, averaged
from llmvs.evaluation.evaluate import Evaluation, evaluate, evaluate_untied
from llmvs.evaluation.protocols import protocols
from llmvs.experiments.evaluate import (
    in_order,
    label,
    random_note,
    titles,
    undefined_notes,
    with_baselines,
)
from llmvs.experiments.resources import Resources
from llmvs.results.labels import RUN, SIMPLE, ZERO_SHOT, label_of, tie_broken
from llmvs.results.schema import FORMAT, Chosen, MadeFrom, Method, PerVideo, Result, Videos

if TYPE_CHECKING:
    from llmvs.methods.answers import Answers
    from llmvs.methods.base import MadeFrom as Made
    from llmvs.methods.base import Scores

UNDEFINED = float("nan")
Evaluations = dict[str, Evaluation]
"""Protocol -> what it says of one row."""


def result_of(
    config: Config,
    folder: Path,
    resources: Resources,
    fold: Fold,
    scores: "Scores",
    beside: Mapping[str, Mapping[str, Array]],
) -> Result:
    """The result of a run but for its cost (`seconds` and `environment` are empty).

    Args:
        config: the run.
        folder: of the run.
        resources: the dataset and its baselines.
        fold: what was scored.
        scores: by the configured method.
        beside: baseline that costs nothing -> test video -> step scores.
    """
    dataset = resources.dataset
    used = _as_scored(dataset, scores)
    by_rule = {rule: evaluate(used, one.scores, [fold.test]) for rule, one in scores.epochs.items()}
    answers, answer_notes = _answer_rows(used, scores, fold)
    rows = {RUN.key: by_rule[scores.selection.rule], **answers}
    simple, simple_notes = _simple_rows(used, beside, fold)
    baselines = resources.baselines(used, fold.test)
    own_notes = [] if scores.zero_shot else undefined_notes(rows[RUN.key])
    notes = [*own_notes, *simple_notes, *answer_notes, *_trimmed(dataset, scores)]
    chance = averaged(baselines, protocols(used), [fold.test])
    blocks = with_baselines({**rows, **simple}, chance)
    return Result(
        format=FORMAT,
        experiment=config.experiment,
        folder=str(folder),
        dataset=dataset.name,
        synthetic=dataset.synthetic,
        absent=dict(dataset.absent),
        heading=label(dataset),
        splits=config.data.splits,
        fold=config.fold,
        seed=config.seed,
        selection=scores.selection.rule,
        method=Method(**asdict(config.method)),
        epoch=scores.selected.epoch + 1,
        epochs=scores.n_epochs,
        videos=_videos(scores, fold),
        titles=titles(dataset),
        protocols=blocks,
        notes=[random_note(DRAWS), *notes],
        per_video={
            row.replace(RUN.key, scores.selection.rule): _per_video(found)
            for row, found in {**by_rule, **rows}.items()
        },
        baselines={
            **{row: _per_video(found) for row, found in simple.items()},
            **_baselines_per_row(baselines),
        },
        rules={
            rule: Chosen(one.epoch + 1, one.means, one.look) for rule, one in scores.epochs.items()
        },
        embeddings=_made_from(scores.made_from),
        other_datasets={
            one.name: _made_from(made) for one, made in resources.other_datasets(config)
        },
        transfer=config.data.transfer,
        seconds={},
        environment={},
        selection_by=list(scores.selection.by),
        selection_looks=scores.selection.looks,
    )


def _as_scored(dataset: Dataset, scores: "Scores") -> Dataset:
    """The dataset with the scored videos as far as they were scored."""
    scored = [video for part in ("val", "test") for video in scores.videos.get(part, [])]
    return replace(
        dataset, annotations={**dataset.annotations, **{video.key: video for video in scored}}
    )


def _videos(scores: "Scores", fold: Fold) -> Videos:
    train = [video.key for video in scores.videos.get("train", [])]
    return Videos(train, list(fold.val), list(fold.test))


def _simple_rows(
    dataset: Dataset, beside: Mapping[str, Mapping[str, Array]], fold: Fold
) -> tuple[dict[str, Evaluations], list[str]]:
    """The rows of the baselines that cost nothing, and the notes that belong to them."""
    rows = {name: evaluate(dataset, found, [fold.test]) for name, found in beside.items()}
    notes = [
        f"{SIMPLE[name].label}: {note}"
        for name, found in rows.items()
        for note in undefined_notes(found)
    ]
    return rows, notes


def _answer_rows(
    dataset: Dataset, scores: "Scores", fold: Fold
) -> tuple[dict[str, Evaluations], list[str]]:
    """The rows of a frozen model's answers: the run's own where they are its scores, else its
    zero-shot row.
    """
    if scores.answers is None:
        return {}, []
    row = RUN if scores.zero_shot else ZERO_SHOT[scores.answers.model]
    return evaluate_answers(dataset, scores.answers, fold.test, row.key)


def evaluate_answers(
    dataset: Dataset, answers: "Answers", test: tuple[str, ...] | list[str], row: str
) -> tuple[dict[str, Evaluations], list[str]]:
    """Evaluate a model's numbers like any scores, and with their ties broken.

    Returns:
        row -> protocol -> evaluation (the second row, unless a video has no number, is that of the
        broken ties), and the notes that belong to them.

    Where a video has no number the row is undefined: a mean over the other videos would be another
    table's figure.
    """
    found, name = evaluate(dataset, answers.scores, [test]), label_of(row, [row])
    notes = answers.notes(name)
    if not answers.silent:
        notes += [f"{name}: {note}" for note in undefined_notes(found)]
        return {
            row: found,
            tie_broken(row): evaluate_untied(dataset, answers.scores, [test]),
        }, notes
    return {row: {name: _silenced(one, answers.silent) for name, one in found.items()}}, notes


def _silenced(found: Evaluation, silent: Sequence[str]) -> Evaluation:
    """An evaluation that is undefined for some videos, and so as a whole."""
    nothing = dict.fromkeys(found.mean, UNDEFINED)
    return Evaluation(nothing, {**found.per_video, **dict.fromkeys(silent, nothing)})


def _trimmed(dataset: Dataset, scores: "Scores") -> list[str]:
    """A note for every test video that is shorter than its annotations."""
    return [
        f"{video.key} ({video.name}): evaluated on the first {video.n_steps} of"
        f" {dataset.annotations_of(video.key).n_steps} steps."
        for video in scores.videos["test"]
        if video.n_steps < dataset.annotations_of(video.key).n_steps
    ]


def _per_video(found: Evaluations) -> PerVideo:
    return {protocol: in_order(one.per_video) for protocol, one in found.items()}


def _baselines_per_row(found: Mapping[str, Mapping[str, Rows]]) -> dict[str, PerVideo]:
    """Row -> protocol -> video -> its values; of Random their means over draws, then their
    deviations.
    """
    table: dict[str, PerVideo] = {}
    for key, blocks in found.items():
        for protocol, rows in blocks.items():
            for row, values in rows.items():
                numbers = (
                    [*values.mean(axis=0), *values.std(axis=0)] if values.ndim == 2 else values
                )
                table.setdefault(row, {}).setdefault(protocol, {})[key] = [
                    float(number) for number in numbers
                ]
    return table


def _made_from(cache: "Made") -> MadeFrom:
    return MadeFrom(str(cache.folder), dict(cache.identity))
