"""The folder of a run: held against other processes, claimed for one configuration, written, and
found finished.
"""

import re
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from llmvs.cache.fingerprint import differences
from llmvs.config.load import load_config, to_yaml
from llmvs.config.schema import Config
from llmvs.config.settings import meaning
from llmvs.console import is_first_process
from llmvs.errors import UserError
from llmvs.files import locked, sha256, write_json, write_text
from llmvs.results.schema import RESULT, Result, read_result, write_result

if TYPE_CHECKING:
    from llmvs.methods.base import Scores

CONFIG = "config.yaml"
LOG = "run.log"
TRAINED = re.compile(r"model\.safetensors|adapter/[^/]+\.safetensors")
"""The files of what was trained, in a run's folder; an export there has others."""
UNFINISHED = ("last.ckpt", "inner")
"""What an interrupted run leaves to go on from."""
BEFORE = {"selection_by": ["paper"]}
"""What a run was made with whose configuration is older than a setting, where that is not today's
default.
"""


def finished_result(config: Config, folder: Path) -> Result | None:
    """The run's result where it is finished and may be reused.

    Raises:
        UserError: the folder holds another configuration's run, one of which nobody knows the
            configuration, an unreadable result, or weights that are gone or damaged.
    """
    place = folder / RESULT
    if not (config.resume and place.exists()):
        return None
    if not place.with_name(CONFIG).is_file():
        # Without it the result could be that of any configuration.
        raise UserError(
            f"{place.parent}: holds {RESULT} but no {CONFIG}, so nothing says what the run was made"
            " with: train it anew with resume=false, or give this one a name of its own with"
            " experiment=NAME"
        )
    _refuse_other(folder, config)
    result = read_result(place)
    for name, digest in result.files.items():
        if TRAINED.fullmatch(name):  # older results list an export's files, too
            _refuse_damaged(folder / name, digest)
    return result


def hold(folder: Path) -> AbstractContextManager[None]:
    """Hold the run's folder against other processes; the first rank of a run holds it for all."""
    if not is_first_process():
        return nullcontext()
    return locked(
        folder / ".lock",
        f"{folder}: another process is at work on this run: wait for it, or give this one a name of"
        " its own with experiment=NAME",
    )


def claim(folder: Path, config: Config) -> None:
    """Make the folder this configuration's; refuse one that another configuration's run is in."""
    path = folder / CONFIG
    if path.exists() and config.resume:
        _refuse_other(folder, config)
    elif is_first_process():
        (folder / RESULT).unlink(missing_ok=True)
        # What was begun under other settings must be gone before these are written down.
        for name in (*UNFINISHED, "scores"):
            _remove(folder / name)
        write_text(path, to_yaml(config))


def write(folder: Path, result: Result, scores: "Scores", test: Sequence[str]) -> None:
    """The scores of every rule, then the result; what an interrupted run would have needed is not
    needed any more.
    """
    if is_first_process():
        for rule, epoch in scores.epochs.items():
            write_json(folder / "scores" / f"{rule}.json", {key: epoch.scores[key] for key in test})
        write_result(folder, result)
        for name in UNFINISHED:
            _remove(folder / name)


def _remove(path: Path) -> None:
    """Remove a file, or a folder of ours, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def trained_files(folder: Path) -> dict[str, str]:
    """The checksums of what was trained, by file."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.glob("**/*.safetensors")}
    return {name: sha256(paths[name]) for name in sorted(paths) if TRAINED.fullmatch(name)}


def _refuse_damaged(path: Path, digest: str) -> None:
    """Refuse weights that are gone, or not as they were written."""
    problem = "missing" if not path.is_file() else "" if sha256(path) == digest else "damaged"
    if problem:
        raise UserError(
            f"{path}: {problem}: the run is not whole any more: restore the file, or train anew"
            " with resume=false"
        )


def _refuse_other(folder: Path, config: Config) -> None:
    path = folder / CONFIG
    if not path.exists():
        return
    if path.read_bytes() == to_yaml(config).encode():  # which takes no parsing
        return
    found = load_config([str(path)], BEFORE, f"a run without {', '.join(BEFORE)}")
    if changes := differences(meaning(found), meaning(config)):
        raise UserError(
            f"{folder}: holds a run made with {'; '.join(changes)}: give this one a name of its own"
            " with experiment=NAME, or replace that one with resume=false"
        )
