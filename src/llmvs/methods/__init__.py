"""What gives every step its score: the trained head, a frozen model's own answer, a fine-tuned one,
or a baseline that costs nothing.

Each method is a class of one file here that turns a `Task` into `Scores` (`llmvs.methods.base`),
and one line of `METHODS`. Nothing else asks which method a run uses.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from llmvs.config.schema import MethodConfig

if TYPE_CHECKING:
    from llmvs.methods.base import Method


@dataclass(frozen=True)
class Entry:
    """What is known of a method before it is imported (which takes seconds)."""

    place: str
    """`module:Class`."""
    weights: Literal["head", "adapter"] | None
    """What it trains and leaves in the run's folder; None: nothing."""
    reads: Literal["embeddings", "captions", "frames", "videos", "annotations"]
    """What its scores are made from: the scorer's embeddings, captions, a captioner's answers about
    frames, the videos themselves, or what people said of other videos.
    """
    fitted: bool = False
    """Whether it looks at training videos although it leaves no weights."""
    simple: bool = False
    """Whether it is a baseline that costs nothing: a row beside every other method, too."""

    @property
    def reads_embeddings(self) -> bool:
        """Whether it reads the scorer's embeddings."""
        return self.reads == "embeddings"

    @property
    def learns(self) -> bool:
        """Whether it looks at training videos; else it reads the test videos alone."""
        return self.weights is not None or self.fitted

    def load(self) -> "Method":
        """The method itself."""
        module, _, name = self.place.partition(":")
        method: Method = getattr(import_module(module), name)()
        return method


_SIMPLE = "llmvs.methods.simple"
METHODS = {
    ("head", False): Entry("llmvs.methods.head:TrainedHead", "head", "embeddings"),
    ("scorer", False): Entry("llmvs.methods.zero_shot:ZeroShotScorer", None, "embeddings"),
    ("captioner", False): Entry("llmvs.methods.zero_shot:ZeroShotCaptioner", None, "frames"),
    ("scorer", True): Entry("llmvs.methods.lora:TunedScorer", "adapter", "embeddings"),
    ("captioner", True): Entry("llmvs.methods.lora:TunedCaptioner", "adapter", "frames"),
    ("position", False): Entry(f"{_SIMPLE}:Position", None, "annotations", True, True),
    ("caption_novelty", False): Entry(f"{_SIMPLE}:CaptionNovelty", None, "captions", False, True),
    ("caption_ridge", False): Entry(f"{_SIMPLE}:CaptionRidge", None, "captions", True, True),
    ("embedding_ridge", False): Entry(f"{_SIMPLE}:EmbeddingRidge", None, "embeddings", True, True),
    ("visual_novelty", False): Entry(
        "llmvs.methods.visual:VisualNovelty", None, "videos", False, True
    ),
}
"""(method.model, method.lora) -> method."""


def method_of(settings: MethodConfig) -> Entry:
    """The method that a run's settings name."""
    return METHODS[settings.model, settings.lora]
