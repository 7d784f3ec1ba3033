"""`llmvs summarize`: a summary of your own videos, with or without language models."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmvs.commands._arguments import add_json
from llmvs.errors import UserError, VideoError

if TYPE_CHECKING:
    from llmvs.summary.choice import Wishes
    from llmvs.summary.language import Language
    from llmvs.summary.result import Summary

logger = logging.getLogger(__name__)

SUMMARY = "summarize your own videos: scores, shots, and the choice among them"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    add_json(parser)
    parser.add_argument(
        "settings",
        nargs="+",
        metavar="VIDEO",
        help="video files, and folders of videos; also settings of the language models: small,"
        " accelerator=gpu",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="new folder of the summary (of several: with a folder for each inside); default:"
        " VIDEO-summary, here",
    )
    parser.add_argument(
        "--length",
        default="15%",
        help="a share of the video (15%%) or a time (90s, 1:30); default: %(default)s",
    )
    parser.add_argument(
        "--by",
        choices=("shots", "steps", "top"),
        default="shots",
        help="shots: the most valuable ones that fit; steps: short pieces instead of shots; top:"
        " shots from the best down; default: %(default)s",
    )
    for name, what in (("keep", "in"), ("drop", "not in")):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar="0:30-0:40",
            help=f"a range of times that is {what} the summary in any case; may be repeated",
        )
    parser.add_argument("--force", action="store_true", help="replace an earlier summary")
    _arguments_of_language(parser)


def _arguments_of_language(parser: argparse.ArgumentParser) -> None:
    """Which language models are asked, and what they are told."""
    parser.add_argument(
        "--method",
        choices=("auto", "visual", "language"),
        default="auto",
        help="visual: what is seen and heard; language: language models; auto: language where a"
        " model, a wish, captions or settings are given, or the paper's models lie here",
    )
    parser.add_argument(
        "--model",
        metavar="RUN|FOLDER|HUB ID|demo",
        help="a trained head; else the scorer's own numbers are the scores",
    )
    parser.add_argument(
        "--about", metavar="TEXT", help='what the summary shall show: "only the goals"'
    )
    parser.add_argument(
        "--transcript",
        metavar="FILE",
        help="subtitles (.srt, .vtt); default: those beside the video",
    )
    parser.add_argument(
        "--captions", metavar="FILE", help="captions from elsewhere (.jsonl, docs/extraction.md)"
    )


def call(given: argparse.Namespace) -> int:
    """Summarize the videos one by one; the status is 2 where one failed."""
    from llmvs.files import dumps
    from llmvs.summary.method import HINT, language_for
    from llmvs.summary.summarize import asked
    from llmvs.video.transcript import beside

    wishes = asked(given.length, given.by, given.keep, given.drop)
    paths, settings = _videos_and_settings(given.settings)
    others = [Path(one) for one in (given.transcript, given.captions) if one is not None]
    places = _places(paths, given.output, given.force, others)
    said = _only_one("--transcript", given.transcript, places)
    _only_one("--captions", given.captions, places)
    spoken = any((said or beside(video)) is not None for video in places)
    language = language_for(
        given.method, given.model, given.about, given.captions, settings, spoken
    )
    if language is not None and len(places) > 1:
        language.read(list(places))
    documents: list[dict[str, Any]] = []
    failed: list[str] = []
    for video, folder in places.items():
        try:
            summary = _summarize(video, wishes, language, said)
            summary.save(folder, given.force)
        except VideoError as error:
            failed.append(str(error))
            continue
        documents.append({**summary.to_json(), "folder": str(folder)})
        if not given.json:
            print(table(summary, folder), flush=True)
    if given.json:
        print(dumps(documents))
    if documents and given.method == "auto" and language is None:
        logger.info("%s", HINT)
    if len(places) == 1 and failed:
        raise UserError(failed[0])
    for reason in failed:
        logger.warning("failed: %s", " ".join(reason.split()))
    return 2 if failed else 0


def _summarize(
    video: Path, wishes: "Wishes", language: "Language | None", transcript: Path | None
) -> "Summary":
    """One video, with a progress bar where it takes long."""
    from llmvs.console import ProgressBar
    from llmvs.summary.summarize import summarize_as
    from llmvs.video.container import probe

    seconds = probe(video).seconds
    total = round(seconds) if seconds else None
    with ProgressBar(video.name, total, "second", delay=2.0, leave=False) as bar:
        return summarize_as(
            video,
            wishes,
            progress=lambda seen: bar.update(seen - bar.done),
            language=language,
            transcript=transcript,
        )


def _videos_and_settings(given: Sequence[str]) -> tuple[list[Path], list[str]]:
    """What is there is a video; what else has the form of a setting, or is a layer's name, is one.

    Raises:
        UserError: no video.
    """
    from llmvs.config.layers import is_layer, is_override
    from llmvs.files import is_there

    settings = [one for one in given if not is_there(one) and (is_override(one) or is_layer(one))]
    videos = [Path(one) for one in given if one not in settings]
    if not videos:
        raise UserError(f"{' '.join(settings)}: settings alone: name a video file or a folder")
    return videos, settings


def _only_one(option: str, given: str | None, places: Mapping[Path, Path]) -> Path | None:
    """A file that belongs to one video.

    Raises:
        UserError: there are several videos.
    """
    if given is None:
        return None
    if len(places) > 1 and not Path(given).is_dir():
        raise UserError(f"{option} {given}: belongs to one video, and {len(places)} are given")
    return Path(given)


def _places(
    paths: list[Path], output: Path | None, force: bool, others: Sequence[Path]
) -> dict[Path, Path]:
    """Video -> the folder of its summary; refused before any video is read.

    Args:
        paths: videos, and folders of videos.
        output: where to; None: here.
        force: replace earlier summaries.
        others: further files that are read.

    Raises:
        UserError: a path that does not exist, two videos for one folder, a folder that exists.
    """
    from llmvs.summary.folder import check_new
    from llmvs.summary.result import KIND
    from llmvs.video.container import videos_in

    videos = list(dict.fromkeys(video for path in paths for video in videos_in(path)))
    single = len(videos) == 1 and not paths[0].is_dir()
    found: dict[Path, Path] = {}
    for video in videos:
        folder = (output or Path()) / f"{video.stem}-summary"
        if output is not None:
            folder = output if single else output / video.stem
        if folder in found.values():
            other = next(one for one, place in found.items() if place == folder)
            raise UserError(
                f"{video} and {other} would both be summarized in {folder}: rename one, or do"
                " them one by one with -o"
            )
        check_new(folder, KIND, force, [*videos, *others])
        found[video] = folder
    return found


def table(summary: "Summary", folder: Path) -> str:
    """The chosen shots, a line each, and where everything is written."""
    from llmvs.files import shown_name
    from llmvs.summary.times import clock

    head = (
        f"{shown_name(summary.path.name)}: {clock(summary.seconds)} of {clock(summary.duration)},"
        f" {len(summary.chosen)} of {len(summary.shots)} shots, in {shown_name(folder)}"
    )
    width = len(clock(summary.duration))
    lines = [
        f"  {clock(shot.start):>{width}} - {clock(shot.end):>{width}}  {shot.score:.2f}"
        for shot in summary.chosen
    ]
    return "\n".join([head, *lines])
