"""The model card of an exported run: what it is, what it must be fed, how good it is under which rules, whom to cite."""

from collections.abc import Mapping
from typing import Any

import yaml

from llmvs.experiments.run import table

TAGS = ("video-summarization", "llmvs", "arxiv:2504.11199", "model_hub_mixin", "pytorch_model_hub_mixin")
FRONT = {"library_name": "llmvs", "pipeline_tag": "video-classification"}
"""The hub knows no pipeline of video summarization; under the nearest one its filters find the model."""
SELECTION = {
    "val": "The epoch was chosen on training videos that were held out, so the test videos had no say in it.",
    "last": "The last epoch was taken; nothing was chosen.",
    "test": "**The epoch was chosen on the test videos themselves**, as most published figures are: expect less on videos that are new.",
}
SYNTHETIC = """> **A demonstration, not a model to use.** Its clips are drawn and its annotators are synthetic: nobody watched anything.
> The figures below say that the program works, nothing about the method.
"""
USE = """    from llmvs import LLMVS

    model = LLMVS.from_pretrained("{name}")   # a folder, or the id of a model on the hub
    scores = model(q, a)                      # q, a: [T, {dim}] of one video; scores: [T] in [0, 1], one per step
"""
EXTRACT = """`extraction.yaml` in this folder holds these settings as a layer, to make the embeddings of your own videos the same way:

    llmvs extract VIDEO extraction.yaml

`EmbeddingCache(folder).read(video)` of `llmvs.embeddings` then has `q` and `a`.
"""
CITE = """    @inproceedings{lee2025llmvs,
      title     = {Video Summarization with Large Language Models},
      author    = {Lee, Min Jung and Gong, Dayoung and Cho, Minsu},
      booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
      year      = {2025},
      note      = {arXiv:2504.11199}
    }
"""


def model_card(document: Mapping[str, Any], input_dim: int, extraction: Mapping[str, Any], identity: Mapping[str, Any], name: str) -> str:
    """Markdown behind YAML front matter, as the hub reads it.

    Args:
        document: the run's result.json.
        input_dim: D, the width of the embeddings.
        extraction: the settings that made them, by dotted key; empty where they are not known (imported embeddings).
        identity: their fingerprint.
        name: what `from_pretrained` is told in the example.
    """
    front = {**FRONT, "tags": [*TAGS, document["dataset"], *(["synthetic"] if document["synthetic"] else [])]}
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---",
        f"# LLMVS head {document['experiment']}, fold {document['fold']}",
        *([SYNTHETIC] if document["synthetic"] else []),
        "Scores the steps (sampled frames) of a video by their importance, from embeddings that a frozen LLM makes of captions. "
        "Only this head is trained (LLMVS, CVPR 2025, section 3.3).",
        "## Use", USE.format(name=name, dim=input_dim),
        "## What it must be fed", _feed(extraction, identity),
        "## How good it is", _figures(document),
        "## Training", _training(document),
        "## Cite", f"The method (the program, llmvs, was written independently of its authors):\n\n{CITE}",
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _feed(extraction: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    warning = "Embeddings of another model, prompt or sampling have the same shape and give meaningless scores."
    rows = {**identity, **extraction}
    lines = ["| setting | value |", "|---|---|", *(f"| `{key}` | {_cell(value)} |" for key, value in rows.items())]
    closing = [EXTRACT] if extraction else ["These embeddings were imported: how they were made is known to those who made them."]
    return "\n\n".join([warning, "\n".join(lines), *closing])


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _figures(document: Mapping[str, Any]) -> str:
    published = "" if document["synthetic"] else " Figures under another protocol, other splits or another selection cannot be compared."
    return f"One fold, one seed. {SELECTION[document['selection']]}{published}\n\n```text\n{table(document)}\n```"


def _training(document: Mapping[str, Any]) -> str:
    made = document["environment"]
    packages = ", ".join(f"{name} {version}" for name, version in made["packages"].items())
    videos = document["videos"]
    return "\n".join([
        f"* Dataset: {document['heading']}, `{document['splits']}` splits, fold {document['fold']}, seed {document['seed']}",
        *(f"* {title}: {', '.join(videos[part])}" for part, title in
          (("train", "Trained on"), ("val", "Held out to choose the epoch"), ("test", "Tested on")) if videos[part]),
        f"* llmvs {made['llmvs']}, revision {made['revision'] or 'unknown'}; {packages}",
    ])
