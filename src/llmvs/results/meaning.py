"""What the rows of a table really are: a label from how a run's settings differ from the paper's,
the published row that it repeats, and which rows are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from llmvs.cache.fingerprint import differences
from llmvs.config.affects import CAPTIONS, EMBEDDINGS
from llmvs.config.layers import folders
from llmvs.config.load import SAVED, load_config
from llmvs.config.schema import Config
from llmvs.config.settings import leaves, meaning, reading, setting_of
from llmvs.config.yaml_files import read_mapping
from llmvs.errors import UserError
from llmvs.methods import method_of
from llmvs.results.experiment import Experiment
from llmvs.results.labels import INPUTS, METHODS, PHRASES
from llmvs.results.published import published, published_names

ALWAYS = ("method.", "head.inputs", "head.aggregator", "prompt.", "examples.", "caption.")
"""What a label says even where all rows have it in common: what is compared in the paper."""
ELSEWHERE = ("data.dataset", "data.splits", "fold", "seed")
"""What the heading says."""
FILES = ("backbone.captioner", "backbone.scorer")
"""Settings that name a model, or a file of this machine."""
PER_RUN = ("fold:", "seed:")
"""How the lines of a saved configuration begin that differ within an experiment."""
LONGEST = 40
"""Characters of a value in a label."""
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """An experiment as a row: what it says in front, and what stands beside it."""

    experiment: Experiment
    label: str
    published: str | None
    """The published row that it repeats."""


@dataclass(frozen=True)
class Meaning:
    """The settings that an experiment's figures depend on."""

    experiment: Experiment
    settings: Settings | None
    """None: they are not at hand, or not those of this version."""

    @cached_property
    def changed(self) -> Settings:
        """Those that are not the paper's."""
        return _changed(self.settings or {})

    def same_as(self, other: "Meaning") -> bool:
        """Whether both are the same settings and gave the same figures."""
        if self.settings is None or self.settings != other.settings:
            return False
        mine, yours = self.experiment.runs, other.experiment.runs
        return mine.keys() == yours.keys() and all(
            repr(run.per_video) == repr(yours[place].per_video) for place, run in mine.items()
        )


def rows_of(experiments: Sequence[Experiment]) -> tuple[list[Row], list[str]]:
    """Name the experiments of one table, and leave out those that are another one again.

    Args:
        experiments: of one dataset. One whose settings are not at hand is called as its folder.

    Returns:
        the rows, and notes: which folders they are, what they have in common that is not as in the
        paper, and which were the same.
    """
    kept, notes = _merged([Meaning(one, _settings(one)) for one in experiments])
    known = [one for one in kept if one.settings is not None]
    common = _common(known)
    own = [{key: one.changed[key] for key in one.changed if key not in common} for one in kept]
    labels = [
        one.experiment.name if one.settings is None else _label(settings)
        for one, settings in zip(kept, own, strict=True)
    ]
    labels = [
        f"{label} [{one.experiment.name}]" if labels.count(label) > 1 else label
        for label, one in zip(labels, kept, strict=True)
    ]
    rows = [
        Row(one.experiment, label, _published(one, settings))
        for one, label, settings in zip(kept, labels, own, strict=True)
    ]
    if known:
        named = "; ".join(f"{row.label}: {row.experiment.name}" for row in rows)
        notes = [f"Experiments: {named}.", *notes]
    if common:
        listed = ", ".join(f"{key}={_value(key, value)}" for key, value in common.items())
        notes.append(f"Not as in the paper, wherever a row reads it: {listed}.")
    return rows, notes


def _merged(found: Sequence[Meaning]) -> tuple[list[Meaning], list[str]]:
    """Each meaning once, and a note on the others."""
    kept, notes = list[Meaning](), list[str]()
    for one in found:
        first = next((other for other in kept if one.same_as(other)), None)
        if first is None:
            kept.append(one)
        else:
            notes.append(
                f"{one.experiment.name} is {first.experiment.name} again, the same settings and"
                " figures: one row."
            )
    return kept, notes


def _settings(found: Experiment) -> Settings | None:
    """The settings of an experiment's first run that its scores depend on."""
    if found.folder is None:
        return None
    fold, seed = next(iter(found.runs))
    place = found.folder / f"fold{fold}" / f"seed{seed}" / SAVED
    if not place.is_file():
        return None
    try:
        config = load_config([str(place)])
    except UserError:  # of another version: its folder's name has to do
        return None
    return _relevant(config)


