"""Several datasets in one training: what `data.extra` names, each opened and extracted as if it
were used alone.

This field's `augmented` setting trains on a fold's own training videos and on all videos of other
datasets; its `transfer` setting (`data.transfer`) on those of the other datasets alone.
"""

from dataclasses import replace

from llmvs.config.schema import Config
from llmvs.datasets import Dataset
from llmvs.errors import UserError
from llmvs.experiments.opening import open_dataset

PLACE = "{dataset}"
"""Stands for a dataset's name in folders of the settings that exist once per dataset."""


def open_other_datasets(config: Config, main: Dataset) -> list[tuple[Config, Dataset]]:
    """Every dataset of `data.extra`, with the settings under which its embeddings are made.

    They are those of the run, but for the dataset's own sampling: so an extraction is shared with
    runs on that dataset alone.

    Raises:
        UserError: a dataset that is not there, or named twice; one folder of embeddings or captions
            for several datasets.
    """
    found: list[tuple[Config, Dataset]] = []
    for name in config.data.extra:
        settings = _settings(config, *split_entry(name))
        dataset = open_dataset(settings)
        if dataset.name in (main.name, *(other.name for _, other in found)):
            raise UserError(
                f"data.extra={name}: {dataset.name} is there already: its test videos would be"
                " trained on"
            )
        if dataset.sampling is not None:
            sampling = dataset.sampling
            settings = replace(
                settings,
                extract=replace(
                    settings.extract, fps=sampling.fps, every_nth_frame=sampling.every_nth_frame
                ),
            )
        found.append((settings, dataset))
    _check_folders(config)
    return found


def split_entry(entry: str) -> tuple[str, str]:
    """Name and folder of `NAME=DIR`, or of `NAME`, which is in data/NAME.

    >>> split_entry("tvsum"), split_entry("tvsum=/data/tv")
    (('tvsum', 'data/tvsum'), ('tvsum', '/data/tv'))
    """
    name, _, root = entry.partition("=")
    return name, root or f"data/{name}"


def folder_of(folder: str, dataset: str) -> str:
    """A folder of the settings, for one dataset.

    >>> folder_of("cache/{dataset}/imported", "tvsum")
    'cache/tvsum/imported'
    """
    return folder.replace(PLACE, dataset)


def _settings(config: Config, name: str, root: str) -> Config:
    return replace(
        config, data=replace(config.data, dataset=name, root=root, extra=[], transfer=False)
    )


def _check_folders(config: Config) -> None:
    """Videos of several datasets have the same keys: their files cannot lie in one folder."""
    for name in ("embeddings", "captions"):
        folder = getattr(config.extract, name)
        if config.data.extra and folder is not None and PLACE not in folder:
            raise UserError(
                f"extract.{name}={folder}: with data.extra every dataset needs a folder of its own:"
                f" write {PLACE} in place of its name, such as extract.{name}=cache/{PLACE}/{name}"
            )
