"""`llmvs shots`: find the shots of a folder's videos."""

import argparse
import logging
from pathlib import Path

from llmvs.commands._arguments import add_settings, load
from llmvs.errors import UserError

SUMMARY = "find the shots of your own videos, so that they are judged by key shots too"
logger = logging.getLogger(__name__)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    add_settings(parser, more="dataset folder, data.root=FOLDER; ")
    parser.add_argument("--force", action="store_true", help="find them again where they are known")


def call(given: argparse.Namespace) -> None:
    """Write `shots.csv` beside the scores."""
    from llmvs.console import tracked
    from llmvs.datasets.folder import videos_of
    from llmvs.datasets.shots_file import FILE, write_shots
    from llmvs.video.footage import watch
    from llmvs.video.shots import find_shots

    config = load(given.settings)
    if config.data.dataset != "folder":
        raise UserError(
            f"data.dataset={config.data.dataset}: brings its own shots; those of a folder are found"
            " by: llmvs shots folder data.root=FOLDER"
        )
    root = Path(config.data.root).expanduser()
    place = root / FILE
    if place.exists() and not given.force:
        raise UserError(f"{place}: exists, and may be edited by hand: --force replaces it")
    videos = videos_of(root)
    if not videos:
        raise UserError(f"data.root={root}: no videos in it or in its folder videos")
    found = {
        key: find_shots(watch(path)) for key, path in tracked(videos.items(), "shots", "video")
    }
    write_shots(place, found)
    for key, shots in found.items():
        print(f"{key}: {len(shots)} shots")
    logger.info("%s: %d shots of %d videos", place, sum(map(len, found.values())), len(found))