def refuse_other_settings(folder: Path, places: Mapping[tuple[int, int], Path]) -> None:
    """Refuse runs of one experiment whose scores do not depend on the same settings.

    Args:
        folder: of the experiment.
        places: (fold, seed) -> the run's folder.

    Raises:
        UserError: names what differs.
    """
    seen: set[tuple[str, ...]] = set()
    first: tuple[tuple[int, int], Settings] | None = None
    for place, path in places.items():
        try:
            text = (path / SAVED).read_text(encoding="utf-8")
            lines = tuple(line for line in text.splitlines() if not line.startswith(PER_RUN))
            if lines in seen:  # as nearly always, and parsing takes time
                continue
            seen.add(lines)
            settings = _relevant(load_config([str(path / SAVED)]))
        except (OSError, ValueError, UserError):  # not at hand, or of another version
            continue
        first = first or (place, settings)
        if changes := differences(settings, first[1]):
            (fold, seed), (fold_before, seed_before) = place, first[0]
            raise UserError(
                f"{folder}: fold {fold} seed {seed} was made with {'; '.join(changes)}, unlike fold"
                f" {fold_before} seed {seed_before}: a row is of one configuration: train one of"
                " them anew with resume=false, or under an experiment=NAME of its own"
            )


def _relevant(config: Config) -> Settings:
    """The settings that the run's method reads; the others may be anything."""
    entry = method_of(config.method)
    values = dict(meaning(config))
    makes_embeddings = entry.reads in ("embeddings", "frames")
    unread = [
        *([] if makes_embeddings else reading(config, EMBEDDINGS)),
        *([] if makes_embeddings or entry.reads == "captions" else reading(config, CAPTIONS)),
        *(reading(config, CAPTIONS) if config.extract.captions is not None else []),
    ]
    groups = {
        "head": ("lora.",),
        "adapter": ("head.", "optim."),
        None: ("head.", "optim.", "lora.", "trainer", "selection", "precision"),
    }[entry.weights]
    if not entry.learns:
        groups = (*groups, "data.val_fraction", "data.extra", "data.transfer")
    steps = ("extract.fps", "extract.every_nth_frame")  # which every method reads
    return {
        key: value
        for key, value in values.items()
        if key not in ELSEWHERE
        and not key.startswith(groups)
        and (key in steps or key not in unread)
    }


def _changed(settings: Settings) -> dict[str, Any]:
    """The settings that are not at their defaults, which are the paper's. Which rule chose the
    epoch is said beside the figures.
    """
    return {
        key: value
        for key, value in settings.items()
        if key != "selection" and value != _default(key)
    }


def _default(key: str) -> Any:
    setting = setting_of(key)
    if setting is None or setting.key == key:
        return None if setting is None else setting.default
    return (setting.default or {}).get(key.removeprefix(f"{setting.key}."))


def _common(known: Sequence[Meaning]) -> dict[str, Any]:
    """What all rows that read it have in common, and the paper has not."""
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for one in known for key in one.changed):
        there = [one.settings[key] for one in known if one.settings and key in one.settings]
        if not key.startswith(ALWAYS) and all(value == there[0] for value in there):
            found[key] = there[0]
    return found


def _label(own: Settings) -> str:
    """A row's label from the settings in which it differs from the paper.

    >>> _label({}), _label({"head.inputs": "a", "prompt.window": 1})
    ('q + a, self-attention', 'a only, self-attention, window 1')
    >>> _label({"method.model": "scorer"}), _label({"optim.lr": 0.1, "prompt.style": "summary"})
    ('LLM alone, zero-shot', 'q + a, self-attention, optim.lr=0.1, summary prompt')
    """
    model, lora = own.get("method.model", "head"), own.get("method.lora", False)
    parts = [METHODS.get((model, lora), f"{model}{', fine-tuned' if lora else ''}")]
    rest = {key: value for key, value in own.items() if not key.startswith("method.")}
    if model == "head":
        inputs = rest.pop("head.inputs", _default("head.inputs"))
        aggregator = rest.pop("head.aggregator", _default("head.aggregator"))
        parts = [INPUTS.get(inputs, inputs), METHODS.get((aggregator, None), aggregator)]
    if rest.get("prompt.style") == "summary":
        rest.pop("prompt.max_tokens", None)  # a sentence needs more than a number
    for key, value in rest.items():
        phrase = PHRASES.get((key, value)) or PHRASES.get((key, None))
        parts.append(phrase.format(value) if phrase else f"{key}={_value(key, value)}")
    return ", ".join(parts)


def _value(key: str, value: Any) -> str:
    """A value in a label: of what lies on this machine only its name."""
    setting = setting_of(key)
    if value is not None and ((setting is not None and setting.place) or key in FILES):
        value = Path(str(value)).name
    written = (
        {None: "null", True: "true", False: "false"}.get(value, str(value))
        if isinstance(value, (bool, type(None)))
        else str(value)
    )
    text = " ".join(written.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _published(one: Meaning, own: Settings) -> str | None:
    """The published row that an experiment repeats: it is named as the variant whose difference
    from the paper the experiment has.
    """
    if one.settings is None:
        return None
    for name in published_names():
        there = published(one.experiment.one.dataset, name)
        variant = _variant(name) if there else None
        if variant is not None and own == _changed(
            {key: value for key, value in variant.items() if key in one.settings}
        ):
            return name
    return None


def _variant(name: str) -> Settings | None:
    """The settings of a variant; None: there is none of this name."""
    paths = (folder / f"{name}.yaml" for folder in folders("configs/variant"))
    path = next((path for path in paths if path.is_file()), None)
    return None if path is None else dict(leaves(read_mapping(path)))
