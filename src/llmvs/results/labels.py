"""Every row of a table and every rule that chooses an epoch: its key in documents and its printed
name, once.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from llmvs.evaluation.criteria import split_key

TIES_BROKEN = "ties broken by chance"
_SUFFIX = "/untied"


@dataclass(frozen=True)
class Row:
    """A named row of figures."""

    key: str
    """In result.json."""
    label: str
    """In tables."""


@dataclass(frozen=True)
class Rule:
    """A way to choose the epoch whose scores count."""

    name: str
    """As in `selection=NAME`; also the key of its row."""
    meaning: str
    """In tables."""
    remark: str
    """What else a reader of one run must know, after the meaning; may be empty."""
    explanation: str
    """A sentence for the model card."""


RULES = {
    rule.name: rule
    for rule in (
        Rule("last", "last epoch", "", "The last epoch was taken; nothing was chosen."),
        Rule(
            "val",
            "best on held-out videos",
            "",
            "The epoch was chosen on training videos that were held out, so the test videos had no"
            " say in it.",
        ),
        Rule(
            "inner",
            "best in inner folds of the training videos",
            "",
            "The epoch was chosen by cross-validation inside the training videos, all of which were"
            " then trained on; the test videos had no say in it.",
        ),
        Rule(
            "test",
            "best on the TEST videos",
            ", as published figures mostly are",
            "**The epoch was chosen on the test videos themselves**, as most published figures"
            " are: expect less on videos that are new.",
        ),
    )
}
"""Name -> rule, in the order of the tables."""
RUN = Row("This run", "This run")
"""The scores of the run's own method, at the epoch that its rule chooses."""
ZERO_SHOT = {
    "scorer": Row("zero_shot", "LLM alone, zero-shot"),
    "captioner": Row("captioner_zero_shot", "Captioner alone, zero-shot"),
}
"""Model -> the row of the numbers that it answers without any training."""
SIMPLE = {
    row.key: row
    for row in (
        Row("position", "baseline: position in the video"),
        Row("caption_novelty", "baseline: novelty of the caption"),
        Row("caption_ridge", "baseline: ridge on the captions' words"),
        Row("embedding_ridge", "baseline: ridge on q and a"),
        Row("visual_novelty", "baseline: what is seen and heard"),
    )
}
"""Method -> the row of a baseline that costs nothing."""
BASELINES = {
    row.key: row
    for row in (
        *SIMPLE.values(),
        Row("random", "Random"),
        Row("human_pairwise", "Human, one against another"),
        Row("human_others", "Human, one against the mean of the others"),
        Row("ceiling", "Ceiling, the annotators' own mean"),
    )
}
"""Key -> the rows that stand below every method's, in the order of the tables."""
DATASETS = {"demo": "Demo", "summe": "SumMe", "tvsum": "TVSum", "mrhisum": "Mr. HiSum"}
"""Dataset -> its name in papers; others are called as headings call them."""
PUBLISHED = "published, of other models; where trained, epoch chosen on the test videos"
"""What stands beside LLMVS's published figures."""
EPOCHS = {
    "none": "nothing trained",
    "test": "epoch chosen on test",
    "validation": "epoch chosen on validation videos",
    "training loss": "epoch chosen by the training loss",
}
"""On what a published figure's epoch was chosen -> how its row says so; others: not known."""
METHODS: dict[tuple[str, bool | None], str] = {
    ("scorer", False): ZERO_SHOT["scorer"].label,
    ("captioner", False): ZERO_SHOT["captioner"].label,
    ("scorer", True): "LLM fine-tuned (LoRA)",
    ("captioner", True): "Captioner fine-tuned (LoRA)",
    **{(row.key, False): row.label for row in SIMPLE.values()},
    ("attention", None): "self-attention",
    ("feedforward", None): "its layers without self-attention",
    ("mlp", None): "no self-attention (MLP)",
}
"""(method.model, method.lora), or (head.aggregator, None) -> what a row's label calls it."""
INPUTS = {
    "qa": "q + a",
    "q": "q only",
    "a": "a only",
    "v": "visual feature only",
    "qav": "q + a + visual feature",
}
"""head.inputs -> the same."""
PHRASES: dict[tuple[str, str | int | bool | None], str] = {
    ("prompt.window", None): "window {}",
    ("prompt.style", "summary"): "summary prompt",
    ("caption.kind", "regions"): "captions of centre and background",
    ("examples.count", 0): "no examples",
    ("examples.count", 1): "1 example",
    ("examples.count", None): "{} examples",
    ("examples.source", "fold"): "examples of the training videos",
    ("extract.readout", "linear"): "after the Linear layer",
    ("head.layers", 1): "1 layer",
    ("head.layers", None): "{} layers",
    ("head.positions", "sinusoidal"): "with positions",
    ("head.standardize", True): "standardized",
    ("optim.ranking", None): "ranking loss {}",
}
"""(setting, its value; None: any other) -> how a label says that it is not as in the paper."""
_SCORED = (*(Row(rule.name, rule.meaning) for rule in RULES.values()), *ZERO_SHOT.values())
_KNOWN = {row.key: row for row in (RUN, *_SCORED, *BASELINES.values())}


def tie_broken(key: str) -> str:
    """The key of the row that repeats row `key` with its ties broken by chance.

    >>> tie_broken("zero_shot")
    'zero_shot/untied'
    """
    return key + _SUFFIX


def label_of(key: str, keys: Iterable[str]) -> str:
    """The printed name of a row among the rows `keys` of its table; an unknown key names itself.

    >>> label_of("scores.json/untied", ["scores.json", "scores.json/untied"])
    'The same, ties broken by chance'
    """
    if key.endswith(_SUFFIX) and key.removesuffix(_SUFFIX) in keys:
        return f"The same, {TIES_BROKEN}"
    rule, by = split_key(key)
    if by and rule in RULES:
        return f"{RULES[rule].meaning}, by {by}"
    return _KNOWN[key].label if key in _KNOWN else key


def scored_rows(keys: Iterable[str]) -> list[str]:
    """Of `keys` those that are rows of scores, in the order of the tables: each with its tie-broken
    row below it, and below a rule what it chooses by other criteria.

    >>> scored_rows(["zero_shot", "val-by-loss", "val", "random", "last"])
    ['last', 'val', 'val-by-loss', 'zero_shot']
    """
    given = list(keys)
    ordered = [
        found
        for row in _SCORED
        for found in (
            row.key,
            tie_broken(row.key),
            *(key for key in given if split_key(key)[0] == row.key != key),
        )
    ]
    return [key for key in ordered if key in given]
