"""Videos of which nothing can be made: no clip, no captions, no embeddings. They are found before
any model is loaded, and refused in one line or left out of the folds (`data.absent`).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from llmvs.cache.captions import CaptionCache
from llmvs.cache.embeddings import EmbeddingCache
from llmvs.config.load import run_folder
from llmvs.config.schema import Config
from llmvs.config.settings import reads_features, shaping_embeddings
from llmvs.console import is_first_process
from llmvs.datasets import Dataset
from llmvs.datasets.features import Features
from llmvs.datasets.video import Video
from llmvs.errors import UserError
from llmvs.experiments.evaluate import label
from llmvs.experiments.other_datasets import folder_of
from llmvs.extraction import examples, identity
from llmvs.extraction.caption_stage import frame_question
from llmvs.files import is_name, read_json, write_json
from llmvs.methods import method_of

logger = logging.getLogger(__name__)

ABSENT = "absent.json"
"""In the folder of a run that leaves videos out: which, and why."""


def refuse_absent(runs: Iterable[Config], dataset: Dataset, keys: Sequence[str]) -> None:
    """Refuse videos of which nothing can be made.

    Args:
        runs: of one dataset.
        dataset: which.
        keys: the videos that are read.

    Raises:
        UserError: names all of them; or says which settings leave nothing of any video.
    """
    for config in _different(runs):
        if _nobody_looks(config):
            raise UserError(
                f"head.inputs={config.head.inputs}: the captioner makes the visual features, and"
                f" extract.captions={config.extract.captions} replaces it: choose head.inputs=qa,"
                " or leave extract.captions out"
            )
        if found := absent(config, dataset, keys):
            raise UserError(
                f"{dataset.name}: {_place(config)}: {next(iter(found.values()))} of {len(found)} of"
                f" {len(keys)} videos: {', '.join(found)}: get them,{_instead(config, found)} or"
                " leave them out with data.absent=skip"
            )


def without_absent(runs: Iterable[Config], dataset: Dataset) -> Dataset:
    """Leave out the videos of which nothing can be made, under any of the runs' settings.

    Raises:
        UserError: nothing is left.
    """
    found: dict[str, str] = {}
    for config in _different(runs):
        found |= absent(config, dataset, list(dataset.annotations))
    left = dataset.without(found)
    if not left.annotations:
        raise UserError(f"{dataset.name}: {next(iter(found.values()))} of any of its videos")
    if found:
        logger.warning("note: %s: %s", label(left), ", ".join(left.absent))
    return left


def nothing_of_any(config: Config, dataset: Dataset) -> str | None:
    """Say what there is none of for any video of a dataset, such as `no clip`; None: something can
    be made of one.
    """
    found = absent(config, dataset, list(dataset.annotations))
    if len(found) < len(dataset.annotations):
        return None
    return f"{' and '.join(dict.fromkeys(found.values()))} of any of {len(found)} videos"


def present(config: Config, dataset: Dataset) -> Dataset:
    """All videos of a dataset, or (`data.absent=skip`) those of which something can be made.

    Raises:
        UserError: as `refuse_absent` or `without_absent`.
    """
    if config.data.absent == "skip":
        return without_absent([config], dataset)
    refuse_absent([config], dataset, list(dataset.annotations))
    return dataset


def _place(config: Config) -> str:
    """Where it was looked for."""
    extract = config.extract
    if reads_features(config):
        return f"head.inputs=features: data.root={config.data.root}"
    if method_of(config.method).reads in ("embeddings", "captions"):
        for key in ("embeddings", "captions"):
            if (folder := getattr(extract, key)) is not None:
                return f"extract.{key}={folder}"
        if extract.refresh == "never":
            return "extract.refresh=never"
    return f"data.root={config.data.root}"


def _instead(config: Config, found: Mapping[str, str]) -> str:
    """What does as well as the clips that are missing."""
    reads = method_of(config.method).reads
    if reads_features(config):
        return " in an h5 file of the field's layout with `features`, choose another head.inputs,"
    if reads in ("embeddings", "captions") and "no clip" in found.values():
        return " give their captions with extract.captions=DIR,"
    return ""


def absent(config: Config, dataset: Dataset, keys: Iterable[str]) -> dict[str, str]:
    """Find the videos of which nothing can be made.

    Returns:
        Key -> what there is none of, such as `no clip`.

    Raises:
        UserError: a model that cannot be identified.
    """
    videos = [dataset.video(key) for key in keys]
    extract, method = config.extract, method_of(config.method)
    if method.reads == "annotations":
        return {}
    if reads_features(config):
        there = [] if dataset.features is None else Features(dataset).keys()
        return _lacking(videos, there, "no features")
    if _nobody_looks(config):
        return dict.fromkeys((one.key for one in videos), "no visual feature")
    if method.reads == "videos":
        return dict.fromkeys((one.key for one in videos if not _has_clip(one)), "no clip")
    if method.reads == "frames":
        return _without_clip(replace(config, caption=frame_question(config)), dataset, videos, True)
    if method.reads == "captions":
        return _without_captions(config, dataset, videos)
    if extract.embeddings is not None:
        folder = Path(folder_of(extract.embeddings, dataset.name))
        return _lacking(videos, EmbeddingCache(folder).keys(), "no embeddings")
    if extract.refresh == "never" and config.examples.source == "fixed":
        shown = examples.fixed(config.examples.count, config.prompt.window)
        made_with = identity.embeddings_identity(config, shown)
        folder = identity.folder(config, dataset.name, "embeddings", made_with)
        return _lacking(videos, EmbeddingCache(folder, made_with).keys(), "no embeddings")
    return _without_captions(config, dataset, videos)


def _nobody_looks(config: Config) -> bool:
    """Whether a head reads visual features, which captions that are supplied do not bring along."""
    return (
        config.method.model == "head"
        and "v" in config.head.inputs
        and config.extract.captions is not None
    )


def _without_captions(config: Config, dataset: Dataset, videos: Sequence[Video]) -> dict[str, str]:
    """The videos that have no captions and cannot be captioned."""
    if config.extract.captions is None:
        return _without_clip(config, dataset, videos, False)
    folder = Path(folder_of(config.extract.captions, dataset.name))
    if not folder.is_dir():
        return {}  # which is said where they are read
    there = {path.stem for path in folder.glob("*.jsonl")}
    given = [one.key for one in videos if any(map(there.__contains__, _stems(one)))]
    return _lacking(videos, given, "no captions")


def refuse_other_absence(config: Config, dataset: Dataset) -> None:
    """Refuse a run that was begun with other videos left out, and note those that are.

    Raises:
        UserError: names what differs.
    """
    path = run_folder(config) / ABSENT
    if config.data.absent != "skip" or not is_first_process():
        return
    if path.exists() and config.resume:
        before = set(read_json(path, "the videos that a run leaves out"))
        if changed := sorted(before ^ set(dataset.absent)):
            raise UserError(
                f"{path.parent}: this run was made with other videos left out"
                f" ({', '.join(changed)}): train it anew with resume=false, or give this one a name"
                " of its own with experiment=NAME"
            )
    else:
        write_json(path, dataset.absent)


def _without_clip(
    config: Config, dataset: Dataset, videos: Sequence[Video], answers: bool
) -> dict[str, str]:
    missing = [one for one in videos if not _has_clip(one)]
    kind = "answers" if answers else "captions"
    made = list((Path(config.cache) / dataset.name).glob(f"{kind}-*"))
    if not missing or not made or config.extract.refresh == "always":
        return dict.fromkeys((one.key for one in missing), "no clip")
    made_with = identity.captions_identity(config, kind)
    cache = CaptionCache(identity.folder(config, dataset.name, kind, made_with), made_with)
    return _lacking(missing, cache.keys(), "no clip")


def _has_clip(video: Video) -> bool:
    return video.path is not None and video.path.is_file()


def _lacking(videos: Iterable[Video], there: Iterable[str], reason: str) -> dict[str, str]:
    known = set(there)
    return {video.key: reason for video in videos if video.key not in known}


def _stems(video: Video) -> list[str]:
    return [stem for stem in (video.key, video.name) if is_name(stem)]


def _different(runs: Iterable[Config]) -> list[Config]:
    """One of the runs that read the same."""
    return list(
        {repr((shaping_embeddings(run), run.method, run.head.inputs)): run for run in runs}.values()
    )
