"""The command line: collects the verbs of `llmvs.commands` and turns mistakes into one line.

Tables and documents go to standard output, everything else to standard error.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from llmvs import __version__
from llmvs.commands import all_verbs
from llmvs.console import printed_messages
from llmvs.errors import UserError
from llmvs.files import shown
from llmvs.interruption import end_of, interruptible, received
from llmvs.memory import exhausted

SILENCED = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""What libraries report about their use, off unless the user's environment says otherwise: nothing
leaves the machine that was not asked for.
"""
LONGEST = 300
"""Characters of a file's name in an error line."""
EPILOG = """examples:
  llmvs train demo
  llmvs train tvsum query_only data.root=DIR fold=2 optim.lr=1e-4
  llmvs ablate embedding summe data.root=DIR
  llmvs baselines summe data.root=DIR data.splits=disjoint
  llmvs config --keys        every setting, its default and what it means"""


class _Parser(argparse.ArgumentParser):
    """argparse with errors of one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see `{self.prog} --help`)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb. Returns the exit status: 0, 2 after a user's mistake, 130 after Ctrl-C, 143 after
    SIGTERM.
    """
    for name, value in SILENCED.items():
        os.environ.setdefault(name, value)
    try:
        with interruptible(), printed_messages():
            return _run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        return end_of(received() or signal.SIGINT)
    except Exception as error:  # noqa: BLE001 - what nobody foresaw is raised again
        # An interruption of an import, or of other processes, comes out as an error of theirs.
        return end_of(number) if (number := received()) else _failed(error)


def _failed(error: Exception) -> int:
    """Say in one line what ended a verb, and return the exit status; raise what nobody foresaw."""
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()  # the reader of our output has left; nothing to say
        return 0
    if isinstance(error, UserError):
        line = " ".join(str(error).split())
    elif exhausted(error):
        line = (
            "out of memory: close other programs, or reduce extract.tokens_per_batch, caption.batch"
            " or optim.batch_videos"
        )
    elif isinstance(error, OSError) and (error.filename, error.errno) != (None, None):
        line = f"{_place(error)}: {error.strerror}"
    else:
        raise error
    print(f"llmvs: {line}", file=sys.stderr)
    return 2


def _run(arguments: list[str]) -> int:
    parser = _parser()
    known, unknown = parser.parse_known_args(arguments)
    if not known.verb:
        parser.print_help()
        return 0
    from llmvs.config.layers import is_override

    for argument in unknown:
        if argument.startswith("-") and not is_override(argument):
            raise _stray(argument, arguments, known.verb)
    if hasattr(known, "settings"):
        known.settings = [*known.settings, *unknown]
    elif unknown:
        raise UserError(f"{unknown[0]}: `llmvs {known.verb}` takes no settings")
    status: int = known.call(known) or 0
    return status


def _place(error: OSError) -> str:
    name = error.filename or "a file of the run or its cache"
    text = str(name)
    return text if text.isprintable() and len(text) <= LONGEST else shown(text, LONGEST)


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
    for name, module in all_verbs().items():
        one = verbs.add_parser(
            name,
            help=module.SUMMARY,
            description=f"{module.SUMMARY[0].upper()}{module.SUMMARY[1:]}.",
            allow_abbrev=False,
        )
        one.set_defaults(call=module.call)
        module.arguments(one)
    return parser


def _stray(option: str, arguments: list[str], verb: str) -> UserError:
    """What a user is told about an option that the verb does not have."""
    following = arguments[arguments.index(option) + 1 :]
    value = following[0] if following and not following[0].startswith("-") else None
    if option.startswith("--") and value is not None:
        return UserError(f"unknown option {option}: write {option[2:]}={value}")
    return UserError(
        f"unknown option {option}: settings are written key=value, such as fold=1 (see"
        f" `llmvs {verb} --help`)"
    )
