"""The model card of an exported run: what it is, what it must be fed, how good it is under which
rules, whom to cite.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from llmvs.results.labels import RULES
from llmvs.results.report import run_table
from llmvs.results.schema import Result

TITLE = "# LLMVS "
"""How every card's title begins, by which it is known as one of this package."""
TAGS = ("video-summarization", "llmvs", "arxiv:2504.11199")


@dataclass(frozen=True)
class Kind:
    """What differs between the cards of a head and of an adapter."""

    noun: str
    front: dict[str, Any]
    """First lines of the front matter."""
    about: str
    use: str
    """An example in Python."""
    fed: str
    """Why it must be fed what it was trained on."""
    how: str
    """How to feed it that."""


def head_kind(name: str, input_dim: int, inputs: str) -> Kind:
    """A head: `name` is what `from_pretrained` is told, `inputs` what it reads of a step."""
    given = "q, a, v" if "v" in inputs else "q, a"
    if inputs == "features":
        return _features_kind(name, input_dim)
    return Kind(
        "head",
        # The hub knows no pipeline of video summarization; its filters find the nearest one.
        {"library_name": "llmvs", "pipeline_tag": "video-classification"},
        "Scores the steps (sampled frames) of a video by their importance, from embeddings that a"
        " frozen LLM makes of captions. Only this head is trained (LLMVS, CVPR 2025, section 3.3).",
        f"""    from llmvs import LLMVS

    model = LLMVS.from_pretrained("{name}")   # a folder, or the id of a model on the hub
    # One video's embeddings [T, ...] (width {input_dim} in all) -> [T] in [0, 1]
    scores = model({given})
""",
        "Embeddings of another model, prompt or sampling may have the same shape and give"
        " meaningless scores.",
        """`extraction.yaml` in this folder holds these settings as a layer, to make embeddings of
your own videos the same way:

    llmvs extract VIDEO extraction.yaml

`EmbeddingCache(folder).read(video)` of `llmvs.cache.embeddings` then has `q` and `a`.""",
    )


def _features_kind(name: str, input_dim: int) -> Kind:
    """A head that reads an h5 file's features."""
    return Kind(
        "head",
        {"library_name": "llmvs", "pipeline_tag": "video-classification"},
        "Scores the steps (sampled frames) of a video by their importance, from the visual"
        " `features` of an h5 file in this field's layout. No language model is asked.",
        f"""    import torch
    from llmvs import LLMVS

    model = LLMVS.from_pretrained("{name}").eval()   # a folder, or the id of a model on the hub
    # One video's features [T, {input_dim}] -> [T] in [0, 1]
    scores = model.head(features, torch.tensor([len(features)]))
""",
        "Features of another network or sampling may have the same shape and give meaningless"
        " scores.",
        "The features are those of the file that is named below; nothing here makes them of a"
        " video.",
    )


def adapter_kind(name: str, model: str, base: str) -> Kind:
    """Low-rank adapters of the `scorer` or the `captioner`, whose frozen weights are those of
    `base`.
    """
    return Kind(
        "adapter",
        {
            "library_name": "peft",
            "base_model": base,
            "pipeline_tag": "text-generation" if model == "scorer" else "image-text-to-text",
        },
        f"Low-rank adapters that make the {model} {base} answer the importance of a video's steps"
        " as a number, 0 to 10 (a comparison in LLMVS, CVPR 2025; no head is trained).",
        f"""    from peft import PeftModel

    model = PeftModel.from_pretrained(base, "{name}")   # base: {base}, as transformers loads it
""",
        "It was trained on these questions about these steps; others it has not seen.",
        "`extraction.yaml` in this folder holds these settings as a layer for `llmvs`.",
    )


SYNTHETIC = """> **A demonstration, not a model to use.** Its clips are drawn and its annotators are
> synthetic: nobody watched anything.
> The figures below say that the program works, nothing about the method.
"""
CITE = """    @inproceedings{lee2025llmvs,
      title     = {Video Summarization with Large Language Models},
      author    = {Lee, Min Jung and Gong, Dayoung and Cho, Minsu},
      booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition
                   (CVPR)},
      year      = {2025},
      note      = {arXiv:2504.11199}
    }
"""


def model_card(
    result: Result,
    kind: Kind,
    extraction: Mapping[str, Any],
    identity: Mapping[str, Any],
) -> str:
    """Markdown behind YAML front matter, as the hub reads it.

    Args:
        result: of the run.
        kind: what was trained.
        extraction: the settings that made what it was trained on, by dotted key; empty where they
            are not known (imported embeddings).
        identity: the fingerprint of that.
    """
    front = {
        **kind.front,
        "tags": [*TAGS, result.dataset, *(["synthetic"] if result.synthetic else [])],
    }
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---",
        f"{TITLE}{kind.noun} {result.experiment}, fold {result.fold}",
        *([SYNTHETIC] if result.synthetic else []),
        kind.about,
        "## Use",
        kind.use,
        "## What it must be fed",
        _feed(kind, extraction, identity),
        "## How good it is",
        _figures(result),
        "## Training",
        _training(result),
        "## Cite",
        f"The method (the program, llmvs, was written independently of its authors):\n\n{CITE}",
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _feed(kind: Kind, extraction: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    rows = {**identity, **extraction}
    lines = [
        "| setting | value |",
        "|---|---|",
        *(f"| `{key}` | {_cell(value)} |" for key, value in rows.items()),
    ]
    how = (
        kind.how
        if extraction
        else "These embeddings were imported: how they were made is known to those who made them."
    )
    return "\n\n".join([kind.fed, "\n".join(lines), how])


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _figures(result: Result) -> str:
    published = (
        ""
        if result.synthetic
        else (
            " Figures under another protocol, other splits or another selection cannot be compared."
        )
    )
    return (
        "One fold, one seed."
        f" {RULES[result.selection].explanation}{published}\n\n```text\n{run_table(result)}\n```"
    )


def _training(result: Result) -> str:
    made = result.environment
    packages = ", ".join(f"{name} {version}" for name, version in made["packages"].items())
    videos = result.videos
    return "\n".join(
        [
            (
                f"* Dataset: {result.heading}, `{result.splits}` splits, fold"
                f" {result.fold}, seed {result.seed}"
            ),
            *(
                f"* {title}: {', '.join(keys)}"
                for title, keys in (
                    ("Trained on", videos.train),
                    ("Held out to choose the epoch", videos.val),
                    ("Tested on", videos.test),
                    ("Left out, because they could not be found", list(result.absent)),
                )
                if keys
            ),
            f"* llmvs {made['llmvs']}, revision {made['revision'] or 'unknown'}; {packages}",
        ]
    )
