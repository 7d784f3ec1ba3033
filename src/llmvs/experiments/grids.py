"""Grids of variants: small YAML files in `configs/grid`, each row a label, variant files and
`key=value` settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from llmvs.config.layers import find_file, folders
from llmvs.config.load import is_layer, load_config
from llmvs.config.schema import Config
from llmvs.config.yaml_files import read_mapping
from llmvs.errors import UserError, nearest
from llmvs.results.published import published_names

PLACE = "configs/grid"


@dataclass(frozen=True)
class GridRow:
    """One row of a grid."""

    label: str
    variants: tuple[str, ...] = ()
    """Names of variants (files in `configs/variant`), in order."""
    set: tuple[str, ...] = ()
    """`key=value` settings, after the files."""
    published: str | None = None
    """The published row beside it, a name in `llmvs/results/published.json`."""


@dataclass(frozen=True)
class Grid:
    """What a grid's file says."""

    path: Path
    title: str
    rows: tuple[GridRow, ...]
    reference: str
    """The label of the row that the others are compared with."""

    @property
    def name(self) -> str:
        """The file's stem."""
        return self.path.stem

    def configs(self, settings: Sequence[str]) -> list[Config]:
        """The configuration of every row: the layers of `settings`, the row's files, the overrides
        of `settings`, the row's.

        Raises:
            UserError: as `load_config`; rows of the same name, or that need other datasets or steps
                than the first.
        """
        layers, overrides = (
            [one for one in settings if is_layer(one)],
            [one for one in settings if not is_layer(one)],
        )
        if any(one.removeprefix("--").startswith("experiment=") for one in overrides):
            raise UserError(
                "experiment=: the rows of a grid have names of their own, made of their layers"
            )
        files = [[str(_variants(self.path)[name]) for name in row.variants] for row in self.rows]
        found = [
            load_config([*layers, *more, *overrides, *row.set])
            for row, more in zip(self.rows, files, strict=True)
        ]
        for row, config in zip(self.rows, found, strict=True):
            if _opens(config) != _opens(found[0]):
                raise UserError(
                    f"{self.path}: {row.label}: not the dataset, splits and steps of the row"
                    f" {self.rows[0].label}"
                )
        names = [config.experiment for config in found]
        if len(set(names)) < len(names):
            raise UserError(
                f"{self.path}: two rows are the same experiment"
                f" {next(name for name in names if names.count(name) > 1)}"
            )
        return found


def load_grid(name: str) -> Grid:
    """Read a grid by its name in `configs/grid`, or by the path of its file; every variant it names
    is there.

    Raises:
        UserError: unknown grid, key, variant, reference or published row (with the nearest name),
            or unreadable YAML.
    """
    path = find_file(name, PLACE, "grid")
    content = read_mapping(path)
    if not isinstance(content.get("rows"), list) or not content["rows"]:
        raise UserError(f"{path}: expected a title and a list of rows")
    _known(path, content, ("title", "rows", "reference"))
    rows = tuple(_row(path, row) for row in content["rows"])
    labels = [row.label for row in rows]
    if twice := [label for label in labels if labels.count(label) > 1]:
        raise UserError(f"{path}: two rows are called {twice[0]!r}: give each a label of its own")
    reference = str(content.get("reference", labels[0]))
    if reference not in labels:
        raise UserError(f"{path}: reference {reference!r}: no such row{nearest(reference, labels)}")
    return Grid(path, str(content.get("title", path.stem)), rows, reference)


def _row(path: Path, content: Any) -> GridRow:
    if not isinstance(content, dict) or not isinstance(content.get("label"), str):
        raise UserError(f"{path}: a row is not `label: ..., variants: [...]`: {content}")
    _known(path, content, [field.name for field in fields(GridRow)])
    variants = [str(name) for name in content.get("variants") or []]
    there = _variants(path)
    for name in variants:
        if name not in there:
            raise UserError(f"{path}: {content['label']}: no variant {name}{nearest(name, there)}")
    published = content.get("published")
    if published is not None and published not in published_names():
        raise UserError(
            f"{path}: {content['label']}: no published row"
            f" {published}{nearest(str(published), published_names())}"
        )
    return GridRow(
        content["label"],
        tuple(variants),
        tuple(str(one) for one in content.get("set") or []),
        published,
    )


def _variants(path: Path) -> dict[str, Path]:
    """The variants that a grid may name: those in `variant` beside its folder, then those that any
    command line may.
    """
    places = [path.parent.parent / "variant", *folders("configs/variant")]
    return {file.stem: file for place in reversed(places) for file in sorted(place.glob("*.yaml"))}


def _known(path: Path, content: Mapping[str, Any], keys: Sequence[str]) -> None:
    for key in content:
        if key not in keys:
            raise UserError(f"{path}: unknown key {key}{nearest(str(key), keys)}")


def _opens(config: Config) -> tuple[Any, ...]:
    """What decides how the dataset is opened."""
    return (
        config.data.dataset,
        config.data.root,
        config.data.splits,
        config.extract.fps,
        config.extract.every_nth_frame,
    )
