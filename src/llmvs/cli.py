"""The command line: verbs only. Each parses its arguments, builds the configuration and calls one
function.

Libraries that take long to import (torch, lightning, transformers) are imported inside the verbs,
so that help and mistakes are answered at once. Tables and documents go to standard output,
everything else to standard error.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from llmvs import __version__
from llmvs.errors import UserError

if TYPE_CHECKING:
    from llmvs.config.schema import Config

SETTINGS_HELP = "YAML files in order, then key=value overrides; later wins"
EPILOG = """examples:
  llmvs train configs/dataset/demo.yaml fold=0
  llmvs train configs/dataset/tvsum.yaml configs/variant/query_only.yaml data.root=DIR fold=2
  llmvs baselines summe data.root=DIR data.splits=disjoint
  llmvs config --keys        every setting, its default and what it means"""


class _Parser(argparse.ArgumentParser):
    """argparse with errors of one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see `{self.prog} --help`)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb. Returns the exit status: 0, 2 after a user's mistake, 130 after Ctrl-C."""
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except UserError as error:
        print(f"llmvs: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("llmvs: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has left; nothing to say
        return 0
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        print(
            f"llmvs: {error.filename or 'a file of the run or its cache'}: {error.strerror}",
            file=sys.stderr,
        )
        return 2


def _run(arguments: list[str]) -> int:
    parser = _parser()
    known, unknown = parser.parse_known_args(arguments)
    if not known.verb:
        parser.print_help()
        return 0
    from llmvs.config.load import is_override

    stray = [argument for argument in unknown if not is_override(argument)]
    if stray:
        raise UserError(f"unknown option {stray[0]} (see `llmvs {known.verb} --help`)")
    known.settings = [*known.settings, *unknown]
    status: int = known.call(known) or 0
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="llmvs",
        description="Video summarization with large language models.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"llmvs {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")

    def verb(
        name: str,
        call: Callable[[argparse.Namespace], int | None],
        summary: str,
        table: bool = False,
    ) -> argparse.ArgumentParser:
        one = verbs.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            allow_abbrev=False,
        )
        one.set_defaults(call=call)
        if table:
            one.add_argument(
                "--json", action="store_true", help="print the same numbers as one JSON document"
            )
        return one

    train = verb(
        "train",
        _train,
        "train and evaluate one fold: extract what is missing, fit the head, print the table",
        table=True,
    )
    every = verb(
        "crossval",
        _crossval,
        "train and evaluate all folds with several seeds: means, intervals",
        table=True,
    )
    grid = verb(
        "ablate",
        _ablate,
        "run a grid of variants on all folds: one table beside the published figures, and a plot",
        table=True,
    )
    grid.add_argument(
        "grid", metavar="GRID", help="a name in configs/grid, or the path of a grid's file"
    )
    for one in (every, grid):
        one.add_argument(
            "--folds",
            type=_whole_numbers,
            metavar="0,1,...",
            help="which folds (default: all of the dataset)",
        )
        one.add_argument(
            "--seeds",
            type=_whole_numbers,
            metavar="0,1,...",
            help="one training per fold and seed (default: the seed set)",
        )
    tables = verb(
        "table",
        _table,
        "a table of finished experiments, from their result.json files alone",
        table=True,
    )
    tables.add_argument(
        "settings",
        nargs="+",
        metavar="RUNS",
        help="folders of experiments, such as runs/summe runs/summe-mlp",
    )
    tables.add_argument(
        "--reference",
        metavar="NAME",
        help="the experiment that the others are compared with (default: the first)",
    )
    tables.add_argument(
        "--format",
        choices=("text", "markdown", "csv", "latex"),
        default="text",
        help="default: %(default)s",
    )
    for one in (grid, tables):
        one.add_argument(
            "--rule",
            choices=("last", "val", "test"),
            help="which epoch is shown (default: the one that the runs selected)",
        )
    extract = verb(
        "extract", _extract, "caption and embed videos: a dataset's, or the files and folders named"
    )
    for one in (train, every, grid, extract):
        one.add_argument(
            "--yes", action="store_true", help="start also what takes days on this machine"
        )
    evaluate = verb(
        "evaluate", _evaluate, "judge a file of scores beside chance and people", table=True
    )
    evaluate.add_argument(
        "--scores",
        type=Path,
        required=True,
        metavar="FILE",
        help="JSON {video: [one number per step]}, or h5",
    )
    floors = verb(
        "baselines",
        _baselines,
        "what chance and people reach on a dataset: Random, Human, Ceiling",
        table=True,
    )
    for one in (evaluate, floors):
        one.add_argument(
            "--draws",
            type=number_of_draws,
            default=50,
            help="random scores drawn per video (default: %(default)s)",
        )
    released = verb(
        "import-embeddings", _import, "turn the released pair of h5 files into an embedding cache"
    )
    released.add_argument(
        "--query",
        type=Path,
        required=True,
        metavar="H5",
        help="query embeddings (user_prompt_pool.h5)",
    )
    released.add_argument(
        "--answer", type=Path, required=True, metavar="H5", help="answer embeddings (gen_pool.h5)"
    )
    released.add_argument(
        "--to", type=Path, metavar="DIR", help="new cache folder (default: CACHE/DATASET/imported)"
    )
    share = verb(
        "export",
        _export,
        "write a run's head as a folder for LLMVS.from_pretrained, with a model card; upload it if"
        " asked",
    )
    share.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    share.add_argument(
        "settings",
        nargs="*",
        metavar="to=DIR|push=true|repo=USER/NAME",
        help="where to (default: RUN/export)",
    )
    search = verb(
        "sweep",
        _sweep,
        "run a W&B sweep file on this machine, without W&B: a grid, or random points of a space",
        table=True,
    )
    search.add_argument("file", type=Path, metavar="FILE", help="a file of sweeps/")
    search.add_argument(
        "--runs",
        type=_at_least_one,
        metavar="N",
        help="most points (default: a whole grid, 10 points of a space)",
    )
    search.add_argument(
        "--create", action="store_true", help="create the sweep on W&B instead, for its agents"
    )
    search.add_argument(
        "settings",
        nargs="*",
        metavar="SETTING",
        help="for all points; key=value fixes the parameter of that name",
    )
    show = verb("config", _config, "print the configuration that would run, and its folder")
    show.add_argument(
        "--keys", action="store_true", help="list every setting, its default and what it means"
    )
    _cache_verbs(verb("cache", _cache_list, "list, verify or prune what lies in the cache"))
    floors.add_argument(
        "settings", nargs="*", metavar="DATASET|SETTING", help=f"a dataset's name; {SETTINGS_HELP}"
    )
    extract.add_argument(
        "settings",
        nargs="*",
        metavar="VIDEO|SETTING",
        help=f"video files or folders; {SETTINGS_HELP}",
    )
    for one in (train, every, grid, evaluate, released, show):
        one.add_argument("settings", nargs="*", metavar="SETTING", help=SETTINGS_HELP)
    return parser


def _cache_verbs(cache: argparse.ArgumentParser) -> None:
    verbs = cache.add_subparsers(metavar="list|verify|prune", required=True)
    shown = verbs.add_parser("list", help="every folder: videos, size, last use, and what made it")
    checked = verbs.add_parser(
        "verify", help="open every file; name what is damaged, and end with status 2"
    )
    checked.add_argument(
        "--delete",
        action="store_true",
        help="remove damaged files, so that the next extraction makes just them",
    )
    pruned = verbs.add_parser(
        "prune", help="remove what killed runs left, unusable folders, and the folders named"
    )
    pruned.add_argument(
        "--older-than",
        type=float,
        metavar="DAYS",
        help="also captions and embeddings not used for so many days",
    )
    pruned.add_argument(
        "--yes", action="store_true", help="remove; without it, only say what would be removed"
    )
    for one, call in ((shown, _cache_list), (checked, _cache_verify), (pruned, _cache_prune)):
        one.add_argument(
            "settings",
            nargs="*",
            metavar="FOLDER|cache=DIR" if one is pruned else "cache=DIR",
            help=(
                "where the cache is (default: cache); for prune also folders, as `llmvs cache list`"
                " names them"
            ),
        )
        one.set_defaults(call=call)
    shown.add_argument("--json", action="store_true", help="print the same as one JSON document")


def number_of_draws(text: str) -> int:
    """The type of `--draws`."""
    draws = int(text)
    if draws < 1:
        raise UserError(f"--draws {draws}: at least 1 random draw is needed")
    return draws


def _whole_numbers(text: str) -> list[int]:
    """The type of `--folds` and `--seeds`: `0,1,2`."""
    parts = text.strip("[] ").split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise UserError(
            f"{text!r}: expected whole numbers from 0 with commas between them, such as 0,1,2"
        )
    return [int(part) for part in parts]


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected 1 or more")
    return int(text)


def _load(settings: Sequence[str]) -> "Config":
    from llmvs.config.load import load_config

    return load_config(settings)


def _print(document: dict[str, Any], text: str, as_json: bool) -> None:
    from llmvs.console import is_first_process
    from llmvs.files import dumps

    if is_first_process():
        print(dumps(document) if as_json else text, flush=True)


def _train(given: argparse.Namespace) -> None:
    from llmvs.experiments.costs import ask_first
    from llmvs.experiments.run import train

    config = _load(given.settings)
    ask_first(config, given.yes)
    document, text = train(config)
    _print(document, text, given.json)


def _crossval(given: argparse.Namespace) -> None:
    from llmvs.experiments.costs import ask_first
    from llmvs.experiments.crossval import crossval

    config = _load(_many(given))
    ask_first(config, given.yes)
    _print(*crossval(config, given.folds, given.seeds), given.json)


def _ablate(given: argparse.Namespace) -> None:
    from llmvs.experiments.ablation import ablate
    from llmvs.experiments.costs import ask_first
    from llmvs.experiments.grids import load_grid

    settings = _many(given)
    for config in load_grid(given.grid).configs(settings):
        ask_first(config, given.yes)
    _print(*ablate(given.grid, settings, given.folds, given.seeds, given.rule), given.json)


def _table(given: argparse.Namespace) -> None:
    from llmvs.results.collect import collect

    document, text = collect(
        [Path(folder) for folder in given.settings], given.reference, given.rule, given.format
    )
    _print(document, text, given.json)


def _many(given: argparse.Namespace) -> list[str]:
    """The settings of many runs without `folds=` and `seeds=`, which may stand among them: a
    sweep's agent writes everything so.
    """
    settings = []
    for argument in given.settings:
        name, _, value = argument.removeprefix("--").partition("=")
        if name in ("folds", "seeds"):
            setattr(given, name, _whole_numbers(value))
        elif name == "fold":
            raise UserError(
                f"fold={value}: {given.verb} runs several folds: choose them with folds={value}"
            )
        else:
            settings.append(argument)
    return settings


def _evaluate(given: argparse.Namespace) -> None:
    from llmvs.experiments.evaluate import evaluate_document

    _print(*evaluate_document(_load(given.settings), given.scores, given.draws), given.json)


def _baselines(given: argparse.Namespace) -> None:
    from llmvs.config.load import is_layer, is_override
    from llmvs.experiments.evaluate import baselines_document

    settings = [
        argument if is_layer(argument) or is_override(argument) else f"data.dataset={argument}"
        for argument in given.settings
    ]
    _print(*baselines_document(_load(settings), given.draws), given.json)


def _config(given: argparse.Namespace) -> None:
    from llmvs.config.load import run_folder, to_yaml

    if given.keys:
        from llmvs.config.describe import describe

        print(describe())
        return
    config = _load(given.settings)
    print(f"# folder of the run: {run_folder(config)}\n{to_yaml(config)}", end="")


def _extract(given: argparse.Namespace) -> int:
    from llmvs.config.load import is_layer, is_override
    from llmvs.experiments.own import extract_dataset, extract_files

    settings = [
        argument for argument in given.settings if is_layer(argument) or is_override(argument)
    ]
    files = [Path(argument) for argument in given.settings if argument not in settings]
    if files:
        return extract_files(_load(["data.dataset=own", *settings]), files)
    from llmvs.experiments.costs import ask_first

    config = _load(settings)
    ask_first(config, given.yes)
    return extract_dataset(config)


def _import(given: argparse.Namespace) -> None:
    from llmvs.console import say
    from llmvs.experiments.evaluate import open_dataset
    from llmvs.extraction.released import import_released

    config = _load(given.settings)
    folder = given.to or Path(config.cache) / config.data.dataset / "imported"
    cache = import_released(given.query, given.answer, open_dataset(config), folder)
    say(f"{len(cache.keys())} videos in {folder}: train on them with extract.embeddings={folder}")


def _export(given: argparse.Namespace) -> None:
    from llmvs.config.load import chosen
    from llmvs.results.export import export, push

    choices = chosen(given.settings, {"to": "", "push": "false", "repo": ""})
    if choices["push"] not in ("true", "false") or (choices["push"] == "true") != bool(
        choices["repo"]
    ):
        raise UserError(
            f"push={choices['push']} repo={choices['repo']}: to upload, give both, push=true and"
            " repo=USER/NAME"
        )
    folder = export(
        given.run, Path(choices["to"]) if choices["to"] else None, choices["repo"] or None
    )
    print(push(folder, choices["repo"]) if choices["repo"] else folder, flush=True)


def _sweep(given: argparse.Namespace) -> None:
    from llmvs.experiments.sweep import create, sweep

    if given.create:
        print(create(given.file, given.settings), flush=True)
    else:
        _print(*sweep(given.file, given.settings, given.runs), given.json)


def _cache_list(given: argparse.Namespace) -> None:
    from llmvs.cache.listing import listing

    documents, text = listing(_cache(given.settings))
    _print({"folders": documents}, text, given.json)


def _cache_verify(given: argparse.Namespace) -> int:
    from llmvs.cache.verify import verify

    damages, summary = verify(_cache(given.settings), given.delete)
    print("\n".join([*damages, summary]), flush=True)
    return 2 if damages else 0


def _cache_prune(given: argparse.Namespace) -> None:
    from llmvs.cache.listing import prune
    from llmvs.config.load import is_layer, is_override

    settings = [
        argument for argument in given.settings if is_layer(argument) or is_override(argument)
    ]
    folders = [argument for argument in given.settings if argument not in settings]
    print(prune(_cache(settings), folders, given.older_than, given.yes), flush=True)


def _cache(settings: Sequence[str]) -> Path:
    """The cache folder, which must be there."""
    folder = Path(_load(["data.dataset=own", *settings]).cache)
    if not folder.is_dir():
        raise UserError(f"cache={folder}: no such folder: name the cache with cache=DIR")
    return folder
