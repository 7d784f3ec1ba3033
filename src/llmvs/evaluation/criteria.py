"""What makes one epoch better than another: the loss, or a measure of a rank correlation, on the
videos that choose.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmvs.datasets.base import Dataset
from llmvs.errors import UserError, nearest
from llmvs.evaluation.protocols import PROTOCOLS, left_out, rank_correlations

if TYPE_CHECKING:  # it takes seconds to import, and a configuration is checked without it
    from llmvs.evaluation.metric import ScoredPart

LOSS = "loss"
"""The mean squared error to `gtscore`, averaged over videos; smaller is better."""
_BY = "-by-"


def check_criteria(names: Sequence[str]) -> None:
    """Refuse what no dataset has.

    Raises:
        UserError: no name, one twice, or an unknown one.
    """
    known = [LOSS]
    for protocol in PROTOCOLS:
        if protocol.rank_correlation:
            known += [f"{name}/{one}" for name in protocol.names for one in protocol.measures]
            known += protocol.names
    full = [_first_measure(name) for name in names]
    if not names or len(set(full)) < len(full):
        raise UserError(f"selection_by={list(names)}: expected different names, such as [paper]")
    for name in names:
        if name not in known:
            close = nearest(name, dict.fromkeys(known))
            raise UserError(f"selection_by={name}: nothing to choose by{close}")


def criteria(names: Sequence[str], dataset: Dataset) -> tuple[str, ...]:
    """What `selection_by` means on a dataset: `loss` or `PROTOCOL/MEASURE`, each once.

    Where the annotations do not allow `paper`, which needs shots, it means the first protocol that
    they allow.

    Raises:
        UserError: a protocol that the dataset's annotations do not allow.
    """
    allowed, lacking = rank_correlations(dataset), left_out(dataset)
    found = []
    for name in names:
        protocol, _, measure = name.partition("/")
        if protocol == "paper" and protocol in lacking:
            protocol = next(iter(allowed))
        if protocol not in (LOSS, *allowed):
            raise UserError(
                f"selection_by={name}: {dataset.name} has no such protocol: choose by"
                f" {', '.join(allowed)} or {LOSS}"
            )
        full = "/".join([protocol, measure] if measure else [protocol])
        found.append(_first_measure(full))
    return tuple(dict.fromkeys(found))


def figure(scored: "ScoredPart", criterion: str) -> float:
    """What a criterion says of the scores of a part: the larger the better, NaN where undefined."""
    if criterion == LOSS:
        return -scored.loss
    protocol, _, measure = criterion.partition("/")
    return scored.means[protocol][measure]


def row_key(rule: str, criterion: str) -> str:
    """The row of the epoch that a rule chooses by another criterion than the run's first.

    >>> row_key("val", "per_annotator/tau")
    'val-by-per_annotator-tau'
    """
    return f"{rule}{_BY}{criterion.replace('/', '-')}"


def split_key(key: str) -> tuple[str, str]:
    """A row's rule, and in words what it chooses by; nothing where that is the run's first.

    >>> split_key("val-by-paper-rho"), split_key("test")
    (('val', 'paper rho'), ('test', ''))
    """
    rule, _, criterion = key.partition(_BY)
    return rule, words(criterion)


def words(criterion: str) -> str:
    """A criterion as tables print it.

    >>> words("paper/tau"), words("loss")
    ('paper tau', 'loss')
    """
    return criterion.replace("/", " ").replace("-", " ")


def _first_measure(name: str) -> str:
    """`PROTOCOL/MEASURE` of a protocol's name; what is more than that stays."""
    for protocol in PROTOCOLS:
        if name in protocol.names:
            return f"{name}/{protocol.measures[0]}"
    return name
