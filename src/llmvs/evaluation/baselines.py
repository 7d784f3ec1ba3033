"""What chance and people reach under a protocol: the rows without which no tau means anything.

    random           scores drawn uniformly, mean and standard deviation over draws
    human_pairwise   one annotator against another, mean over pairs (the published Human rows)
    human_others     one annotator against the mean of all others
    ceiling          the annotators' own mean in place of scores: an upper bound for fine scores

All are means over the videos of a fold, then over folds. An annotator without any ranking (all
steps alike) is left out of the Human rows, as the protocols leave them out. Where a video has only
one annotator there are no Human rows.
"""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from llmvs.datasets.annotations import Annotations
from llmvs.datasets.base import Dataset
from llmvs.evaluation.evaluate import Folds, mean_over_folds
from llmvs.evaluation.protocol import Protocol, Values
from llmvs.evaluation.protocols import protocols

DRAWS = 50
Rows = dict[str, npt.NDArray]
"""Row -> [measures] of one video under one protocol; [draws, measures] of `random`."""


def baselines(
    dataset: Dataset, folds: Folds, draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, Values]]:
    """The rows of every protocol over the test videos of the given folds.

    Args:
        dataset: the videos.
        folds: the test videos of every fold.
        draws: how many times random scores are drawn for every video.
        seed: of the draws; a video's draws depend on its key and the seed only.

    Returns:
        protocol -> row -> values, as `averaged` gives them.
    """
    named = protocols(dataset)
    keys = sorted({key for test in folds for key in test})
    found = {key: video_baselines(dataset.annotations_of(key), named, draws, seed) for key in keys}
    return averaged(found, named, folds)


def video_baselines(
    video: Annotations, named: Mapping[str, Protocol], draws: int = DRAWS, seed: int = 0
) -> dict[str, Rows]:
    """Protocol -> the rows of one video; what has two names is computed once."""
    computed = {protocol: _rows(video, protocol, draws, seed) for protocol in set(named.values())}
    return {name: computed[protocol] for name, protocol in named.items()}


def averaged(
    found: Mapping[str, Mapping[str, Rows]], named: Mapping[str, Protocol], folds: Folds
) -> dict[str, dict[str, Values]]:
    """Protocol -> row -> mean over the videos of each fold, then over folds; of the rows that all
    videos have. Random draws also have their standard deviation, as `tau_sd` beside `tau`.

    Args:
        found: video -> what `video_baselines` gives.
        named: the same protocols.
        folds: the test videos of every fold.
    """
    return {
        name: {
            row: _over_folds({key: rows[name][row] for key, rows in found.items()}, protocol, folds)
            for row in next(iter(found.values()))[name]
            if all(row in rows[name] for rows in found.values())
        }
        for name, protocol in named.items()
    }


def _over_folds(per_video: Rows, protocol: Protocol, folds: Folds) -> Values:
    means = mean_over_folds(per_video, folds)
    if means.ndim == 1:
        return dict(zip(protocol.measures, means.tolist(), strict=True))
    names = [*protocol.measures, *(f"{measure}_sd" for measure in protocol.measures)]
    return dict(
        zip(names, [*means.mean(axis=0).tolist(), *means.std(axis=0).tolist()], strict=True)
    )


def random_scores(video: Annotations, draws: int, seed: int) -> npt.NDArray[np.float32]:
    """Uniform scores [draws, T]."""
    rng = np.random.default_rng([seed, zlib.crc32(video.key.encode())])
    return rng.random((draws, video.n_steps), dtype=np.float32)


def _rows(video: Annotations, protocol: Protocol, draws: int, seed: int) -> Rows:
    compare = protocol.prepare(video)
    drawn = [compare(scores) for scores in random_scores(video, draws, seed)]
    people = {
        row: _array(values).mean(axis=0) if values else np.full(len(protocol.measures), np.nan)
        for row, values in protocol.human(video).items()
    }
    return {
        "random": _array(drawn),
        **people,
        "ceiling": np.array(list(compare(video.people_mean).values())),
    }


def _array(values: Sequence[Values]) -> npt.NDArray[np.float64]:
    """[len(values), measures]."""
    return np.array([list(one.values()) for one in values])
