"""The settings of what a head reads: videos, the frozen models, captions, prompts, embeddings."""

from dataclasses import dataclass
from typing import Any, Literal

from omegaconf import MISSING

from llmvs.config.affects import (
    CAPTIONS,
    EMBEDDINGS,
    LARGEST_SEED,
    MANY,
    NOTHING,
    TRAINING,
    check_numbers,
    require,
    setting,
)


@dataclass
class DataConfig:
    """Which videos, what people said of them, and how they are split."""

    dataset: str = setting(MISSING, TRAINING)
    """Which dataset: `demo`, `summe`, `tvsum`, `mrhisum`, or one of your own: a `folder`, or an h5
    file in the `eccv16` layout (docs/own_data.md).
    """
    root: str = setting("", NOTHING, place=True)
    """Folder of the dataset's files (annotations, videos); empty: data/DATASET."""
    splits: Literal["paper", "disjoint"] = setting("paper", TRAINING)
    """`paper`: five overlapping 80/20 splits, as published; `disjoint`: five folds that test every
    video once.
    """
    val_fraction: float = setting(0.2, TRAINING)
    """Share of a fold's training videos held out to choose the epoch (only with `selection=val`).
    """
    incomplete: Literal["refuse", "trim"] = setting("refuse", TRAINING)
    """A scored video whose embeddings end before its annotations: `refuse` it, or `trim` it to the
    steps it has.
    """
    absent: Literal["refuse", "skip"] = setting("refuse", TRAINING)
    """A video whose annotations, clip, captions or embeddings cannot be found: `refuse` the run and
    name all of them, or `skip` them: they are in no fold, and every table says how many.
    """
    extra: list[str] = setting([], TRAINING)
    """Other datasets, all of whose videos train too: `[tvsum]` in data/tvsum, or `[tvsum=DIR]` (the
    field's `augmented` setting).
    """
    transfer: bool = setting(False, TRAINING)
    """Train on the datasets of `extra` alone (the field's `transfer` setting)."""
    memory_gb: float = setting(8.0, NOTHING, within=(0, MANY))
    """Embeddings held in memory, in 10^9 bytes; those beyond are read from the cache whenever a
    batch needs them, one batch ahead. The result is the same.
    """

    def __post_init__(self) -> None:
        check_numbers(self, "data")
        if self.dataset != MISSING and not self.root:
            self.root = f"data/{self.dataset}"
        require(
            bool(self.extra) or not self.transfer,
            "data.transfer",
            self.transfer,
            "false, or name training datasets in data.extra",
        )
        require(
            0 < self.val_fraction < 1,
            "data.val_fraction",
            self.val_fraction,
            "a share between 0 and 1",
        )


