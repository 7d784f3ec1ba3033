"""What a run leaves in its result.json: the fields and their types, writing, and reading with a
check.

Format 3 names what format 2 called `floors` and `extra`: `baselines` and `other_datasets`; and a
row whose ties are broken names the row that it repeats (`zero_shot/untied`, not `untied`). Results
of format 2 are read as if they had been written so.
"""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from llmvs.errors import UserError
from llmvs.files import read_json, write_json
from llmvs.results.labels import RULES, RUN, ZERO_SHOT, tie_broken

RESULT = "result.json"
"""A run's file, written last: a folder that has it is finished."""
FORMAT = 3
AGAIN = "train it anew with resume=false"
_WHAT = "the result of a run"
_UNTIED = "untied"
"""Format 2's name of the tie-broken row, whichever row it repeated."""
PerVideo = dict[str, dict[str, list[float]]]
"""Protocol -> video -> the values of the protocol's measures in their order (tau and rho, say); NaN
where undefined. Of random scores twice as many: the means over draws, then the standard deviations.
"""


@dataclass(frozen=True)
class Method:
    """What gave the scores: the settings of the group `method`."""

    model: str
    lora: bool


@dataclass(frozen=True)
class Videos:
    """The videos of a fold, by what they were used for."""

    train: list[str]
    val: list[str]
    """Held out, to choose the epoch."""
    test: list[str]


@dataclass(frozen=True)
class Chosen:
    """The epoch that a rule chose."""

    epoch: int
    """Counted from 1; 0 where nothing was trained."""
    means: dict[str, dict[str, dict[str, float]]]
    """Part (`val`, `test`) -> protocol -> measure -> mean over the part's videos."""
    look: int = field(default_factory=lambda: 1)
    """Which evaluation of that epoch, counted from 1."""


@dataclass(frozen=True)
class MadeFrom:
    """The embeddings, or the answers of a captioner, that the scores were made from."""

    folder: str
    identity: dict[str, Any]
    """Their fingerprint: setting -> value."""


@dataclass(frozen=True)
class Result:
    """The content of result.json."""

    format: int
    experiment: str
    folder: str
    """Of the run."""
    dataset: str
    synthetic: bool
    """Whether the annotators are no people."""
    absent: dict[str, str]
    """Videos that are left out of the folds (`data.absent=skip`) -> why; they are in no figure."""
    heading: str
    """The dataset's name as tables print it."""
    splits: str
    fold: int
    seed: int
    selection: str
    """The rule whose epoch is the run's result."""
    method: Method
    epoch: int
    """That epoch, counted from 1; 0 where nothing was trained."""
    epochs: int
    """How many were trained."""
    videos: Videos
    titles: dict[str, str]
    """Protocol -> what it compares."""
    protocols: dict[str, dict[str, dict[str, float]]]
    """Protocol -> row -> measure -> mean over the test videos: the run's table."""
    notes: list[str]
    """Lines that explain the table."""
    per_video: dict[str, PerVideo]
    """Rule or zero-shot row -> its values of every test video."""
    baselines: dict[str, PerVideo]
    """`random`, `human_pairwise`, ... -> the same."""
    rules: dict[str, Chosen]
    embeddings: MadeFrom
    other_datasets: dict[str, MadeFrom]
    """Other datasets that were trained on."""
    transfer: bool
    """Whether only they were."""
    seconds: dict[str, float]
    """Stage -> wall time."""
    environment: dict[str, Any]
    """Versions, revision, hardware, command line."""
    selection_by: list[str] = field(default_factory=list)
    """By what it was chosen, `loss` or `PROTOCOL/MEASURE`; those after the first have rows of their
    own. Empty in results of older versions: by the first rank correlation's tau."""
    selection_looks: int = field(default_factory=lambda: 1)
    """Evaluations per epoch."""
    files: dict[str, str] = field(default_factory=dict)
    """What was trained: file in the run's folder -> sha256. Empty in results of older versions."""

    @property
    def trained(self) -> bool:
        """Whether anything was: a frozen model by itself has no epochs."""
        return self.epochs > 0

    @classmethod
    def of(cls, document: Any, place: str | None = None) -> "Result":
        """Check the content of a result.json and give it its types.

        Args:
            document: as read from JSON; null is NaN.
            place: its file, for errors; None: in the folder that it names itself.

        Raises:
            UserError: another format, or a field that is missing or of another type.
        """
        if not isinstance(document, Mapping):
            raise UserError(f"{place or RESULT}: not {_WHAT}")
        place = place or f"{document.get('folder', '?')}/{RESULT}"
        if not {"format", "protocols", "rules"} <= document.keys():
            raise UserError(f"{place}: not {_WHAT}")
        document = {"absent": {}, **document}  # which the first results of this format lack
        if document["format"] == 2:
            document = _from_format_2(document)
        if document["format"] != FORMAT:
            raise UserError(
                f"{place}: has format {document['format']} (expected {FORMAT} or 2): {AGAIN}"
            )
        found: Result = _checked(cls, document, place, "")
        return found

    def document(self) -> dict[str, Any]:
        """The content of result.json, as plain values."""
        return asdict(self)


