"""What gives every step its score: the trained head, a frozen model's own answer, a fine-tuned one.

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
    """What it trains and leaves in the run's folder; None: nothing is trained, so it reads the test
    videos alone.
    """
    reads_embeddings: bool
    """Whether it reads the scorer's embeddings; else the videos."""

    def load(self) -> "Method":
        """The method itself."""
        module, _, name = self.place.partition(":")
        method: Method = getattr(import_module(module), name)()
        return method


METHODS = {
    ("head", False): Entry("llmvs.methods.head:TrainedHead", "head", True),
    ("scorer", False): Entry("llmvs.methods.zero_shot:ZeroShotScorer", None, True),
    ("captioner", False): Entry("llmvs.methods.zero_shot:ZeroShotCaptioner", None, False),
    ("scorer", True): Entry("llmvs.methods.lora:TunedScorer", "adapter", True),
    ("captioner", True): Entry("llmvs.methods.lora:TunedCaptioner", "adapter", False),
}
"""(method.model, method.lora) -> method."""


def method_of(settings: MethodConfig) -> Entry:
    """The method that a run's settings name."""
    return METHODS[settings.model, settings.lora]
