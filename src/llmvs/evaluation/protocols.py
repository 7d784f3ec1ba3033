"""All protocols, and which of them a dataset's annotations allow."""

from llmvs.datasets.base import Dataset
from llmvs.errors import UserError, nearest
from llmvs.evaluation.highlights import HighlightDetection
from llmvs.evaluation.hisum_authors import AuthorsCorrelation, AuthorsF1
from llmvs.evaluation.key_shot_f1 import KeyShotF1
from llmvs.evaluation.protocol import Protocol
from llmvs.evaluation.rank_correlations import StepsAgainstPeople, SummaryAgainstMean

PROTOCOLS: tuple[Protocol, ...] = (
    SummaryAgainstMean(),
    StepsAgainstPeople(
        ("per_annotator",), "step scores against each user's 0/1 summary", "votes", "user_summary"
    ),
    StepsAgainstPeople(
        ("paper", "per_annotator"),
        "step scores against each annotator's ratings; per_annotator is the same",
        "ratings",
        "user_scores",
    ),
    StepsAgainstPeople(
        ("paper",),
        "step scores against gtscore, how often viewers replayed every second: ours, `authors` is"
        " the rule of Mr. HiSum's authors",
        "replays",
        "user_scores",
    ),
    KeyShotF1(),
    HighlightDetection(),
    AuthorsCorrelation(),
    AuthorsF1(),
)
"""In the order of the tables. The same name under two kinds of annotations means the same measures.
"""


def protocols(dataset: Dataset) -> dict[str, Protocol]:
    """The protocols that the annotations of all videos allow, by name.

    Raises:
        UserError: no rank correlation is among them.
    """
    allowed, reasons = _allowed(dataset)
    if not any(protocol.rank_correlation for protocol in allowed.values()):
        raise UserError(
            f"{dataset.name}: no protocol can be computed: {'; '.join(reasons.values())}"
        )
    return allowed


def rank_correlations(dataset: Dataset) -> dict[str, Protocol]:
    """Those of `protocols` that are rank correlations, which are computed after every epoch."""
    return {name: one for name, one in protocols(dataset).items() if one.rank_correlation}


def left_out(dataset: Dataset) -> dict[str, str]:
    """The rank correlations that a dataset's annotations do not allow, each with its reason:
    another protocol may then choose the epoch.
    """
    return _allowed(dataset)[1]


def by_name(name: str) -> Protocol:
    """A protocol of this name, for its measures and how tables show them.

    Raises:
        UserError: there is none.
    """
    for protocol in PROTOCOLS:
        if name in protocol.names:
            return protocol
    known = [name for protocol in PROTOCOLS for name in protocol.names]
    raise UserError(f"protocol {name!r}: PROTOCOLS has no such one{nearest(name, known)}")


def _allowed(dataset: Dataset) -> tuple[dict[str, Protocol], dict[str, str]]:
    """Name -> the protocols that can be computed; name -> why a rank correlation cannot."""
    allowed, reasons = dict[str, Protocol](), dict[str, str]()
    for protocol in PROTOCOLS:
        if dataset.annotation not in protocol.kinds:
            continue
        videos = dataset.annotations.values()
        without = next((video for video in videos if protocol.lacks(video)), None)
        if without is None:
            allowed |= dict.fromkeys(protocol.names, protocol)
        elif protocol.rank_correlation:
            lack = f"needs {protocol.lacks(without)}, which {without.key} ({without.name}) lacks"
            reasons |= {name: f"protocol {name} {lack}" for name in protocol.names}
    return allowed, reasons