@dataclass
class BackboneConfig:
    """The frozen pair of models: a captioner (image-text-to-text) and a scorer (causal LM)."""

    captioner: str = setting("llava-hf/llava-1.5-7b-hf", CAPTIONS)
    """Captioner: a hub id, a folder in Hugging Face format, a folder with an adapter in peft's
    form, or `builtin:NAME`.
    """
    captioner_revision: str | None = setting(None, CAPTIONS)
    """Git revision of the captioner on the hub; None: the newest."""
    scorer: str = setting("meta-llama/Llama-2-13b-chat-hf", EMBEDDINGS)
    """Scorer: a hub id, a folder in Hugging Face format, a folder with an adapter in peft's form, a
    GGUF file (`model.gguf`, or `AUTHOR/NAME/model.gguf` on the hub), or `builtin:NAME`.
    """
    scorer_revision: str | None = setting(None, EMBEDDINGS)
    """Git revision of the scorer on the hub; None: the newest."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = setting("auto", CAPTIONS, EMBEDDINGS)
    """Number format of both models; `auto`: as the checkpoint was published."""
    quantize: Literal["none", "8bit", "4bit"] = setting("none", CAPTIONS, EMBEDDINGS)
    """Load both models with fewer bits per weight (needs bitsandbytes)."""
    device_map: str | None = setting(None, NOTHING)
    """How accelerate spreads a model that is too large for one GPU, such as `auto`; None: all on
    one device.
    """


@dataclass
class CaptionConfig:
    """Stage 1: one sentence per step (paper, section 3.1)."""

    kind: Literal["general", "regions"] = setting("general", CAPTIONS)
    """`general`: one question about the frame; `regions`: one about its centre and one about its
    background (paper, ablations).
    """
    prompt: str = setting("Provide a detailed one-sentence description of this image.", CAPTIONS)
    """What the captioner is asked about every frame."""
    centre_prompt: str = setting(
        "Describe in one sentence what is in the centre of this image.", CAPTIONS
    )
    """The first question of `kind=regions`."""
    background_prompt: str = setting(
        "Describe in one sentence the background of this image.", CAPTIONS
    )
    """The second question of `kind=regions`."""
    max_tokens: int = setting(77, CAPTIONS, within=(1, MANY))
    """Most tokens of one caption."""
    batch: int = setting(16, NOTHING, within=(1, MANY))
    """Most frames captioned at once; changes speed and memory, not captions; halved by itself when
    the GPU runs out of it.
    """

    def __post_init__(self) -> None:
        check_numbers(self, "caption")


@dataclass
class PromptConfig:
    """Stage 2: how the scorer is asked about a window of captions (paper, section 3.2)."""

    window: int = setting(7, EMBEDDINGS)
    """Captions in a window, odd; the LLM judges the centre one."""
    style: Literal["numeric", "summary"] = setting("numeric", EMBEDDINGS)
    """`numeric`: how important is the centre frame, 0 to 10; `summary`: what do the frames show, in
    one sentence.
    """
    max_tokens: int = setting(5, EMBEDDINGS, within=(1, MANY))
    """Most tokens of one answer (a summary needs about 40)."""
    instruction: str | None = setting(None, EMBEDDINGS, text=True)
    """What the scorer is told first: a text, or a file that ends in .txt; None: our own wording,
    after the paper's three criteria.
    """
    question: str | None = setting(None, EMBEDDINGS, text=True)
    """What it is asked behind every window, `{centre}` being the number of the judged caption: a
    text, or a file that ends in .txt; None: our own wording.
    """
    about: str | None = setting(None, EMBEDDINGS)
    """What the summary shall show, such as `only the goals`: stands behind the instruction; None:
    whatever matters.
    """
    spoken: bool = setting(False, EMBEDDINGS)
    """Whether what is said during a window stands in its prompt, from subtitles (.srt, .vtt) beside
    the video.
    """
    template: dict[str, Any] = setting({}, EMBEDDINGS)
    """What the scorer's chat template is told beside the messages, such as
    `{enable_thinking: true}`; a template that knows `enable_thinking` is told false otherwise.
    """

    def __post_init__(self) -> None:
        check_numbers(self, "prompt")
        require(
            1 <= self.window <= 15 and self.window % 2 == 1,
            "prompt.window",
            self.window,
            "an odd number of captions, 1 to 15",
        )
        for name in ("instruction", "question", "about"):
            value = getattr(self, name)
            require(
                value is None or bool(value.strip()), f"prompt.{name}", value, "a text, or null"
            )


@dataclass
class ExamplesConfig:
    """The worked examples in the scorer's prompt."""

    source: Literal["fixed", "fold"] = setting("fixed", EMBEDDINGS)
    """`fixed`: windows written by us, one cache for all folds; `fold`: drawn from the fold's
    training videos, as in the paper.
    """
    count: int = setting(3, EMBEDDINGS, within=(0, 8))
    """How many examples."""
    seed: int = setting(0, EMBEDDINGS, within=(0, LARGEST_SEED))
    """Which training windows are drawn (only with `source=fold`)."""

    def __post_init__(self) -> None:
        check_numbers(self, "examples")


@dataclass
class ExtractConfig:
    """From video files to the embedding cache."""

    fps: float | None = setting(2.0, CAPTIONS, TRAINING)
    """Steps per second of video; None: `every_nth_frame` decides."""
    every_nth_frame: int | None = setting(None, CAPTIONS, TRAINING, within=(1, MANY))
    """A step every so many frames (the benchmarks: 15); None: `fps` decides."""
    captions: str | None = setting(None, EMBEDDINGS, place=True)
    """Folder of JSON Lines files named after the videos that replace the caption stage; None:
    caption the frames.
    """
    embeddings: str | None = setting(None, EMBEDDINGS, place=True)
    """Folder of embeddings made earlier (imported ones, say), used as they are; None: extract what
    is missing.
    """
    refresh: Literal["missing", "always", "never"] = setting("missing", NOTHING)
    """Make what is `missing`; make everything again (`always`); or refuse to run when something is
    missing (`never`).
    """
    engine: Literal["auto", "naive", "expand", "cascade"] = setting("auto", EMBEDDINGS)
    """How the scorer runs: prompt by prompt (`naive`) or in batches behind a prefix computed once;
    `auto`: the fastest that fits.
    """
    tokens_per_batch: int | None = setting(None, NOTHING, within=(1, 1000 * MANY))
    """Most tokens of queries that the scorer reads at once; changes speed and memory only; halved
    by itself when the GPU runs out of it; None: 8192 on a GPU, 1024 on a CPU.
    """
    readout: Literal["rmsnorm", "linear"] = setting("rmsnorm", EMBEDDINGS)
    """Where the scorer is read: after the final norm, or after the output layer (paper, table of
    ablations).
    """
    keep: Literal["pooled", "tokens"] = setting("pooled", EMBEDDINGS)
    """`pooled`: the maximum over the tokens; `tokens`: every token's vector too (about 300 times
    the size).
    """

    def __post_init__(self) -> None:
        check_numbers(self, "extract")
        if self.fps is not None:
            require(self.fps > 0, "extract.fps", self.fps, "more than 0 steps per second")
            require(self.fps <= 1000, "extract.fps", self.fps, "at most 1000 steps per second")
        if (self.fps is None) == (self.every_nth_frame is None):
            raise ValueError(
                f"extract.fps={self.fps} and extract.every_nth_frame={self.every_nth_frame}: set"
                " one and make the other null"
            )
