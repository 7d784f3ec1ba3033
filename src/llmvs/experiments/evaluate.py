"""What `llmvs baselines` and `llmvs evaluate` print: any scores, or none, beside what chance and
people reach.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llmvs.config.schema import Config
from llmvs.console import say
from llmvs.datasets import Dataset, Sampling, load
from llmvs.evaluation.baselines import Figure, baselines
from llmvs.evaluation.judging import Judged, covered, is_coarse, judge, judge_untied, read_scores
from llmvs.evaluation.measures import MEASURES, columns
from llmvs.evaluation.protocols import left_out, protocols
from llmvs.results.run_table import UNTIED, text_table


def open_dataset(config: Config) -> Dataset:
    """The configured dataset; says which protocols its files do not allow."""
    dataset = load(
        config.data.dataset,
        Path(config.data.root).expanduser(),
        Sampling(config.extract.fps, config.extract.every_nth_frame),
    )
    for reason in left_out(dataset).values():
        say(f"note: {reason}")
    return dataset


def baselines_document(config: Config, draws: int) -> tuple[dict[str, Any], str]:
    """The floors and ceilings of a dataset over all folds, as a JSON document and as text."""
    dataset = open_dataset(config)
    tests = [test for _, test in dataset.splits[config.data.splits]]
    blocks = baselines(dataset, tests, draws)
    heading = f"{label(dataset)}, {config.data.splits} splits, mean over {len(tests)} folds"
    document = {
        **_about(config, dataset),
        "folds": list(range(len(tests))),
        "draws": draws,
        "protocols": as_numbers(blocks),
    }
    return document, f"{heading}\n\n{text_table(blocks, titles(dataset), [random_note(draws)])}"


def evaluate_document(config: Config, scores_file: Path, draws: int) -> tuple[dict[str, Any], str]:
    """Anybody's scores beside the floors and ceilings of the folds they cover, as a JSON document
    and as text.
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
    judged = judge(dataset, scores, chosen)
    broken = {UNTIED: judge_untied(dataset, scores, chosen)} if is_coarse(scores) else {}
    blocks = with_floors({str(scores_file): judged, **broken}, baselines(dataset, chosen, draws))
    heading = f"{label(dataset)}, {config.data.splits} splits, {scope}"
    document = {
        **_about(config, dataset),
        "scores": str(scores_file),
        "folds": folds,
        "videos": sorted({k for t in chosen for k in t}),
        "draws": draws,
        "protocols": as_numbers(blocks),
        "per_video": {name: result.per_video for name, result in judged.items()},
    }
    notes = [random_note(draws), *undefined_notes(judged)]
    return document, f"{heading}\n\n{text_table(blocks, titles(dataset), notes)}"


def with_floors(
    contenders: Mapping[str, Mapping[str, Judged]], floors: Mapping[str, Mapping[str, Figure]]
) -> dict[str, dict[str, Figure]]:
    """Per protocol the contenders' rows above the floors' rows."""
    return {
        name: {
            **{row: judged[name].figure for row, judged in contenders.items() if name in judged},
            **rows,
        }
        for name, rows in floors.items()
    }


def titles(dataset: Dataset) -> dict[str, str]:
    """What every protocol of the dataset compares."""
    known = {name: protocol.title for name, protocol in protocols(dataset).items()}
    return {**known, **{name: measure.title for name, measure in MEASURES.items()}}


def label(dataset: Dataset) -> str:
    """The dataset's name, with a word of warning where no human made the annotations."""
    return f"{dataset.name} (synthetic annotators)" if dataset.synthetic else dataset.name


def random_note(draws: int) -> str:
    """How the Random row was made."""
    return f"Random: mean and standard deviation over {draws} draws."


def undefined_notes(judged: Mapping[str, Judged]) -> list[str]:
    """One line per protocol that is undefined for some video."""
    return [
        f"{name}: undefined, because the scores of {', '.join(result.undefined)} have no ranking"
        " (constant, or no shot fits)."
        for name, result in judged.items()
        if result.undefined
    ]


def as_numbers(blocks: Mapping[str, Mapping[str, Figure]]) -> dict[str, Any]:
    """Blocks as plain numbers by their names (tau, rho; mean, maximum; ...), NaN if undefined."""
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


def _about(config: Config, dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "synthetic": dataset.synthetic,
        "root": config.data.root,
        "splits": config.data.splits,
    }
