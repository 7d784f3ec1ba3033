"""`llmvs extract`: captions and embeddings, without training."""

import argparse
from pathlib import Path

from llmvs.commands._arguments import add_settings, add_yes, load

SUMMARY = "caption and embed videos: a dataset's, or the files and folders named"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    add_yes(parser)
    add_settings(parser, "VIDEO|SETTING", "video files or folders; ")


def call(given: argparse.Namespace) -> int:
    """Fill the cache; the status is 2 where a video failed."""
    from llmvs.commands._checks import check_dataset, check_extraction

    files = [Path(one) for one in given.settings if _is_video(one)]
    settings = [one for one in given.settings if not _is_video(one)]
    if files:
        config = load(["data.dataset=own", *settings])
        _check_files(files)
        check_extraction(config)
        from llmvs.experiments.extract import extract_files

        return extract_files(config, files)
    config = load(settings)
    check_dataset(config)
    check_extraction(config)
    from llmvs.experiments.costs import ask_first

    ask_first(config, given.yes)
    from llmvs.experiments.extract import extract_dataset

    return extract_dataset(config)


def _is_video(argument: str) -> bool:
    """Whether an argument is a file or folder, not a setting; a name that is both is a file."""
    from llmvs.config.layers import SUFFIXES, is_layer, is_override
    from llmvs.files import is_there

    if is_override(argument) or argument.endswith(SUFFIXES):
        return False
    return is_there(argument) or not is_layer(argument)


def _check_files(files: list[Path]) -> None:
    from llmvs.config.layers import KINDS, names
    from llmvs.errors import UserError, nearest
    from llmvs.files import is_there

    for file in files:
        if not is_there(str(file)):
            known = [name for kind in KINDS for name in names(f"configs/{kind}")]
            close = nearest(str(file), known)
            raise UserError(
                f"{file}: no such file or folder (expected a video, a folder of videos, a layer or"
                f" key=value){close if close.startswith(':') else ''}"
            )
