"""What `llmvs baselines` and `llmvs evaluate` print: any scores, or none, beside what chance and
people reach.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llmvs.config.schema import Config
from llmvs.datasets import Dataset
from llmvs.errors import UserError
from llmvs.evaluation.baselines import Figure, baselines
from llmvs.evaluation.judging import Judged, covered, is_coarse, judge, judge_untied, read_scores
from llmvs.evaluation.measures import MEASURES, columns
from llmvs.evaluation.protocols import protocols
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
        "protocols": as_numbers(blocks),
    }
    table = figures_text(document["protocols"], titles(dataset), [random_note(draws)])
    return document, f"{heading}\n\n{table}"


def evaluate_document(config: Config, scores_file: Path, draws: int) -> tuple[dict[str, Any], str]:
    """Anybody's scores beside what chance and people reach on the folds they cover, as a JSON
    document and as text.
    """
    dataset = open_dataset(config, a_part=True)
    scores = read_scores(scores_file, dataset)
    tests = _tests(config, dataset)
    folds = [fold for fold, test in tests.items() if covered([test], scores)]
    chosen = [tests[fold] for fold in folds] or [sorted(scores)]
    scope = (
        f"mean over folds {', '.join(map(str, folds))}"
        if folds
        else f"the {len(scores)} videos given (they cover no whole fold)"
    )
    own = str(scores_file)
    rows = {own: judge(dataset, scores, chosen)}
    if is_coarse(scores):
        rows[tie_broken(own)] = judge_untied(dataset, scores, chosen)
    blocks = with_baselines(rows, baselines(dataset, chosen, draws))
    heading = f"{label(dataset)}, {config.data.splits} splits, {scope}"
    document = {
        **_about(config, dataset),
        "scores": own,
        "folds": folds,
        "videos": sorted({k for t in chosen for k in t}),
        "draws": draws,
        "protocols": as_numbers(blocks),
        "per_video": {name: found.per_video for name, found in rows[own].items()},
    }
    notes = [random_note(draws), *undefined_notes(rows[own])]
    return document, f"{heading}\n\n{figures_text(document['protocols'], titles(dataset), notes)}"


def with_baselines(
    rows: Mapping[str, Mapping[str, Judged]], below: Mapping[str, Mapping[str, Figure]]
) -> dict[str, dict[str, Figure]]:
    """Per protocol the rows of scores above the baselines."""
    return {
        name: {
            **{row: found[name].figure for row, found in rows.items() if name in found},
            **figures,
        }
        for name, figures in below.items()
    }


def titles(dataset: Dataset) -> dict[str, str]:
    """What every protocol of the dataset compares."""
    known = {name: protocol.title for name, protocol in protocols(dataset).items()}
    return {**known, **{name: measure.title for name, measure in MEASURES.items()}}


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
    return f"Random: mean and standard deviation over {draws} draws."


def undefined_notes(found: Mapping[str, Judged]) -> list[str]:
    """One line per protocol that is undefined for some video."""
    return [
        f"{name}: undefined, because the scores of {', '.join(result.undefined)} have no ranking"
        " (constant, or no shot fits)."
        for name, result in found.items()
        if result.undefined
    ]


def as_numbers(blocks: Mapping[str, Mapping[str, Figure]]) -> dict[str, Any]:
    """Figures as plain numbers by name (tau, rho; mean, maximum; ...), undefined ones as NaN."""
    return {
        name: {row: _named(figure, columns(name)) for row, figure in rows.items()}
        for name, rows in blocks.items()
    }


def _named(figure: Figure, names: Sequence[str]) -> dict[str, float]:
    values = asdict(figure)
    named = {names[0]: values["first"], names[1]: values["second"]}
    if figure.first_sd is not None:
        named |= {f"{names[0]}_sd": values["first_sd"], f"{names[1]}_sd": values["second_sd"]}
    return named


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
