"""The line above a table that says of what its figures are: dataset, splits, folds, seeds, the rule
that chooses the epoch; and how much of an experiment was left to be done.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llmvs.evaluation.criteria import words
from llmvs.results.experiment import Experiment
from llmvs.results.labels import RULES
from llmvs.results.schema import Result

BY_ROW = "by row"
"""What a heading says of a thing in which rows differ."""


@dataclass(frozen=True)
class Heading:
    """Of what the figures of a table are."""

    dataset: str
    splits: str
    folds: str
    """`0, 1, 2`."""
    seeds: str
    """The same, or that rows have different ones."""
    rule: str | None = None
    """Which epoch is shown, or that rows show different ones; None: nothing was trained."""
    part: str = ""
    """What part of unfinished experiments this is; empty: all of it."""
    by: str = ""
    """By what the rule compared epochs; where rows differ, all of it. Empty: by nothing, or it is
    not known.
    """

    def line(self) -> str:
        """The heading in one line.

        >>> Heading("summe", "paper", "0, 1", "0", "val", by="loss").line()
        'summe, paper splits, folds 0, 1, seed 0, epoch: val (best on held-out videos, by loss)'
        """
        rule, by = self.rule, f", by {self.by}" if self.by else ""
        if rule in RULES:
            rule = f"{rule} ({RULES[rule].meaning}{by})"
        return ", ".join(
            [
                self.dataset,
                f"{self.splits} splits",
                f"{_many('fold', self.folds)} {self.folds}",
                f"{_many('seed', self.seeds)} {self.seeds}",
                *([f"epoch: {rule}"] if rule else []),
                *([self.part] if self.part else []),
            ]
        )

    def columns(self) -> dict[str, str]:
        """The heading as columns of a CSV file, which has no lines above it."""
        return {
            "dataset": self.dataset,
            "splits": self.splits,
            "folds": self.folds.replace(",", ""),
            "seeds": self.seeds.replace(",", ""),
            "rule": self.rule or "",
            **({"by": self.by} if self.by else {}),
            **({"part": self.part} if self.part else {}),
        }


def heading_of(
    experiments: Sequence[Experiment], rules: Sequence[str] = (), part: str = ""
) -> Heading:
    """The heading of experiments on the same folds.

    Args:
        experiments: the rows.
        rules: which epoch each of them shows; none: not said.
        part: what part of them this is.
    """
    one = experiments[0]
    trained = [found.one.trained for found in experiments]
    counted = [found for found, counts in zip(experiments, trained, strict=True) if counts]
    shown = {rule for rule, counts in zip(rules, trained, strict=False) if counts}
    by = [by_what(found.one, rule) for found, rule in zip(experiments, rules, strict=False)]
    seeds = {_listed(found.seeds) for found in counted or experiments}
    return Heading(
        one.one.heading,
        one.one.splits,
        _listed(one.folds),
        seeds.pop() if len(seeds) == 1 else BY_ROW,
        (shown.pop() if len(shown) == 1 else BY_ROW) if shown else None,
        part,
        " or ".join(dict.fromkeys(filter(None, by))),
    )


def by_what(result: Result, rule: str) -> str:
    """By what a rule compared epochs, in words; nothing where it compared none, or where that is
    not known any more.
    """
    if rule == "last" or not result.trained:
        return ""
    return words(next(iter(result.selection_by), ""))


def heading(experiment: Experiment) -> str:
    """One line that says of what the figures of one experiment are, whichever epoch they show."""
    return heading_of([experiment]).line()


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _many(word: str, listed: str) -> str:
    return word if listed.isdecimal() else f"{word}s"