def read_result(path: Path) -> Result:
    """Read a run's result.json.

    Raises:
        UserError: missing, not readable, another format, or damaged.
    """
    return Result.of(read_json(path, _WHAT), str(path))


def write_result(folder: Path, result: Result) -> None:
    """Write result.json into a run's folder."""
    write_json(folder / RESULT, result.document())


def _from_format_2(old: Mapping[str, Any]) -> dict[str, Any]:
    """A document of format 2 in the words of format 3."""
    new = {"method": {"model": "head", "lora": False}, "extra": {}, "transfer": False, **old}
    per_video = dict(new.pop("per_video", {}))
    base = next((row.key for row in ZERO_SHOT.values() if row.key in per_video), None)
    if _UNTIED in per_video:
        # Where no zero-shot row stands beside them, the run's own scores are a model's answers.
        per_video[tie_broken(base or new.get("selection", next(iter(RULES))))] = per_video.pop(
            _UNTIED
        )
    names = {_UNTIED: tie_broken(base or RUN.key)}
    return {
        **new,
        "format": FORMAT,
        "per_video": per_video,
        "protocols": {
            name: {names.get(row, row): figures for row, figures in rows.items()}
            for name, rows in new["protocols"].items()
        },
        "baselines": new.pop("floors", {}),
        "other_datasets": new.pop("extra"),
    }


def _checked(kind: Any, value: Any, place: str, key: str) -> Any:
    """`value` as a `kind`: a dataclass, dict[str, ...], list[...], float, int, bool, str or Any.

    Raises:
        UserError: it is something else; `place` is its file and `key` the way to it, with dots.
    """
    if kind is Any:
        return value
    if kind is float and value is None:
        return float("nan")  # JSON has none
    if kind is float and type(value) is int:
        return float(value)
    container, inner = get_origin(kind) or kind, get_args(kind)
    needed = Mapping if is_dataclass(kind) or container is dict else container
    if not isinstance(value, needed) or (kind is int and isinstance(value, bool)):
        raise UserError(
            f"{place}: {key}: expected {_WORDS.get(container, 'a table')}, found"
            f" {str(value)[:60]!r}: {AGAIN}"
        )
    if is_dataclass(kind):
        return _filled(kind, value, place, f"{key}." if key else "")
    if container is dict:
        return {str(n): _checked(inner[1], one, place, f"{key}.{n}") for n, one in value.items()}
    if container is list:
        return [_checked(inner[0], one, place, f"{key}.{n}") for n, one in enumerate(value)]
    return value


def _filled(kind: Any, value: Mapping[str, Any], place: str, prefix: str) -> Any:
    """A dataclass from its fields' values; what it does not know is left out."""
    hints = get_type_hints(kind)
    optional = {one.name for one in fields(kind) if one.default_factory is not MISSING}
    for name in hints:
        if name not in value and name not in optional:
            raise UserError(f"{place}: {prefix}{name}: missing: {AGAIN}")
    given = [name for name in hints if name in value]
    found = {name: _checked(hints[name], value[name], place, prefix + name) for name in given}
    return kind(**found)


_WORDS = {
    dict: "a table",
    list: "a list",
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
}
