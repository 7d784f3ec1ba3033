"""What `llmvs baselines` and `llmvs evaluate` print: any scores, or none, beside what chance and
people reach.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmvs.config.schema import Config
from llmvs.datasets import Dataset
from llmvs.evaluation.baselines import baselines
from llmvs.evaluation.evaluate import (
    Evaluation,
    covered,
    evaluate,
    evaluate_untied,
    is_coarse,
)
from llmvs.evaluation.protocol import Values
from llmvs.evaluation.protocols import protocols
from llmvs.evaluation.scores_file import read_scores
from llmvs.experiments.opening import open_dataset
from llmvs.results.labels import tie_broken
from llmvs.results.report import figures_text


def baselines_document(config: Config, draws: int) -> tuple[dict[str, Any], str]:
    """What chance and people reach on a dataset over all folds, as a JSON document and as text."""
    dataset = open_dataset(config)
    tests = [test for _, test in dataset.splits[config.data.splits]]
    blocks = baselines(dataset, tests, draws)
    heading = f"{label(dataset)}, {config.data.splits} splits, mean over {len(tests)} folds"
    document = {
        **_about(config, dataset),
        "folds": list(range(len(tests))),
        "draws": draws,
        "protocols": blocks,
    }
    table = figures_text(document["protocols"], titles(dataset), [random_note(draws)])
    return document, f"{heading}\n\n{table}"


def evaluate_document(config: Config, scores_file: Path, draws: int) -> tuple[dict[str, Any], str]:
    """Anybody's scores beside what chance and people reach on the folds they cover, as a JSON
    document and as text.
    """
    dataset = open_dataset(config)
    scores = read_scores(scores_file, dataset)
    tests = [test for _, test in dataset.splits[config.data.splits]]
    folds = covered(tests, scores)
    chosen = [tests[index] for index in folds] or [sorted(scores)]
    scope = (
        f"mean over folds {', '.join(map(str, folds))}"
        if folds
        else f"the {len(scores)} videos given (they cover no whole fold)"
    )
    own = str(scores_file)
    rows = {own: evaluate(dataset, scores, chosen)}
    if is_coarse(scores):
        rows[tie_broken(own)] = evaluate_untied(dataset, scores, chosen)
    blocks = with_baselines(rows, baselines(dataset, chosen, draws))
    heading = f"{label(dataset)}, {config.data.splits} splits, {scope}"
    document = {
        **_about(config, dataset),
        "scores": own,
        "folds": folds,
        "videos": sorted({k for t in chosen for k in t}),
        "draws": draws,
        "protocols": blocks,
        "per_video": {name: in_order(found.per_video) for name, found in rows[own].items()},
    }
    notes = [random_note(draws), *undefined_notes(rows[own])]
    return document, f"{heading}\n\n{figures_text(document['protocols'], titles(dataset), notes)}"


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
    """The dataset's name, with a word of warning where no human made the annotations."""
    return f"{dataset.name} (synthetic annotators)" if dataset.synthetic else dataset.name


def random_note(draws: int) -> str:
    """How the Random row was made."""
    return f"Random: mean and standard deviation over {draws} draws."


def undefined_notes(found: Mapping[str, Evaluation]) -> list[str]:
    """One line per protocol that is undefined for some video."""
    return [
        f"{name}: undefined, because the scores of {', '.join(result.undefined)} have no ranking"
        " (constant, or no shot fits)."
        for name, result in found.items()
        if result.undefined
    ]


def _about(config: Config, dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "synthetic": dataset.synthetic,
        "root": config.data.root,
        "splits": config.data.splits,
    }
